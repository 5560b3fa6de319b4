//! Deployments: made, shown, stopped.

use super::batch;
use super::group_settings::{check_alarms, check_rollback};
use super::groups::in_place;
use super::revisions::description;
use crate::Service;
use crate::model::{Application, Deployment, DeploymentGroup, Overview, Rollback, Status, StopRequest};
use crate::rules::revision::deployable;
use crate::run::{deployment_id, last, targets_of};
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::{Batch, CommitError, Scope, Stored};

/// Most ids in BatchGetDeployments.
const MOST: usize = 25;
/// How often a deployment is tried to be made or stopped when its group or itself changes at the same time.
const ATTEMPTS: usize = 16;

/// Makes a deployment; its hosts are chosen when it starts. A group has at most one that has not ended.
pub(super) async fn create(
    service: &Service,
    scope: &Scope,
    mut input: CreateDeploymentInput,
) -> Result<CreateDeploymentOutput, Error> {
    let application = service.application(scope, input.application_name.as_deref()).await?;
    if input.deployment_group_name.is_none() {
        return Err(error::deployment_group_name_required_exception("The deployment group's name is missing."));
    }
    service.group(scope, &application, input.deployment_group_name.as_deref()).await?;
    refuse_unbuilt(&input)?;
    let revision = deployable(input.revision.take())?;
    input.description = description(input.description)?;
    let now = service.now();
    service
        .note_revision(scope, &application, &revision, |known| {
            known.first_used.get_or_insert(now);
            known.last_used = Some(now);
        })
        .await?;
    kernel::crash_point!("codedeploy_after_revision");
    for _ in 0..ATTEMPTS {
        match insert(service, scope, &application, &input, &revision).await? {
            Ok(id) => return Ok(CreateDeploymentOutput { deployment_id: Some(id) }),
            Err(CommitError::Conflict { .. } | CommitError::Exists { .. }) => {}
            Err(cause) => return Err(Error::internal(cause)),
        }
    }
    Err(error::throttling_exception("The deployment group changed too often at the same time. Try again."))
}

async fn insert(
    service: &Service,
    scope: &Scope,
    application: &Application,
    input: &CreateDeploymentInput,
    revision: &RevisionLocation,
) -> Result<Result<String, CommitError>, Error> {
    let mut group = service.group(scope, application, input.deployment_group_name.as_deref()).await?;
    if let Some(active) = &group.active_deployment {
        let message = format!("The Deployment Group '{}' already has an active Deployment '{active}'", group.name);
        return Err(error::deployment_limit_exceeded_exception(message));
    }
    let deployment = new(service, scope, application, &group, input, revision).await?;
    group.value.active_deployment = Some(deployment.id.clone());
    group.value.info.last_attempted_deployment = Some(last(&deployment));
    let committed = service.documents.commit(Batch::new(scope).insert(&deployment).replace(&group)).await;
    Ok(committed.map(|()| {
        kernel::crash_point!("codedeploy_after_create");
        deployment.id
    }))
}

async fn new(
    service: &Service,
    scope: &Scope,
    application: &Application,
    group: &DeploymentGroup,
    input: &CreateDeploymentInput,
    revision: &RevisionLocation,
) -> Result<Deployment, Error> {
    let config = input.deployment_config_name.as_deref().unwrap_or(group.config_name());
    let now = service.now();
    Ok(Deployment {
        id: deployment_id(&*service.ids),
        application_id: application.id.clone(),
        application: application.name.clone(),
        group_id: group.id.clone(),
        group: group.name.clone(),
        config: config.to_owned(),
        minimum: service.minimum(scope, config).await?,
        revision: revision.clone(),
        previous_revision: group.target_revision().cloned(),
        status: Status::Created,
        fault: None,
        created: now,
        started: None,
        completed: None,
        overview: Overview::default(),
        description: input.description.clone(),
        creator: deployment_creator::USER.to_owned(),
        ignore_application_stop_failures: input.ignore_application_stop_failures.unwrap_or_default(),
        update_outdated_instances_only: input.update_outdated_instances_only.unwrap_or_default(),
        file_exists_behavior: input
            .file_exists_behavior
            .clone()
            .unwrap_or_else(|| file_exists_behavior::DISALLOW.to_owned()),
        auto_rollback: input.auto_rollback_configuration.clone(),
        rollback: Rollback::default(),
        stop: None,
        due: Some(now),
    })
}

fn refuse_unbuilt(input: &CreateDeploymentInput) -> Result<(), Error> {
    check_rollback(input.auto_rollback_configuration.as_ref())?;
    check_alarms(input.override_alarm_configuration.as_ref())?;
    if input.target_instances.is_some() {
        let message = "targetInstances is for blue/green deployments; this deployment group deploys in place.";
        return Err(error::invalid_target_instances_exception(message));
    }
    if input.deployment_mode.as_deref() == Some("RESTART") {
        return Err(error::invalid_input_exception(
            "The deployment mode RESTART is not built in this version of Landfall.",
        ));
    }
    Ok(())
}

pub(super) async fn get(
    service: &Service,
    scope: &Scope,
    input: GetDeploymentInput,
) -> Result<GetDeploymentOutput, Error> {
    let deployment = service.deployment(scope, input.deployment_id.as_deref()).await?;
    Ok(GetDeploymentOutput { deployment_info: Some(info(&deployment)) })
}

