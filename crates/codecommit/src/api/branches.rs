//! Branches. They are read from what was announced, which is what events told; changes go through Git.

use aws::Error;
use aws::codecommit::*;
use kernel::{Caller, Page, paging};

use crate::Service;
use crate::model::{HEADS, Reference, TAGS};
use crate::repositories::internal;
use crate::rules::names;

/// How many branches one page has.
const PAGE: usize = 500;

pub(super) async fn get(service: &Service, caller: &Caller, input: GetBranchInput) -> Result<GetBranchOutput, Error> {
    let name =
        input.repository_name.ok_or_else(|| error::repository_name_required_exception("repositoryName is required"))?;
    let branch = input.branch_name.ok_or_else(|| error::branch_name_required_exception("branchName is required"))?;
    let scope = caller.scope();
    let repository = service.repository(&scope, &name).await?;
    let tip = service.reference(&scope, &repository.id, &format!("{HEADS}{branch}")).await?;
    let commit_id = tip.ok_or_else(|| missing(&branch))?;
    Ok(GetBranchOutput { branch: Some(BranchInfo { branch_name: Some(branch), commit_id: Some(commit_id) }) })
}

fn missing(branch: &str) -> Error {
    error::branch_does_not_exist_exception(format!("Branch {branch} does not exist"))
}

pub(super) async fn list(
    service: &Service,
    caller: &Caller,
    input: ListBranchesInput,
) -> Result<ListBranchesOutput, Error> {
    let scope = caller.scope();
    let repository = service.repository(&scope, &input.repository_name.unwrap_or_default()).await?;
    let prefix = Reference::key_of(&repository.id, HEADS);
    let query = format!("codecommit:ListBranches/{scope}/{prefix}");
    let after = paging::start(&query, input.next_token.as_deref())
        .map_err(|invalid| error::invalid_continuation_token_exception(invalid.to_string()))?;
    let page = Page::first(PAGE + 1).prefix(prefix).after(after);
    let found = service.documents.list::<Reference>(&scope, page).await?;
    let (found, next_token) = paging::cut(found, PAGE, &query);
    let branch = |reference: &Reference| reference.name.trim_start_matches(HEADS).to_owned();
    Ok(ListBranchesOutput { branches: Some(found.iter().map(|found| branch(found)).collect()), next_token })
}

pub(super) async fn create(
    service: &Service,
    caller: &Caller,
    input: CreateBranchInput,
) -> Result<CreateBranchOutput, Error> {
    let scope = caller.scope();
    let repository = service.repository(&scope, &input.repository_name.unwrap_or_default()).await?;
    let (branch, commit) = (input.branch_name.unwrap_or_default(), input.commit_id.unwrap_or_default());
    names::branch(&branch).map_err(error::invalid_branch_name_exception)?;
    if service.reference(&scope, &repository.id, &format!("{TAGS}{branch}")).await?.is_some() {
        return Err(error::branch_name_is_tag_name_exception(format!("{branch} is the name of a tag")));
    }
    let folder = service.git.ensure(&repository.id).await.map_err(internal)?;
    let found = service.git.objects(&folder).map_err(internal)?.commit(&commit).await.map_err(internal)?;
    let (commit, _) =
        found.ok_or_else(|| error::commit_does_not_exist_exception(format!("Commit {commit} does not exist")))?;
    let name = format!("{HEADS}{branch}");
    if !service.git.update_reference(&folder, &name, None, Some(&commit)).await.map_err(internal)? {
        return Err(error::branch_name_exists_exception(format!("Branch {branch} already exists")));
    }
    kernel::crash_point!("codecommit_after_branch");
    service.announce(&scope, &repository.id, Some(&[name]), None).await.map_err(Error::internal)?;
    Ok(CreateBranchOutput {})
}

/// An absent branch is no error: the operation declares none for it.
pub(super) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteBranchInput,
) -> Result<DeleteBranchOutput, Error> {
    let scope = caller.scope();
    let repository = service.repository(&scope, &input.repository_name.unwrap_or_default()).await?;
    let branch = input.branch_name.unwrap_or_default();
    names::branch(&branch).map_err(error::invalid_branch_name_exception)?;
    if repository.default_branch.as_ref() == Some(&branch) {
        let message = format!("{branch} is the default branch; make another one the default first");
        return Err(error::default_branch_cannot_be_deleted_exception(message));
    }
    let name = format!("{HEADS}{branch}");
    let folder = service.git.ensure(&repository.id).await.map_err(internal)?;
    let tips = service.git.references(&folder, Some(std::slice::from_ref(&name))).await.map_err(internal)?;
    let Some(tip) = tips.get(&name) else { return Ok(DeleteBranchOutput { deleted_branch: None }) };
    if !service.git.update_reference(&folder, &name, Some(tip), None).await.map_err(internal)? {
        return Err(Error::internal(format!("branch {branch} was changed while it was deleted; try again")));
    }
    service.announce(&scope, &repository.id, Some(&[name]), None).await.map_err(Error::internal)?;
    let deleted_branch = Some(BranchInfo { branch_name: Some(branch), commit_id: Some(tip.clone()) });
    Ok(DeleteBranchOutput { deleted_branch })
}

pub(super) async fn update_default(
    service: &Service,
    caller: &Caller,
    input: UpdateDefaultBranchInput,
) -> Result<UpdateDefaultBranchOutput, Error> {
    let scope = caller.scope();
    let (name, branch) = (input.repository_name.unwrap_or_default(), input.default_branch_name.unwrap_or_default());
    let repository = service.repository(&scope, &name).await?;
    if service.reference(&scope, &repository.id, &format!("{HEADS}{branch}")).await?.is_none() {
        return Err(missing(&branch));
    }
    let now = service.clock.now();
    let change = |repository: &mut crate::model::Repository| {
        repository.default_branch = Some(branch.clone());
        repository.modified = now;
    };
    let changed = service.change(&scope, &name, change).await?;
    service.git.set_head(&changed.id, &branch).await.map_err(internal)?;
    Ok(UpdateDefaultBranchOutput {})
}
