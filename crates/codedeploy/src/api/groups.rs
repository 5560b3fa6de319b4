//! Deployment groups.

use super::group_settings::apply;
use super::{PAGE, batch, invalid_token, query, tags_of};
use crate::Service;
use crate::model::{Application, DEFAULT_CONFIG, DeploymentGroup};
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::{Batch, CommitError, Page, Scope, Stored, paging};

/// Most names in BatchGetDeploymentGroups.
const MOST: usize = 100;

pub(super) async fn create(
    service: &Service,
    scope: &Scope,
    mut input: CreateDeploymentGroupInput,
) -> Result<CreateDeploymentGroupOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    if application.compute_platform != compute_platform::SERVER {
        let message = format!(
            "Deployment groups of the compute platform {} are not built in this version of Landfall.",
            application.compute_platform
        );
        return Err(Error::modelled("NotImplementedException", 501, message));
    }
    let tags = tags_of(input.tags.take())?;
    let id = service.ids.uuid();
    let name = input.deployment_group_name.take().unwrap_or_default();
    let mut info = new_info(&application, &id, &name);
    apply(&mut info, settings(input), &scope.account)?;
    service.minimum(scope, info.deployment_config_name.as_deref().unwrap_or(DEFAULT_CONFIG)).await?;
    let group = DeploymentGroup {
        id: id.clone(),
        application_id: application.id.clone(),
        name,
        created: service.now(),
        info,
        tags,
        active_deployment: None,
    };
    write(service, &group.name, Batch::new(scope).require(&application).insert(&group)).await?;
    Ok(CreateDeploymentGroupOutput { deployment_group_id: Some(id) })
}

fn new_info(application: &Application, id: &str, name: &str) -> DeploymentGroupInfo {
    DeploymentGroupInfo {
        application_name: Some(application.name.clone()),
        deployment_group_id: Some(id.to_owned()),
        deployment_group_name: Some(name.to_owned()),
        deployment_config_name: Some(DEFAULT_CONFIG.to_owned()),
        compute_platform: Some(application.compute_platform.clone()),
        outdated_instances_strategy: Some(outdated_instances_strategy::UPDATE.to_owned()),
        deployment_style: Some(in_place()),
        ..DeploymentGroupInfo::default()
    }
}

/// The one style of deployments that is built.
pub(super) fn in_place() -> DeploymentStyle {
    DeploymentStyle {
        deployment_type: Some(deployment_type::IN_PLACE.to_owned()),
        deployment_option: Some(deployment_option::WITHOUT_TRAFFIC_CONTROL.to_owned()),
    }
}

/// The settings of a new group, in the form in which they are changed later.
fn settings(input: CreateDeploymentGroupInput) -> UpdateDeploymentGroupInput {
    UpdateDeploymentGroupInput {
        deployment_config_name: input.deployment_config_name,
        ec2_tag_filters: input.ec2_tag_filters,
        on_premises_instance_tag_filters: input.on_premises_instance_tag_filters,
        auto_scaling_groups: input.auto_scaling_groups,
        service_role_arn: input.service_role_arn,
        trigger_configurations: input.trigger_configurations,
        alarm_configuration: input.alarm_configuration,
        auto_rollback_configuration: input.auto_rollback_configuration,
        outdated_instances_strategy: input.outdated_instances_strategy,
        deployment_style: input.deployment_style,
        blue_green_deployment_configuration: input.blue_green_deployment_configuration,
        load_balancer_info: input.load_balancer_info,
        ec2_tag_set: input.ec2_tag_set,
        ecs_services: input.ecs_services,
        on_premises_tag_set: input.on_premises_tag_set,
        ec2_deployment_options: input.ec2_deployment_options,
        termination_hook_enabled: input.termination_hook_enabled,
        ..UpdateDeploymentGroupInput::default()
    }
}

/// Changes settings and, with a new name, moves the group to it; its id stays.
pub(super) async fn update(
    service: &Service,
    scope: &Scope,
    input: UpdateDeploymentGroupInput,
) -> Result<UpdateDeploymentGroupOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    let before = service.group(scope, &application, input.current_deployment_group_name.as_deref()).await?;
    let mut group = before.clone();
    if let Some(name) = &input.new_deployment_group_name {
        group.value.name.clone_from(name);
        group.value.info.deployment_group_name = Some(name.clone());
    }
    apply(&mut group.value.info, input, &scope.account)?;
    service.minimum(scope, group.config_name()).await?;
    let moved = group.name != before.name;
    let batch = Batch::new(scope);
    let batch = if moved { batch.remove(&before).insert(&group.value) } else { batch.replace(&group) };
    write(service, &group.name, batch).await?;
    Ok(UpdateDeploymentGroupOutput { hooks_not_cleaned_up: Some(Vec::new()) })
}

