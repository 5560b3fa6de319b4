//! Targets of deployments, in their present form and in the older one (`…DeploymentInstance…`).

use super::{PAGE, batch, invalid_token, query};
use crate::Service;
use crate::model::{Deployment, DeploymentTarget, LifecycleEvent, Status};
use crate::rules::command::deployment_arn;
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::{Page, Scope, Stored, paging};

/// Most ids in a batch.
const MOST: usize = 25;

pub(super) async fn list(
    service: &Service,
    scope: &Scope,
    input: ListDeploymentTargetsInput,
) -> Result<ListDeploymentTargetsOutput, Error> {
    let deployment = service.started(scope, input.deployment_id.as_deref()).await?;
    let filters = input.target_filters.unwrap_or_default();
    if filters.contains_key(target_filter_name::SERVER_INSTANCE_LABEL) {
        let message = "ServerInstanceLabel is for blue/green deployments; this deployment is in place.";
        return Err(error::invalid_deployment_instance_type_exception(message));
    }
    let statuses = filters.get(target_filter_name::TARGET_STATUS).cloned().unwrap_or_default();
    let (ids, next_token) = page(service, scope, &deployment, &statuses, input.next_token.as_deref()).await?;
    Ok(ListDeploymentTargetsOutput { target_ids: Some(ids), next_token })
}

pub(super) async fn list_instances(
    service: &Service,
    scope: &Scope,
    input: ListDeploymentInstancesInput,
) -> Result<ListDeploymentInstancesOutput, Error> {
    let deployment = service.started(scope, input.deployment_id.as_deref()).await?;
    if input.instance_type_filter.is_some_and(|types| !types.is_empty()) {
        let message = "instanceTypeFilter is for blue/green deployments; this deployment is in place.";
        return Err(error::invalid_deployment_instance_type_exception(message));
    }
    let statuses = input.instance_status_filter.unwrap_or_default();
    let (ids, next_token) = page(service, scope, &deployment, &statuses, input.next_token.as_deref()).await?;
    Ok(ListDeploymentInstancesOutput { instances_list: Some(ids), next_token })
}

/// One page of a deployment's target ids; a status that is none is refused by the model's enumeration.
async fn page(
    service: &Service,
    scope: &Scope,
    deployment: &Deployment,
    statuses: &[String],
    token: Option<&str>,
) -> Result<(Vec<String>, Option<String>), Error> {
    let query = query("ListDeploymentTargets", scope, (&deployment.id, statuses));
    let after = paging::start(&query, token).map_err(invalid_token)?;
    let page = Page::first(PAGE + 1).after(after).prefix(DeploymentTarget::key_of(&deployment.id, ""));
    let found: Vec<Stored<DeploymentTarget>> = service.documents.list(scope, page).await?;
    let (found, next_token) = paging::cut(found, PAGE, &query);
    let fits = |target: &Stored<DeploymentTarget>| {
        statuses.is_empty() || statuses.iter().any(|it| it == target.progress.name())
    };
    Ok((found.into_iter().filter(fits).map(|target| target.value.id).collect(), next_token))
}

pub(super) async fn get(
    service: &Service,
    scope: &Scope,
    input: GetDeploymentTargetInput,
) -> Result<GetDeploymentTargetOutput, Error> {
    let deployment = service.started(scope, input.deployment_id.as_deref()).await?;
    let id = input.target_id.unwrap_or_default();
    let missing = || {
        let message = format!("The target {id} does not belong to the deployment {}.", deployment.id);
        error::deployment_target_does_not_exist_exception(message)
    };
    let target = service.target(scope, &deployment, &id).await?.ok_or_else(missing)?;
    Ok(GetDeploymentTargetOutput { deployment_target: Some(shown(&target)) })
}

/// Ids that are no targets of the deployment fail the call, as on AWS.
pub(super) async fn batch_get(
    service: &Service,
    scope: &Scope,
    input: BatchGetDeploymentTargetsInput,
) -> Result<BatchGetDeploymentTargetsOutput, Error> {
    let deployment = service.started(scope, input.deployment_id.as_deref()).await?;
    let ids = input.target_ids.unwrap_or_default();
    if ids.len() > MOST {
        let message = format!("A batch holds at most {MOST} target ids, not {}.", ids.len());
        return Err(error::deployment_target_list_size_exceeded_exception(message));
    }
    let mut targets = Vec::new();
    for id in &ids {
        let missing = || {
            let message = format!("The target {id} does not belong to the deployment {}.", deployment.id);
            error::deployment_target_does_not_exist_exception(message)
        };
        let target = service.target(scope, &deployment, id).await?.ok_or_else(missing)?;
        targets.push(shown(&target));
    }
    Ok(BatchGetDeploymentTargetsOutput { deployment_targets: Some(targets) })
}

