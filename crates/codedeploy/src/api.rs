//! The operations of the API, one file per resource.

mod applications;
mod configs;
mod deployments;
mod github_tokens;
mod group_settings;
mod groups;
mod instances;
mod list_deployments;
mod revisions;
mod tags;
mod targets;
mod waits;

use crate::Service;
use crate::model::{Application, DeploymentGroup};
use async_trait::async_trait;
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::paging::InvalidToken;
use kernel::tags::Tags;
use kernel::{Caller, Scope, Stored};

/// How many entries a page of a list holds; CodeDeploy's lists have no parameter for it.
const PAGE: usize = 100;

/// Hands each operation of the trait to its handler.
macro_rules! operations {
    ($($method:ident($Input:ident) -> $Output:ident = $handler:path;)*) => {
        #[async_trait]
        impl CodeDeploy for Service {
            $(async fn $method(&self, caller: &Caller, input: $Input) -> Result<$Output, Error> {
                $handler(self, &caller.scope(), input).await
            })*
        }
    };
}

operations! {
    create_application(CreateApplicationInput) -> CreateApplicationOutput = applications::create;
    get_application(GetApplicationInput) -> GetApplicationOutput = applications::get;
    batch_get_applications(BatchGetApplicationsInput) -> BatchGetApplicationsOutput = applications::batch_get;
    list_applications(ListApplicationsInput) -> ListApplicationsOutput = applications::list;
    update_application(UpdateApplicationInput) -> UpdateApplicationOutput = applications::update;
    delete_application(DeleteApplicationInput) -> DeleteApplicationOutput = applications::delete;

    register_application_revision(RegisterApplicationRevisionInput) -> RegisterApplicationRevisionOutput = revisions::register;
    get_application_revision(GetApplicationRevisionInput) -> GetApplicationRevisionOutput = revisions::get;
    batch_get_application_revisions(BatchGetApplicationRevisionsInput) -> BatchGetApplicationRevisionsOutput = revisions::batch_get;
    list_application_revisions(ListApplicationRevisionsInput) -> ListApplicationRevisionsOutput = revisions::list;

    create_deployment_group(CreateDeploymentGroupInput) -> CreateDeploymentGroupOutput = groups::create;
    update_deployment_group(UpdateDeploymentGroupInput) -> UpdateDeploymentGroupOutput = groups::update;
    get_deployment_group(GetDeploymentGroupInput) -> GetDeploymentGroupOutput = groups::get;
    batch_get_deployment_groups(BatchGetDeploymentGroupsInput) -> BatchGetDeploymentGroupsOutput = groups::batch_get;
    list_deployment_groups(ListDeploymentGroupsInput) -> ListDeploymentGroupsOutput = groups::list;
    delete_deployment_group(DeleteDeploymentGroupInput) -> DeleteDeploymentGroupOutput = groups::delete;

    create_deployment_config(CreateDeploymentConfigInput) -> CreateDeploymentConfigOutput = configs::create;
    get_deployment_config(GetDeploymentConfigInput) -> GetDeploymentConfigOutput = configs::get;
    list_deployment_configs(ListDeploymentConfigsInput) -> ListDeploymentConfigsOutput = configs::list;
    delete_deployment_config(DeleteDeploymentConfigInput) -> DeleteDeploymentConfigOutput = configs::delete;

    create_deployment(CreateDeploymentInput) -> CreateDeploymentOutput = deployments::create;
    get_deployment(GetDeploymentInput) -> GetDeploymentOutput = deployments::get;
    batch_get_deployments(BatchGetDeploymentsInput) -> BatchGetDeploymentsOutput = deployments::batch_get;
    stop_deployment(StopDeploymentInput) -> StopDeploymentOutput = deployments::stop;
    continue_deployment(ContinueDeploymentInput) -> ContinueDeploymentOutput = waits::continue_deployment;
    skip_wait_time_for_instance_termination(SkipWaitTimeForInstanceTerminationInput) -> SkipWaitTimeForInstanceTerminationOutput = waits::skip;
    list_deployments(ListDeploymentsInput) -> ListDeploymentsOutput = list_deployments::list;

    list_deployment_targets(ListDeploymentTargetsInput) -> ListDeploymentTargetsOutput = targets::list;
    get_deployment_target(GetDeploymentTargetInput) -> GetDeploymentTargetOutput = targets::get;
    batch_get_deployment_targets(BatchGetDeploymentTargetsInput) -> BatchGetDeploymentTargetsOutput = targets::batch_get;
    list_deployment_instances(ListDeploymentInstancesInput) -> ListDeploymentInstancesOutput = targets::list_instances;
    get_deployment_instance(GetDeploymentInstanceInput) -> GetDeploymentInstanceOutput = targets::get_instance;
    batch_get_deployment_instances(BatchGetDeploymentInstancesInput) -> BatchGetDeploymentInstancesOutput = targets::batch_get_instances;

    register_on_premises_instance(RegisterOnPremisesInstanceInput) -> RegisterOnPremisesInstanceOutput = instances::register;
    deregister_on_premises_instance(DeregisterOnPremisesInstanceInput) -> DeregisterOnPremisesInstanceOutput = instances::deregister;
    get_on_premises_instance(GetOnPremisesInstanceInput) -> GetOnPremisesInstanceOutput = instances::get;
    batch_get_on_premises_instances(BatchGetOnPremisesInstancesInput) -> BatchGetOnPremisesInstancesOutput = instances::batch_get;
    list_on_premises_instances(ListOnPremisesInstancesInput) -> ListOnPremisesInstancesOutput = instances::list;
    add_tags_to_on_premises_instances(AddTagsToOnPremisesInstancesInput) -> AddTagsToOnPremisesInstancesOutput = instances::add_tags;
    remove_tags_from_on_premises_instances(RemoveTagsFromOnPremisesInstancesInput) -> RemoveTagsFromOnPremisesInstancesOutput = instances::remove_tags;

    tag_resource(TagResourceInput) -> TagResourceOutput = tags::tag;
    untag_resource(UntagResourceInput) -> UntagResourceOutput = tags::untag;
    list_tags_for_resource(ListTagsForResourceInput) -> ListTagsForResourceOutput = tags::list;

    list_git_hub_account_token_names(ListGitHubAccountTokenNamesInput) -> ListGitHubAccountTokenNamesOutput = github_tokens::list;
    delete_git_hub_account_token(DeleteGitHubAccountTokenInput) -> DeleteGitHubAccountTokenOutput = github_tokens::delete;
}