async fn write(service: &Service, name: &str, batch: Batch) -> Result<(), Error> {
    service.documents.commit(batch).await.map_err(|cause| match cause {
        CommitError::Exists { .. } => {
            error::deployment_group_already_exists_exception(format!("Deployment group name already used: {name}"))
        }
        CommitError::Conflict { .. } => error::throttling_exception(format!(
            "Somebody else changed {name} or its application at the same time. Try again."
        )),
        cause => Error::internal(cause),
    })
}

pub(super) async fn get(
    service: &Service,
    scope: &Scope,
    input: GetDeploymentGroupInput,
) -> Result<GetDeploymentGroupOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    let group = service.group(scope, &application, input.deployment_group_name.as_deref()).await?;
    Ok(GetDeploymentGroupOutput { deployment_group_info: Some(shown(&application, group.value)) })
}

/// The application's name is the one that it has now.
fn shown(application: &Application, group: DeploymentGroup) -> DeploymentGroupInfo {
    DeploymentGroupInfo { application_name: Some(application.name.clone()), ..group.info }
}

/// Names that do not exist are told in the error message.
pub(super) async fn batch_get(
    service: &Service,
    scope: &Scope,
    input: BatchGetDeploymentGroupsInput,
) -> Result<BatchGetDeploymentGroupsOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    let names = batch(input.deployment_group_names, MOST)?;
    let keys: Vec<String> = names.iter().map(|name| DeploymentGroup::key_of(&application.id, name)).collect();
    let found: Vec<Option<Stored<DeploymentGroup>>> = service.documents.get_many(scope, &keys).await?;
    let missing: Vec<&str> =
        names.iter().zip(&found).filter(|(_, group)| group.is_none()).map(|(name, _)| name.as_str()).collect();
    let error_message =
        (!missing.is_empty()).then(|| format!("No deployment groups found for names: {}", missing.join(", ")));
    let infos = found.into_iter().flatten().map(|group| shown(&application, group.value)).collect();
    Ok(BatchGetDeploymentGroupsOutput { deployment_groups_info: Some(infos), error_message })
}

pub(super) async fn list(
    service: &Service,
    scope: &Scope,
    input: ListDeploymentGroupsInput,
) -> Result<ListDeploymentGroupsOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    let query = query("ListDeploymentGroups", scope, &application.id);
    let after = paging::start(&query, input.next_token.as_deref()).map_err(invalid_token)?;
    let page = Page::first(PAGE + 1).after(after).prefix(DeploymentGroup::key_of(&application.id, ""));
    let found: Vec<Stored<DeploymentGroup>> = service.documents.list(scope, page).await?;
    let (found, next_token) = paging::cut(found, PAGE, &query);
    let names = found.into_iter().map(|group| group.value.name).collect();
    Ok(ListDeploymentGroupsOutput {
        application_name: Some(application.value.name),
        deployment_groups: Some(names),
        next_token,
    })
}

/// No error if there is no such group. A deployment that runs ends without it.
pub(super) async fn delete(
    service: &Service,
    scope: &Scope,
    input: DeleteDeploymentGroupInput,
) -> Result<DeleteDeploymentGroupOutput, Error> {
    let name = input.deployment_group_name.unwrap_or_default();
    if let Some(application) =
        service.documents.get::<Application>(scope, input.application_name.as_deref().unwrap_or_default()).await?
    {
        let key = DeploymentGroup::key_of(&application.id, &name);
        while let Some(group) = service.documents.get::<DeploymentGroup>(scope, &key).await? {
            match service.documents.remove(scope, &group).await {
                Ok(()) | Err(CommitError::Conflict { .. }) => {}
                Err(cause) => return Err(Error::internal(cause)),
            }
        }
    }
    Ok(DeleteDeploymentGroupOutput { hooks_not_cleaned_up: Some(Vec::new()) })
}
