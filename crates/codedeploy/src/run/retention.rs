//! Removes deployments that are past their time.

use crate::Service;
use crate::model::{Deployment, DeploymentGroup, DeploymentTarget, SignedSpecification};
use async_trait::async_trait;
use kernel::retention::{Collected, Collector, Removed, Retention};
use kernel::{Batch, CommitError, Page, Scope, StoreError, Stored, Timestamp};

/// How many deployments are read, and targets removed, at a time.
const AT_ONCE: usize = 100;

#[async_trait]
impl Collector for Service {
    /// Deployments that have ended, with their targets and signed specifications; not the last successful one of a
    /// group, which a rollback repeats.
    async fn collect(&self, retention: &Retention, dry_run: bool) -> Result<Collected, StoreError> {
        let mut collected = Collected::new();
        let Some(cutoff) = retention.deployments.cutoff(self.now()) else { return Ok(collected) };
        let mut removed = Removed::default();
        for scope in self.documents.scopes::<Deployment>().await? {
            removed.count += self.collect_deployments(&scope, cutoff, dry_run).await?;
        }
        collected.insert("deployments", removed);
        Ok(collected)
    }
}

/// Whether a deployment ended before `cutoff`.
fn past(deployment: &Deployment, cutoff: Timestamp) -> bool {
    deployment.status.ended() && deployment.completed.is_some_and(|completed| completed < cutoff)
}

/// Whether a rollback of the group would repeat this deployment.
fn is_last_good(group: &DeploymentGroup, deployment: &Deployment) -> bool {
    let last = group.info.last_successful_deployment.as_ref();
    last.is_some_and(|last| last.deployment_id.as_ref() == Some(&deployment.id))
}

impl Service {
    /// Goes over the deployments from the oldest on, as far as they were made before `cutoff`.
    async fn collect_deployments(&self, scope: &Scope, cutoff: Timestamp, dry_run: bool) -> Result<u64, StoreError> {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = Page::first(AT_ONCE).after(after);
            let found: Vec<Stored<Deployment>> = self.documents.find(scope, "all", "", page).await?;
            after = found.last().map(|deployment| deployment.position().to_owned());
            let old = found.iter().take_while(|deployment| deployment.created < cutoff).count();
            for deployment in found[..old].iter().filter(|deployment| past(deployment, cutoff)) {
                if !self.is_kept(scope, deployment).await? {
                    count += u64::from(dry_run || self.collect_deployment(scope, deployment).await?);
                }
            }
            if old < AT_ONCE {
                return Ok(count);
            }
        }
    }

    async fn is_kept(&self, scope: &Scope, deployment: &Deployment) -> Result<bool, StoreError> {
        let page = Page::first(1);
        let groups: Vec<Stored<DeploymentGroup>> = self.documents.find(scope, "id", &deployment.group_id, page).await?;
        Ok(groups.first().is_some_and(|group| is_last_good(group, deployment)))
    }

    /// The deployment goes last, so that the next collection finishes what this one left.
    async fn collect_deployment(&self, scope: &Scope, deployment: &Stored<Deployment>) -> Result<bool, StoreError> {
        loop {
            let page = Page::first(AT_ONCE).prefix(DeploymentTarget::key_of(&deployment.id, ""));
            let targets: Vec<Stored<DeploymentTarget>> = self.documents.list(scope, page).await?;
            let last = targets.len() < AT_ONCE;
            let mut batch = targets.iter().fold(Batch::new(scope), Batch::remove);
            if last {
                batch = batch.remove(deployment);
                if let Some(signed) = self.documents.get::<SignedSpecification>(scope, &deployment.id).await? {
                    batch = batch.remove(&signed);
                }
            }
            match self.documents.commit(batch).await {
                Ok(()) if last => return Ok(true),
                Ok(()) => {}
                Err(CommitError::Store(error)) => return Err(error),
                // A target told its end just now, or another collection runs: the next one takes it.
                Err(_) => return Ok(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;
    use crate::model::deployment::tests::deployment;

    #[test]
    fn a_deployment_is_past_its_time_when_its_end_is() {
        let at = Timestamp::from_seconds;
        for (status, cutoff, expected) in [
            (Status::Created, at(1_000), false),
            (Status::InProgress, at(1_000), false),
            (Status::Succeeded, at(21), true),
            (Status::Failed, at(21), true),
            (Status::Stopped, at(20), false),
            (Status::Succeeded, at(15), false),
        ] {
            assert_eq!(past(&deployment(status, "k"), cutoff), expected, "{status:?} {cutoff:?}");
        }
    }
}
