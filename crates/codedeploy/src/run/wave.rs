//! The next wave: asks the rule, and writes what it decides in one commit.

use super::commit;
use super::deployment::{SAFETY_NET, targets_of};
use crate::Service;
use crate::events::Reporter;
use crate::model::{Deployment, DeploymentTarget, Fault, Overview, Status};
use crate::rules::wave::{self, Decision, Host, TOO_MANY_FAILED};
use kernel::{Batch, Scope, StepError, Stored};

impl Service {
    /// One step of a deployment whose hosts are chosen.
    pub(super) async fn roll_on(&self, scope: &Scope, mut deployment: Stored<Deployment>) -> Result<(), StepError> {
        let targets = targets_of(&self.documents, scope, &deployment.id).await?;
        let now = self.now();
        let started = self.clock.carried(deployment.started.unwrap_or(deployment.created));
        let deadline = started + self.deadlines.deployment;
        if now >= deadline && deployment.fault.is_none() {
            let message = "The deployment timed out: it did not end within its time limit.";
            deployment.value.fault = Some(Fault::new("TIMEOUT", message));
        }
        let hosts: Vec<Host> = targets.iter().map(|target| target.host()).collect();
        deployment.value.overview = Overview::of(&hosts);
        let net = now + SAFETY_NET;
        deployment.value.due = Some(if deadline > now { net.min(deadline) } else { net });
        if deployment.stop.is_some() || deployment.fault.is_some() {
            return self.wind_down(scope, deployment, targets).await;
        }
        match wave::next(deployment.minimum, &hosts) {
            Decision::Start(ids) => self.start_wave(scope, deployment, targets, &ids).await,
            Decision::Wait => self.commit_step(scope, deployment).await,
            Decision::GiveUp(ids) => {
                let pending = targets.into_iter().filter(|target| ids.contains(&target.id)).collect();
                self.stop_targets(scope, deployment, pending).await
            }
            Decision::Succeed => self.end(scope, deployment, Status::Succeeded, None).await,
            Decision::Fail => {
                let fault = Fault::new("HEALTH_CONSTRAINTS", TOO_MANY_FAILED);
                self.end(scope, deployment, Status::Failed, Some(fault)).await
            }
        }
    }

    async fn start_wave(
        &self,
        scope: &Scope,
        mut deployment: Stored<Deployment>,
        mut targets: Vec<Stored<DeploymentTarget>>,
        ids: &[String],
    ) -> Result<(), StepError> {
        let now = self.now();
        for target in targets.iter_mut().filter(|target| ids.contains(&target.id)) {
            target.value.advance(now, &self.deadlines);
        }
        let hosts: Vec<Host> = targets.iter().map(|target| target.host()).collect();
        deployment.value.overview = Overview::of(&hosts);
        let started: Vec<_> = targets.iter().filter(|target| ids.contains(&target.id)).collect();
        let reporter = Reporter { ids: &*self.ids, scope, now };
        let batch = started.iter().fold(Batch::new(scope).replace(&deployment), |batch, target| {
            let batch = batch.replace(target);
            reporter.target(target).into_iter().fold(batch, |batch, event| batch.publish(&event))
        });
        if commit(&self.documents, batch).await? {
            kernel::crash_point!("codedeploy_after_wave");
            started.iter().for_each(|target| self.bells.ring(scope, &target.identity));
        }
        Ok(())
    }

    /// A deployment that was stopped or timed out: nothing new begins, what runs is awaited, then it ends.
    async fn wind_down(
        &self,
        scope: &Scope,
        deployment: Stored<Deployment>,
        targets: Vec<Stored<DeploymentTarget>>,
    ) -> Result<(), StepError> {
        let live: Vec<_> = targets.into_iter().filter(|target| !target.ended()).collect();
        let running = !live.is_empty();
        let unaware: Vec<_> = live.into_iter().filter(|target| !target.stopping).collect();
        if !unaware.is_empty() {
            return self.stop_targets(scope, deployment, unaware).await;
        }
        if running {
            return self.commit_step(scope, deployment).await;
        }
        match deployment.fault.clone() {
            Some(fault) => self.end(scope, deployment, Status::Failed, Some(fault)).await,
            None => self.end_stopped(scope, deployment).await,
        }
    }

    /// Stops targets; the deployment is looked at again at once.
    async fn stop_targets(
        &self,
        scope: &Scope,
        mut deployment: Stored<Deployment>,
        mut targets: Vec<Stored<DeploymentTarget>>,
    ) -> Result<(), StepError> {
        let now = self.now();
        deployment.value.due = Some(now);
        for target in &mut targets {
            target.value.stop(now, &self.deadlines);
        }
        let batch = targets.iter().fold(Batch::new(scope).replace(&deployment), Batch::replace);
        commit(&self.documents, batch).await.map(|_| ())
    }
}
