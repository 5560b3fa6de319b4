//! Repositories.

use aws::Error;
use aws::codecommit::*;
use kernel::{Batch, Caller, CommitError, Page, Scope, Stored, paging};

use crate::Service;
use crate::model::{Removal, Repository};
use crate::repositories::internal;
use crate::rules::names;

/// The most names that one BatchGetRepositories takes.
const MOST_NAMES: usize = 100;

/// How many repositories one page of ListRepositories has.
const PAGE: usize = 1_000;

pub(super) async fn create(
    service: &Service,
    caller: &Caller,
    input: CreateRepositoryInput,
) -> Result<CreateRepositoryOutput, Error> {
    let scope = caller.scope();
    let name = input.repository_name.unwrap_or_default();
    names::repository(&name).map_err(error::invalid_repository_name_exception)?;
    let tags = input.tags.unwrap_or_default();
    kernel::tags::validate(&tags).map_err(super::tags::refused)?;
    let now = service.clock.now();
    let repository = Repository {
        id: service.ids.uuid(),
        description: input.repository_description,
        default_branch: None,
        kms_key_id: input.kms_key_id,
        tags,
        created: now,
        modified: now,
        name,
    };
    let created = service.documents.insert(&scope, repository).await.map_err(taken)?;
    service.git.ensure(&created.id).await.map_err(internal)?;
    let repository_metadata = Some(service.metadata(caller, &created));
    Ok(CreateRepositoryOutput { repository_metadata })
}

fn taken(error: CommitError) -> Error {
    match error {
        CommitError::Exists { key, .. } => {
            error::repository_name_exists_exception(format!("Repository named {key} already exists"))
        }
        other => Error::internal(other),
    }
}

pub(super) async fn get(
    service: &Service,
    caller: &Caller,
    input: GetRepositoryInput,
) -> Result<GetRepositoryOutput, Error> {
    let scope = caller.scope();
    let repository = service.repository(&scope, &input.repository_name.unwrap_or_default()).await?;
    Ok(GetRepositoryOutput { repository_metadata: Some(service.metadata(caller, &repository)) })
}

pub(super) async fn batch_get(
    service: &Service,
    caller: &Caller,
    input: BatchGetRepositoriesInput,
) -> Result<BatchGetRepositoriesOutput, Error> {
    let scope = caller.scope();
    let names = input.repository_names.unwrap_or_default();
    if names.len() > MOST_NAMES {
        let message = format!("at most {MOST_NAMES} repositories can be asked for at once, not {}", names.len());
        return Err(error::maximum_repository_names_exceeded_exception(message));
    }
    let found = service.documents.get_many::<Repository>(&scope, &names).await?;
    let missing = names.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(name, _)| name.clone());
    Ok(BatchGetRepositoriesOutput {
        repositories_not_found: Some(missing.collect()),
        repositories: Some(found.iter().flatten().map(|repository| service.metadata(caller, repository)).collect()),
        errors: Some(Vec::new()),
    })
}

/// Deleting what is not there succeeds, without an id (API Reference, DeleteRepository).
pub(super) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteRepositoryInput,
) -> Result<DeleteRepositoryOutput, Error> {
    let scope = caller.scope();
    loop {
        let name = input.repository_name.as_deref().unwrap_or_default();
        let Some(repository) = service.documents.get::<Repository>(&scope, name).await? else {
            return Ok(DeleteRepositoryOutput { repository_id: None });
        };
        let removal = Removal { repository: repository.id.clone(), due: service.clock.now() };
        let batch = Batch::new(&scope).remove(&repository).insert(&removal);
        match service.documents.commit(batch).await {
            // Somebody changed it meanwhile: look again.
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(Error::internal(error)),
            Ok(()) => return Ok(DeleteRepositoryOutput { repository_id: Some(repository.value.id) }),
        }
    }
}

