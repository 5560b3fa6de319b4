//! Revisions of applications.

use super::{PAGE, batch, invalid_token, query};
use crate::Service;
use crate::model::{Application, ApplicationRevision, DeploymentGroup, revision_id};
use crate::rules::revision::registrable;
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::{CommitError, Order, Page, Scope, StoreError, Stored, paging};

/// Longest description, in characters (CodeDeploy quotas).
const LONGEST_DESCRIPTION: usize = 256;
/// Groups that one revision is the target of, as far as they are listed.
const GROUPS: usize = 100;
/// Most locations in BatchGetApplicationRevisions.
const MOST: usize = 25;

/// Holds a description to its quota.
pub(super) fn description(description: Option<String>) -> Result<Option<String>, Error> {
    match description {
        Some(text) if text.chars().count() > LONGEST_DESCRIPTION => {
            let message = format!("A description has at most {LONGEST_DESCRIPTION} characters.");
            Err(error::description_too_long_exception(message))
        }
        other => Ok(other),
    }
}

/// Registers a revision; registering it again changes its description.
pub(super) async fn register(
    service: &Service,
    scope: &Scope,
    input: RegisterApplicationRevisionInput,
) -> Result<RegisterApplicationRevisionOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    let description = description(input.description)?;
    let location = registrable(input.revision)?;
    service
        .note_revision(scope, &application, &location, |revision| revision.description.clone_from(&description))
        .await?;
    Ok(RegisterApplicationRevisionOutput {})
}

pub(super) async fn get(
    service: &Service,
    scope: &Scope,
    input: GetApplicationRevisionInput,
) -> Result<GetApplicationRevisionOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    let location = registrable(input.revision)?;
    let key = ApplicationRevision::key_of(&application.id, &location);
    let missing = || error::revision_does_not_exist_exception("No such revision is registered with the application.");
    let revision: Stored<ApplicationRevision> = service.documents.get(scope, &key).await?.ok_or_else(missing)?;
    let info = service.revision_info(scope, &application, &revision).await?;
    Ok(GetApplicationRevisionOutput {
        application_name: Some(application.value.name),
        revision: Some(revision.value.location),
        revision_info: Some(info),
    })
}

/// Locations that are not registered are told in the error message.
pub(super) async fn batch_get(
    service: &Service,
    scope: &Scope,
    input: BatchGetApplicationRevisionsInput,
) -> Result<BatchGetApplicationRevisionsOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    let locations = batch(input.revisions, MOST)?;
    if locations.is_empty() {
        return Err(error::revision_required_exception("At least one revision is needed."));
    }
    let (mut revisions, mut missing) = (Vec::new(), Vec::new());
    for location in locations {
        let location = registrable(Some(location))?;
        let key = ApplicationRevision::key_of(&application.id, &location);
        match service.documents.get::<ApplicationRevision>(scope, &key).await? {
            Some(revision) => {
                let info = service.revision_info(scope, &application, &revision).await?;
                let location = Some(revision.value.location);
                revisions.push(RevisionInfo { revision_location: location, generic_revision_info: Some(info) });
            }
            None => missing.push(name_of(&location)),
        }
    }
    let error_message = (!missing.is_empty()).then(|| format!("No revisions found at: {}", missing.join(", ")));
    Ok(BatchGetApplicationRevisionsOutput {
        application_name: Some(application.value.name),
        error_message,
        revisions: Some(revisions),
    })
}

/// A location in a sentence.
fn name_of(location: &RevisionLocation) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match (&location.s3_location, &location.git_hub_location) {
        (Some(s3), _) => format!("s3://{}/{}", text(&s3.bucket), text(&s3.key)),
        (_, Some(git_hub)) => format!("{}@{}", text(&git_hub.repository), text(&git_hub.commit_id)),
        _ => String::new(),
    }
}