/// Ids that do not exist are left out.
pub(super) async fn batch_get(
    service: &Service,
    scope: &Scope,
    input: BatchGetDeploymentsInput,
) -> Result<BatchGetDeploymentsOutput, Error> {
    let ids = batch(input.deployment_ids, MOST)?;
    let found: Vec<Option<Stored<Deployment>>> = service.documents.get_many(scope, &ids).await?;
    Ok(BatchGetDeploymentsOutput { deployments_info: Some(found.iter().flatten().map(|it| info(it)).collect()) })
}

/// Asks a deployment to stop: no event begins after this. `Pending` while a host still runs one, else `Succeeded`.
pub(super) async fn stop(
    service: &Service,
    scope: &Scope,
    input: StopDeploymentInput,
) -> Result<StopDeploymentOutput, Error> {
    for _ in 0..ATTEMPTS {
        let mut deployment = service.deployment(scope, input.deployment_id.as_deref()).await?;
        match deployment.status {
            Status::Stopped => return Ok(stop_output(false)),
            Status::Succeeded | Status::Failed => return Err(already_ended(&deployment)),
            Status::Created | Status::InProgress => {}
        }
        let before = deployment.stop.and_then(|stop| stop.roll_back);
        deployment.value.stop = Some(StopRequest { roll_back: input.auto_rollback_enabled.or(before) });
        deployment.value.due = Some(service.now());
        match service.documents.commit(Batch::new(scope).replace(&deployment)).await {
            Ok(()) => {
                let targets = targets_of(&service.documents, scope, &deployment.id).await?;
                return Ok(stop_output(targets.iter().any(|target| target.runs())));
            }
            Err(CommitError::Conflict { .. }) => {}
            Err(cause) => return Err(Error::internal(cause)),
        }
    }
    Err(error::throttling_exception("The deployment changed too often at the same time. Try again."))
}

/// AWS's sentence is the same for both.
fn stop_output(pending: bool) -> StopDeploymentOutput {
    let status = if pending { stop_status::PENDING } else { stop_status::SUCCEEDED };
    let message = "No more commands will be scheduled for execution in the deployment instances";
    StopDeploymentOutput { status: Some(status.to_owned()), status_message: Some(message.to_owned()) }
}

/// `DeploymentAlreadyCompletedException`.
pub(super) fn already_ended(deployment: &Deployment) -> Error {
    let message = format!("Deployment {} has already ended: {}.", deployment.id, deployment.status.name());
    error::deployment_already_completed_exception(message)
}

impl Service {
    /// The deployment of that id; `DeploymentIdRequiredException`, `InvalidDeploymentIdException` or `DeploymentDoesNotExistException` without one.
    pub(super) async fn deployment(&self, scope: &Scope, id: Option<&str>) -> Result<Stored<Deployment>, Error> {
        let id = id.unwrap_or_default();
        if id.is_empty() {
            return Err(error::deployment_id_required_exception("The deployment's id is missing."));
        }
        let letters = id.strip_prefix("d-").unwrap_or_default();
        if letters.is_empty() || !letters.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit()) {
            let message =
                format!("'{}' is not a deployment id like d-ABCDEF123.", id.chars().take(64).collect::<String>());
            return Err(error::invalid_deployment_id_exception(message));
        }
        let missing = || error::deployment_does_not_exist_exception(format!("The deployment {id} could not be found"));
        self.documents.get(scope, id).await?.ok_or_else(missing)
    }
}

/// What GetDeployment answers.
fn info(deployment: &Deployment) -> DeploymentInfo {
    let Overview { pending, in_progress, succeeded, failed, skipped } = deployment.overview;
    let overview = DeploymentOverview {
        pending: Some(pending),
        in_progress: Some(in_progress),
        succeeded: Some(succeeded),
        failed: Some(failed),
        skipped: Some(skipped),
        ready: Some(0),
    };
    let fault = deployment.fault.clone();
    DeploymentInfo {
        application_name: Some(deployment.application.clone()),
        deployment_group_name: Some(deployment.group.clone()),
        deployment_config_name: Some(deployment.config.clone()),
        deployment_id: Some(deployment.id.clone()),
        previous_revision: deployment.previous_revision.clone(),
        revision: Some(deployment.revision.clone()),
        status: Some(deployment.status.name().to_owned()),
        error_information: fault.map(|fault| ErrorInformation { code: Some(fault.code), message: Some(fault.message) }),
        create_time: Some(deployment.created),
        start_time: deployment.started,
        complete_time: deployment.completed,
        deployment_overview: Some(overview),
        description: deployment.description.clone(),
        creator: Some(deployment.creator.clone()),
        ignore_application_stop_failures: Some(deployment.ignore_application_stop_failures),
        auto_rollback_configuration: deployment.auto_rollback.clone(),
        update_outdated_instances_only: Some(deployment.update_outdated_instances_only),
        rollback_info: rollback_info(&deployment.rollback),
        deployment_style: Some(in_place()),
        instance_termination_wait_time_started: Some(false),
        file_exists_behavior: Some(deployment.file_exists_behavior.clone()),
        compute_platform: Some(compute_platform::SERVER.to_owned()),
        ..DeploymentInfo::default()
    }
}

fn rollback_info(rollback: &Rollback) -> Option<RollbackInfo> {
    (*rollback != Rollback::default()).then(|| RollbackInfo {
        rollback_deployment_id: rollback.by.clone(),
        rollback_triggering_deployment_id: rollback.of.clone(),
        rollback_message: rollback.message.clone(),
    })
}
