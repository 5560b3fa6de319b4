//! The end of a deployment: its state, its group's state and the event, in one commit.

use super::commit;
use super::rollback::rollback_of;
use crate::Service;
use crate::events::{Reporter, State};
use crate::model::{Deployment, DeploymentGroup, Fault, Status};
use aws::codedeploy::LastDeploymentInfo;
use kernel::{Batch, Scope, StepError, Stored};

impl Service {
    /// Ends a deployment and frees its group; a failed one may make its rollback.
    pub(super) async fn end(
        &self,
        scope: &Scope,
        mut deployment: Stored<Deployment>,
        status: Status,
        fault: Option<Fault>,
    ) -> Result<(), StepError> {
        let now = self.now();
        deployment.value.status = status;
        deployment.value.fault = fault;
        deployment.value.completed = Some(now);
        deployment.value.due = None;
        let group = self.group_by_id(scope, &deployment.group_id).await?;
        let event = Reporter { ids: &*self.ids, scope, now }.deployment(&deployment, state(status));
        let mut batch = Batch::new(scope).publish(&event);
        if let Some(mut group) = group.filter(|group| group.active_deployment.as_deref() == Some(&deployment.id)) {
            free(&mut group.value, &deployment);
            let last_good = self.last_good(scope, &group).await?;
            let rollback = rollback_of(&mut deployment.value, &group, last_good.as_ref(), &*self.ids, now);
            if let Some(rollback) = rollback {
                group.value.active_deployment = Some(rollback.id.clone());
                group.value.info.last_attempted_deployment = Some(last(&rollback));
                batch = batch.insert(&rollback);
            }
            batch = batch.replace(&group);
        }
        commit(&self.documents, batch.replace(&deployment)).await?;
        kernel::crash_point!("codedeploy_after_end");
        Ok(())
    }

    /// The last deployment that succeeded, as far as it is kept.
    async fn last_good(&self, scope: &Scope, group: &DeploymentGroup) -> Result<Option<Deployment>, StepError> {
        let last = group.info.last_successful_deployment.as_ref();
        let Some(id) = last.and_then(|last| last.deployment_id.as_deref()) else { return Ok(None) };
        Ok(self.documents.get::<Deployment>(scope, id).await?.map(|deployment| deployment.value))
    }

    /// Ends a deployment that a user stopped.
    pub(super) async fn end_stopped(&self, scope: &Scope, deployment: Stored<Deployment>) -> Result<(), StepError> {
        let fault = Fault::new("MANUAL_STOP", "The deployment was stopped by a user.");
        self.end(scope, deployment, Status::Stopped, Some(fault)).await
    }
}

fn state(status: Status) -> State {
    match status {
        Status::Created | Status::InProgress => State::Start,
        Status::Succeeded => State::Success,
        Status::Failed => State::Failure,
        Status::Stopped => State::Stop,
    }
}

/// What GetDeploymentGroup says of a deployment.
pub(crate) fn last(deployment: &Deployment) -> LastDeploymentInfo {
    LastDeploymentInfo {
        deployment_id: Some(deployment.id.clone()),
        status: Some(deployment.status.name().to_owned()),
        end_time: deployment.completed,
        create_time: Some(deployment.created),
    }
}

/// The group after its deployment ended: success makes the revision its current one.
fn free(group: &mut DeploymentGroup, deployment: &Deployment) {
    group.active_deployment = None;
    group.info.last_attempted_deployment = Some(last(deployment));
    if deployment.status == Status::Succeeded {
        group.info.last_successful_deployment = Some(last(deployment));
        group.info.target_revision = Some(deployment.revision.clone());
    }
}
