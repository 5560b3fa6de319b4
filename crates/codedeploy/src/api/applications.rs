//! Applications.

use super::{PAGE, batch, invalid_token, query, tags_of};
use crate::Service;
use crate::model::{Application, ApplicationRevision, DeploymentGroup};
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::{Batch, CommitError, Document, Page, Scope, Stored, paging};

/// Most names in BatchGetApplications.
const MOST: usize = 100;

pub(super) async fn create(
    service: &Service,
    scope: &Scope,
    input: CreateApplicationInput,
) -> Result<CreateApplicationOutput, Error> {
    let application = Application {
        name: input.application_name.unwrap_or_default(),
        id: service.ids.uuid(),
        compute_platform: input.compute_platform.unwrap_or_else(|| compute_platform::SERVER.to_owned()),
        created: service.now(),
        tags: tags_of(input.tags)?,
    };
    let id = application.id.clone();
    match service.documents.commit(Batch::new(scope).insert(&application)).await {
        Ok(()) => Ok(CreateApplicationOutput { application_id: Some(id) }),
        Err(CommitError::Exists { .. }) => Err(already_exists(&application.name)),
        Err(cause) => Err(Error::internal(cause)),
    }
}

pub(super) async fn get(
    service: &Service,
    scope: &Scope,
    input: GetApplicationInput,
) -> Result<GetApplicationOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    Ok(GetApplicationOutput { application: Some(info(&application)) })
}

/// Names that do not exist are left out.
pub(super) async fn batch_get(
    service: &Service,
    scope: &Scope,
    input: BatchGetApplicationsInput,
) -> Result<BatchGetApplicationsOutput, Error> {
    let names = batch(input.application_names, MOST)?;
    let found: Vec<Option<Stored<Application>>> = service.documents.get_many(scope, &names).await?;
    let infos = found.iter().flatten().map(|application| info(application)).collect();
    Ok(BatchGetApplicationsOutput { applications_info: Some(infos) })
}

pub(super) async fn list(
    service: &Service,
    scope: &Scope,
    input: ListApplicationsInput,
) -> Result<ListApplicationsOutput, Error> {
    let query = query("ListApplications", scope, ());
    let after = paging::start(&query, input.next_token.as_deref()).map_err(invalid_token)?;
    let found: Vec<Stored<Application>> = service.documents.list(scope, Page::first(PAGE + 1).after(after)).await?;
    let (found, next_token) = paging::cut(found, PAGE, &query);
    let names = found.into_iter().map(|application| application.value.name).collect();
    Ok(ListApplicationsOutput { applications: Some(names), next_token })
}

/// Renames an application; its id, and all that belongs to it, stays. Without a new name nothing changes.
pub(super) async fn update(
    service: &Service,
    scope: &Scope,
    input: UpdateApplicationInput,
) -> Result<UpdateApplicationOutput, Error> {
    let name = input.application_name.unwrap_or_default();
    if name.is_empty() {
        return Err(error::application_name_required_exception("The application's name is missing."));
    }
    loop {
        let before = service.application(scope, Some(&name)).await?;
        let Some(new_name) = input.new_application_name.as_ref().filter(|new| **new != name) else {
            return Ok(UpdateApplicationOutput {});
        };
        let renamed = Application { name: new_name.clone(), ..before.value.clone() };
        match service.documents.commit(Batch::new(scope).remove(&before).insert(&renamed)).await {
            Ok(()) => return Ok(UpdateApplicationOutput {}),
            Err(CommitError::Exists { .. }) => return Err(already_exists(new_name)),
            Err(CommitError::Conflict { .. }) => {} // Its tags changed, or it is gone.
            Err(cause) => return Err(Error::internal(cause)),
        }
    }
}

fn already_exists(name: &str) -> Error {
    error::application_already_exists_exception(format!("Application already exists with name: {name}"))
}

/// Deletes an application with its groups and revisions; no error if there is none. The application itself goes
/// last, so that a repeated call finishes what a crash left.
pub(super) async fn delete(
    service: &Service,
    scope: &Scope,
    input: DeleteApplicationInput,
) -> Result<DeleteApplicationOutput, Error> {
    let name = input.application_name.unwrap_or_default();
    if let Some(application) = service.documents.get::<Application>(scope, &name).await? {
        delete_all::<DeploymentGroup>(service, scope, &application.id).await?;
        delete_all::<ApplicationRevision>(service, scope, &application.id).await?;
        match service.documents.remove(scope, &application).await {
            Ok(()) | Err(CommitError::Conflict { .. }) => {}
            Err(cause) => return Err(Error::internal(cause)),
        }
    }
    Ok(DeleteApplicationOutput {})
}

/// Deletes all documents of a kind whose keys begin with the application's id.
async fn delete_all<T: Document>(service: &Service, scope: &Scope, application_id: &str) -> Result<(), Error> {
    loop {
        let page = Page::first(PAGE).prefix(format!("{application_id}/"));
        let found: Vec<Stored<T>> = service.documents.list(scope, page).await?;
        if found.is_empty() {
            return Ok(());
        }
        match service.documents.commit(found.iter().fold(Batch::new(scope), Batch::remove)).await {
            Ok(()) | Err(CommitError::Conflict { .. }) => {}
            Err(cause) => return Err(Error::internal(cause)),
        }
    }
}

fn info(application: &Application) -> ApplicationInfo {
    ApplicationInfo {
        application_id: Some(application.id.clone()),
        application_name: Some(application.name.clone()),
        create_time: Some(application.created),
        linked_to_git_hub: Some(false),
        git_hub_account_name: None,
        compute_platform: Some(application.compute_platform.clone()),
    }
}