pub(super) async fn list(
    service: &Service,
    caller: &Caller,
    input: ListRepositoriesInput,
) -> Result<ListRepositoriesOutput, Error> {
    let scope = caller.scope();
    let by_name = input.sort_by.as_deref().unwrap_or(sort_by_enum::REPOSITORY_NAME) == sort_by_enum::REPOSITORY_NAME;
    let ascending = input.order.as_deref().unwrap_or(order_enum::ASCENDING) == order_enum::ASCENDING;
    let query = format!("codecommit:ListRepositories/{scope}/{by_name}/{ascending}");
    let after = paging::start(&query, input.next_token.as_deref())
        .map_err(|invalid| error::invalid_continuation_token_exception(invalid.to_string()))?;
    let page = Page::first(PAGE.min(Page::MOST - 1) + 1).after(after);
    let page = if ascending { page } else { page.descending() };
    let found = if by_name {
        service.documents.list::<Repository>(&scope, page).await?
    } else {
        service.documents.find::<Repository>(&scope, Repository::BY_MODIFICATION, "", page).await?
    };
    let (found, next_token) = paging::cut(found, PAGE.min(Page::MOST - 1), &query);
    Ok(ListRepositoriesOutput { repositories: Some(found.into_iter().map(pair).collect()), next_token })
}

fn pair(repository: Stored<Repository>) -> RepositoryNameIdPair {
    let Repository { name, id, .. } = repository.value;
    RepositoryNameIdPair { repository_name: Some(name), repository_id: Some(id) }
}

pub(super) async fn update_description(
    service: &Service,
    caller: &Caller,
    input: UpdateRepositoryDescriptionInput,
) -> Result<UpdateRepositoryDescriptionOutput, Error> {
    let (name, now) = (input.repository_name.unwrap_or_default(), service.clock.now());
    let change = |repository: &mut Repository| {
        repository.description = input.repository_description.clone();
        repository.modified = now;
    };
    service.change(&caller.scope(), &name, change).await?;
    Ok(UpdateRepositoryDescriptionOutput {})
}

/// The Git folder is named by the id, so that only the document moves.
pub(super) async fn update_name(
    service: &Service,
    caller: &Caller,
    input: UpdateRepositoryNameInput,
) -> Result<UpdateRepositoryNameOutput, Error> {
    let scope = caller.scope();
    let (old, new) = (input.old_name.unwrap_or_default(), input.new_name.unwrap_or_default());
    names::repository(&new).map_err(error::invalid_repository_name_exception)?;
    let repository = service.repository(&scope, &old).await?;
    let renamed = Repository { name: new, modified: service.clock.now(), ..repository.value.clone() };
    let batch = Batch::new(&scope).remove(&repository).insert(&renamed);
    service.documents.commit(batch).await.map_err(taken)?;
    Ok(UpdateRepositoryNameOutput {})
}

impl Service {
    /// Changes the repository called `name`.
    pub(super) async fn change(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnMut(&mut Repository) + Send,
    ) -> Result<Stored<Repository>, Error> {
        let changed = self.documents.update::<Repository>(scope, name, change).await.map_err(Error::internal)?;
        changed.ok_or_else(|| error::repository_does_not_exist_exception(format!("{name} does not exist")))
    }

    /// Where Git finds the repository: on the way by which the caller came, else by the public URL.
    pub(crate) fn clone_url(&self, caller: &Caller, name: &str) -> String {
        format!("{}/v1/repos/{name}", caller.endpoint.as_ref().unwrap_or(&self.public_url))
    }

    /// `cloneUrlSsh` is left out: SSH is not served.
    fn metadata(&self, caller: &Caller, repository: &Repository) -> RepositoryMetadata {
        RepositoryMetadata {
            arn: Some(repository.arn(&caller.scope())),
            account_id: Some(caller.account.clone()),
            clone_url_http: Some(self.clone_url(caller, &repository.name)),
            clone_url_ssh: None,
            creation_date: Some(repository.created),
            default_branch: repository.default_branch.clone(),
            kms_key_id: repository.kms_key_id.clone(),
            last_modified_date: Some(repository.modified),
            repository_description: repository.description.clone(),
            repository_id: Some(repository.id.clone()),
            repository_name: Some(repository.name.clone()),
        }
    }
}