/// Lists the revisions' locations. A page may hold fewer than fit its filters: the token goes on.
pub(super) async fn list(
    service: &Service,
    scope: &Scope,
    input: ListApplicationRevisionsInput,
) -> Result<ListApplicationRevisionsOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    if input.s3_key_prefix.is_some() && input.s3_bucket.is_none() {
        let message = "s3KeyPrefix needs s3Bucket.";
        return Err(error::bucket_name_filter_required_exception(message));
    }
    let index = input.sort_by.as_deref().unwrap_or(application_revision_sort_by::REGISTER_TIME);
    let filters = (&application.id, index, &input.sort_order, &input.s3_bucket, &input.s3_key_prefix, &input.deployed);
    let query = query("ListApplicationRevisions", scope, filters);
    let after = paging::start(&query, input.next_token.as_deref()).map_err(invalid_token)?;
    let mut page = Page::first(PAGE + 1).after(after);
    if input.sort_order.as_deref() == Some(sort_order::DESCENDING) {
        page.order = Order::Descending;
    }
    let found: Vec<Stored<ApplicationRevision>> = service.documents.find(scope, index, &application.id, page).await?;
    let (found, next_token) = paging::cut(found, PAGE, &query);
    let mut revisions = Vec::new();
    for revision in found {
        if is_in(&revision.location, &input) && is_deployed(service, scope, &application, &revision, &input).await? {
            revisions.push(revision.value.location);
        }
    }
    Ok(ListApplicationRevisionsOutput { revisions: Some(revisions), next_token })
}

fn is_in(location: &RevisionLocation, input: &ListApplicationRevisionsInput) -> bool {
    let Some(bucket) = &input.s3_bucket else { return true };
    location.s3_location.as_ref().is_some_and(|s3| {
        let key = s3.key.as_deref().unwrap_or_default();
        s3.bucket.as_ref() == Some(bucket) && key.starts_with(input.s3_key_prefix.as_deref().unwrap_or_default())
    })
}

async fn is_deployed(
    service: &Service,
    scope: &Scope,
    application: &Application,
    revision: &ApplicationRevision,
    input: &ListApplicationRevisionsInput,
) -> Result<bool, Error> {
    let wanted = match input.deployed.as_deref() {
        Some(list_state_filter_action::INCLUDE) => true,
        Some(list_state_filter_action::EXCLUDE) => false,
        _ => return Ok(true),
    };
    Ok(service.groups_at(scope, application, &revision.location, 1).await?.is_empty() != wanted)
}

impl Service {
    async fn revision_info(
        &self,
        scope: &Scope,
        application: &Application,
        revision: &ApplicationRevision,
    ) -> Result<GenericRevisionInfo, Error> {
        Ok(GenericRevisionInfo {
            description: revision.description.clone(),
            deployment_groups: Some(self.groups_at(scope, application, &revision.location, GROUPS).await?),
            first_used_time: revision.first_used,
            last_used_time: revision.last_used,
            register_time: Some(revision.registered),
        })
    }

    /// Names of groups whose current revision is at `location`.
    async fn groups_at(
        &self,
        scope: &Scope,
        application: &Application,
        location: &RevisionLocation,
        most: usize,
    ) -> Result<Vec<String>, StoreError> {
        let value = format!("{}/{}", application.id, revision_id(location));
        let groups: Vec<Stored<DeploymentGroup>> =
            self.documents.find(scope, "revision", &value, Page::first(most)).await?;
        Ok(groups.into_iter().map(|group| group.value.name).collect())
    }

    /// Registers the revision if it is not yet, and changes what is known of it.
    pub(super) async fn note_revision(
        &self,
        scope: &Scope,
        application: &Application,
        location: &RevisionLocation,
        mut change: impl FnMut(&mut ApplicationRevision) + Send,
    ) -> Result<(), Error> {
        let key = ApplicationRevision::key_of(&application.id, location);
        loop {
            if self.documents.update(scope, &key, &mut change).await.map_err(Error::internal)?.is_some() {
                return Ok(());
            }
            let mut revision = ApplicationRevision {
                application_id: application.id.clone(),
                location: location.clone(),
                description: None,
                registered: self.now(),
                first_used: None,
                last_used: None,
            };
            change(&mut revision);
            // A use that registers it was a moment ago.
            revision.registered = revision.first_used.unwrap_or(revision.registered);
            match self.documents.insert(scope, revision).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Exists { .. }) => {} // Somebody else registered it meanwhile.
                Err(cause) => return Err(Error::internal(cause)),
            }
        }
    }
}
