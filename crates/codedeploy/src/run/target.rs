//! One step of a target: it tells its deployment that it ended, or fails an event that took too long.

use super::commit;
use crate::Service;
use crate::events::Reporter;
use crate::model::{Command, Deployment, DeploymentTarget, OnPremisesInstance};
use crate::rules::diagnostics::{Diagnostics, NOT_RECEIVED};
use crate::rules::lifecycle::EventStatus;
use async_trait::async_trait;
use kernel::{Batch, Lease, Reconciler, Scope, StepError, Stored, Timestamp};
use std::sync::Arc;

/// The reconciler of targets.
pub(crate) struct Targets(pub(crate) Arc<Service>);

#[async_trait]
impl Reconciler for Targets {
    type Document = DeploymentTarget;

    async fn step(&self, scope: &Scope, document: Stored<DeploymentTarget>, _lease: &Lease) -> Result<(), StepError> {
        if document.ended() {
            return self.0.tell_deployment(scope, document).await;
        }
        self.0.check_deadline(scope, document).await
    }
}

impl Service {
    /// Makes the deployment due. The target stays due until that is written.
    async fn tell_deployment(&self, scope: &Scope, mut target: Stored<DeploymentTarget>) -> Result<(), StepError> {
        let now = self.now();
        let tell = |deployment: &mut Deployment| {
            if !deployment.status.ended() {
                deployment.due = Some(now);
            }
        };
        self.documents.update::<Deployment>(scope, &target.deployment, tell).await?;
        kernel::crash_point!("codedeploy_after_telling");
        target.value.due = None;
        commit(&self.documents, Batch::new(scope).replace(&target)).await.map(|_| ())
    }

    async fn check_deadline(&self, scope: &Scope, mut target: Stored<DeploymentTarget>) -> Result<(), StepError> {
        let now = self.now();
        let Some(command) = target.command.clone() else {
            target.value.due = None;
            return commit(&self.documents, Batch::new(scope).replace(&target)).await.map(|_| ());
        };
        // While this server was down no host could reach it: each has its time to take up, or to report, once more.
        let since = command.acknowledged.unwrap_or(command.queued);
        let deadline = self.clock.carried_limit(since, command.deadline(&self.deadlines));
        let reachable = self.clock.carried(self.reachable_since(&command));
        let deadline = deadline.max(reachable + self.deadlines.take_up);
        if now < deadline {
            target.value.due = Some(deadline);
            return commit(&self.documents, Batch::new(scope).replace(&target)).await.map(|_| ());
        }
        let diagnostics = self.overdue(scope, &target, &command).await?;
        target.value.end_event(EventStatus::Failed, diagnostics, now, &self.deadlines);
        let event = Reporter { ids: &*self.ids, scope, now }.target(&target).filter(|_| target.ended());
        let batch = event.iter().fold(Batch::new(scope).replace(&target), Batch::publish);
        if commit(&self.documents, batch).await? {
            self.bells.ring(scope, &target.identity);
        }
        Ok(())
    }

    /// Since when the command's host can be heard without a break.
    fn reachable_since(&self, command: &Command) -> Timestamp {
        command.acknowledged.unwrap_or(command.queued).max(self.opened)
    }

    /// Why an event is overdue, with what is known of the agent.
    async fn overdue(
        &self,
        scope: &Scope,
        target: &DeploymentTarget,
        command: &Command,
    ) -> Result<Diagnostics, StepError> {
        if command.acknowledged.is_some() {
            let minutes = self.deadlines.event.as_secs() / 60;
            let message = format!("The agent took up the event but did not report its end within {minutes} minutes.");
            return Ok(Diagnostics::by_server("ScriptTimedOut", message));
        }
        let instance: Option<Stored<OnPremisesInstance>> = self.documents.get(scope, &target.id).await?;
        let seen = match instance.filter(|instance| instance.deregistered.is_none()) {
            None => "The instance is no longer registered.".to_owned(),
            Some(instance) => match instance.last_seen {
                Some(seen) => format!("The agent was last seen at {seen}."),
                None => "The agent was never seen.".to_owned(),
            },
        };
        Ok(Diagnostics::by_server("UnknownError", format!("{NOT_RECEIVED} {seen}")))
    }
}
