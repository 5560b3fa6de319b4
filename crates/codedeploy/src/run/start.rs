//! The first step: the hosts are chosen and become targets, or the deployment fails.

use super::commit;
use crate::Service;
use crate::events::{Reporter, State};
use crate::model::{
    Application, Deployment, DeploymentGroup, DeploymentTarget, Fault, OnPremisesInstance, Overview, Status,
};
use crate::rules::wave::{Host, Standing};
use kernel::{Batch, Page, Scope, StepError, Stored};

/// Most hosts of one deployment (CodeDeploy quotas).
const MOST_INSTANCES: usize = 1_000;

impl Service {
    /// Chooses the hosts and writes them as targets, in one commit with the signed specification.
    pub(super) async fn start(&self, scope: &Scope, deployment: Stored<Deployment>) -> Result<(), StepError> {
        if deployment.stop.is_some() {
            return self.end_stopped(scope, deployment).await;
        }
        let Some(group) = self.group_by_id(scope, &deployment.group_id).await? else {
            let fault = self.missing(scope, &deployment).await?;
            return self.end(scope, deployment, Status::Failed, Some(fault)).await;
        };
        let fleet = self.fleet(scope, &deployment, &group).await?;
        match check(&deployment, fleet.len()) {
            Err(fault) => self.end(scope, deployment, Status::Failed, Some(fault)).await,
            Ok(()) => self.write_targets(scope, deployment, &fleet).await,
        }
    }

    /// What was deleted under a deployment: its group, or its application with it.
    async fn missing(&self, scope: &Scope, deployment: &Deployment) -> Result<Fault, StepError> {
        let application = self.documents.get::<Application>(scope, &deployment.application).await?;
        Ok(match application.filter(|application| application.id == deployment.application_id) {
            Some(_) => Fault::new(
                "DEPLOYMENT_GROUP_MISSING",
                "The deployment group was deleted before the deployment started.",
            ),
            None => Fault::new("APPLICATION_MISSING", "The application was deleted before the deployment started."),
        })
    }

    async fn write_targets(
        &self,
        scope: &Scope,
        mut deployment: Stored<Deployment>,
        fleet: &[(Stored<OnPremisesInstance>, Standing)],
    ) -> Result<(), StepError> {
        let now = self.now();
        let target = |(instance, standing): &(Stored<OnPremisesInstance>, Standing)| {
            DeploymentTarget::new(&deployment.value, instance, *standing, now)
        };
        let targets: Vec<DeploymentTarget> = fleet.iter().map(target).collect();
        let specification = self.sign(scope, &deployment).await?;
        let hosts: Vec<Host> = targets.iter().map(DeploymentTarget::host).collect();
        deployment.value.status = Status::InProgress;
        deployment.value.started = Some(now);
        deployment.value.overview = Overview::of(&hosts);
        deployment.value.due = Some(now);
        let event = Reporter { ids: &*self.ids, scope, now }.deployment(&deployment, State::Start);
        let batch = Batch::new(scope).replace(&deployment).insert(&specification).publish(&event);
        commit(&self.documents, targets.iter().fold(batch, Batch::insert)).await?;
        kernel::crash_point!("codedeploy_after_start");
        Ok(())
    }

    /// The group, wherever a rename took it.
    pub(super) async fn group_by_id(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<Option<Stored<DeploymentGroup>>, StepError> {
        Ok(self.documents.find(scope, "id", id, Page::first(1)).await?.into_iter().next())
    }

    /// Commits a step that changes only the deployment.
    pub(super) async fn commit_step(&self, scope: &Scope, deployment: Stored<Deployment>) -> Result<(), StepError> {
        commit(&self.documents, Batch::new(scope).replace(&deployment)).await.map(|_| ())
    }
}

/// Whether a deployment to this many hosts can start.
fn check(deployment: &Deployment, hosts: usize) -> Result<(), Fault> {
    if hosts == 0 {
        let message = "The deployment failed because no instances were found for your deployment group. Check your deployment group settings to make sure the tags for your Amazon EC2 instances or Auto Scaling groups correctly identify the instances you want to deploy to, and then try again.";
        return Err(Fault::new("NO_INSTANCES", message));
    }
    if hosts > MOST_INSTANCES {
        let message = format!("The deployment targets more than {MOST_INSTANCES} instances.");
        return Err(Fault::new("OVER_MAX_INSTANCES", message));
    }
    if !deployment.minimum.can_start(hosts) {
        let message = format!(
            "The deployment can't start because the minimum number of healthy instances ({} of {hosts}, from {}) leaves no instance to deploy to.",
            deployment.minimum.hosts(hosts),
            deployment.config,
        );
        return Err(Fault::new("HEALTH_CONSTRAINTS_INVALID", message));
    }
    Ok(())
}