pub(super) async fn get_instance(
    service: &Service,
    scope: &Scope,
    input: GetDeploymentInstanceInput,
) -> Result<GetDeploymentInstanceOutput, Error> {
    let deployment = service.deployment(scope, input.deployment_id.as_deref()).await?;
    let id = input.instance_id.unwrap_or_default();
    let missing = || {
        error::instance_does_not_exist_exception(format!(
            "The instance {id} does not belong to the deployment {}.",
            deployment.id
        ))
    };
    let target = service.target(scope, &deployment, &id).await?.ok_or_else(missing)?;
    Ok(GetDeploymentInstanceOutput { instance_summary: Some(summary(scope, &target)) })
}

/// Ids that are no targets of the deployment are told in the error message.
pub(super) async fn batch_get_instances(
    service: &Service,
    scope: &Scope,
    input: BatchGetDeploymentInstancesInput,
) -> Result<BatchGetDeploymentInstancesOutput, Error> {
    let deployment = service.deployment(scope, input.deployment_id.as_deref()).await?;
    let ids = batch(input.instance_ids, MOST)?;
    let (mut summaries, mut missing) = (Vec::new(), Vec::new());
    for id in ids {
        match service.target(scope, &deployment, &id).await? {
            Some(target) => summaries.push(summary(scope, &target)),
            None => missing.push(id),
        }
    }
    let error_message = (!missing.is_empty()).then(|| format!("No instances found for ids: {}", missing.join(", ")));
    Ok(BatchGetDeploymentInstancesOutput { instances_summary: Some(summaries), error_message })
}

impl Service {
    /// A deployment whose targets are chosen; `DeploymentNotStartedException` before.
    async fn started(&self, scope: &Scope, id: Option<&str>) -> Result<Stored<Deployment>, Error> {
        let deployment = self.deployment(scope, id).await?;
        if deployment.status == Status::Created {
            let message =
                format!("The deployment {} has not started, so its targets are not known yet.", deployment.id);
            return Err(error::deployment_not_started_exception(message));
        }
        Ok(deployment)
    }

    async fn target(
        &self,
        scope: &Scope,
        deployment: &Deployment,
        id: &str,
    ) -> Result<Option<Stored<DeploymentTarget>>, Error> {
        Ok(self.documents.get(scope, &DeploymentTarget::key_of(&deployment.id, id)).await?)
    }
}

fn shown(target: &DeploymentTarget) -> aws::codedeploy::DeploymentTarget {
    let instance = InstanceTarget {
        deployment_id: Some(target.deployment.clone()),
        target_id: Some(target.id.clone()),
        target_arn: Some(target.arn.clone()),
        status: Some(target.progress.name().to_owned()),
        last_updated_at: Some(target.updated),
        lifecycle_events: Some(target.events.iter().map(event).collect()),
        instance_label: None,
    };
    aws::codedeploy::DeploymentTarget {
        deployment_target_type: Some(deployment_target_type::INSTANCE_TARGET.to_owned()),
        instance_target: Some(instance),
        ..Default::default()
    }
}

fn summary(scope: &Scope, target: &DeploymentTarget) -> InstanceSummary {
    InstanceSummary {
        deployment_id: Some(deployment_arn(scope, &target.deployment)),
        instance_id: Some(target.arn.clone()),
        status: Some(target.progress.name().to_owned()),
        last_updated_at: Some(target.updated),
        lifecycle_events: Some(target.events.iter().map(event).collect()),
        instance_type: None,
    }
}

fn event(event: &LifecycleEvent) -> aws::codedeploy::LifecycleEvent {
    let diagnostics = event.diagnostics.clone();
    aws::codedeploy::LifecycleEvent {
        lifecycle_event_name: Some(event.name.clone()),
        diagnostics: diagnostics.map(|diagnostics| Diagnostics {
            error_code: Some(diagnostics.error_code),
            script_name: Some(diagnostics.script_name),
            message: Some(diagnostics.message),
            log_tail: Some(diagnostics.log_tail),
        }),
        start_time: event.started,
        end_time: event.ended,
        status: Some(event.status.name().to_owned()),
    }
}