impl Service {
    /// The application of that name; `ApplicationDoesNotExistException` without one.
    async fn application(&self, scope: &Scope, name: Option<&str>) -> Result<Stored<Application>, Error> {
        let name = name.unwrap_or_default();
        let missing =
            || error::application_does_not_exist_exception(format!("Application does not exist for name: {name}"));
        self.documents.get(scope, name).await?.ok_or_else(missing)
    }

    /// The application's group of that name; `DeploymentGroupDoesNotExistException` without one.
    async fn group(
        &self,
        scope: &Scope,
        application: &Application,
        name: Option<&str>,
    ) -> Result<Stored<DeploymentGroup>, Error> {
        let name = name.unwrap_or_default();
        let missing = || {
            let message = format!("No Deployment Group found for name: {name} in application: {}", application.name);
            error::deployment_group_does_not_exist_exception(message)
        };
        self.documents.get(scope, &DeploymentGroup::key_of(&application.id, name)).await?.ok_or_else(missing)
    }
}

/// Holds a list to what a BatchGet takes.
fn batch<T>(list: Option<Vec<T>>, most: usize) -> Result<Vec<T>, Error> {
    let list = list.unwrap_or_default();
    if list.len() > most {
        let message = format!("A batch holds at most {most} names, not {}.", list.len());
        return Err(error::batch_limit_exceeded_exception(message));
    }
    Ok(list)
}

/// `InvalidNextTokenException`.
fn invalid_token(token: InvalidToken) -> Error {
    error::invalid_next_token_exception(token.to_string())
}

/// What a list's tokens are bound to.
fn query(operation: &str, scope: &Scope, parameters: impl std::fmt::Debug) -> String {
    format!("codedeploy/{operation}/{scope}/{parameters:?}")
}

/// The tags of a resource that is made with them.
fn tags_of(tags: Option<Vec<Tag>>) -> Result<Tags, Error> {
    let pairs = tags.unwrap_or_default().into_iter();
    let tags: Tags = pairs.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect();
    kernel::tags::validate(&tags).map_err(|broken| error::invalid_tags_to_add_exception(broken.to_string()))?;
    Ok(tags)
}
