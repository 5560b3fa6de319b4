//! Commits.

use aws::Error;
use aws::codecommit::*;
use kernel::Caller;

use crate::Service;
use crate::repositories::internal;
use crate::rules::objects;
use crate::rules::specifier::is_object_id;

pub(super) async fn get(service: &Service, caller: &Caller, input: GetCommitInput) -> Result<GetCommitOutput, Error> {
    let repository = service.repository(&caller.scope(), &input.repository_name.unwrap_or_default()).await?;
    let id = input.commit_id.unwrap_or_default();
    if !is_object_id(&id) {
        return Err(error::invalid_commit_id_exception(format!("{id} is not a full commit id of 40 hex digits")));
    }
    let folder = service.git.ensure(&repository.id).await.map_err(internal)?;
    let found = service.git.objects(&folder).map_err(internal)?.commit(&id).await.map_err(internal)?;
    let missing = || error::commit_id_does_not_exist_exception(format!("Commit {id} does not exist"));
    let (commit_id, found) = found.ok_or_else(missing)?;
    Ok(GetCommitOutput { commit: Some(commit(commit_id, found)) })
}

fn commit(id: String, found: objects::Commit) -> Commit {
    Commit {
        additional_data: Some(String::new()),
        author: Some(person(found.author)),
        commit_id: Some(id),
        committer: Some(person(found.committer)),
        message: Some(found.message),
        parents: Some(found.parents),
        tree_id: Some(found.tree),
    }
}

fn person(signature: objects::Signature) -> UserInfo {
    let objects::Signature { name, email, date } = signature;
    UserInfo { date: Some(date), email: Some(email), name: Some(name) }
}
