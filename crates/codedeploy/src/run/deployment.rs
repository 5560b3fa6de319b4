//! One step of a deployment.

use crate::Service;
use crate::model::{Deployment, DeploymentTarget, Fault, Status};
use async_trait::async_trait;
use kernel::{Documents, Lease, Page, Reconciler, Scope, StepError, StoreError, Stored};
use std::sync::Arc;
use std::time::Duration;

/// A deployment that waits for hosts is looked at this often, in case it missed one.
pub(super) const SAFETY_NET: Duration = Duration::from_secs(60);

/// The reconciler of deployments.
pub(crate) struct Deployments(pub(crate) Arc<Service>);

#[async_trait]
impl Reconciler for Deployments {
    type Document = Deployment;

    async fn step(&self, scope: &Scope, mut document: Stored<Deployment>, _lease: &Lease) -> Result<(), StepError> {
        match document.status {
            Status::Created => self.0.start_in_time(scope, document).await,
            Status::InProgress => self.0.roll_on(scope, document).await,
            Status::Succeeded | Status::Failed | Status::Stopped => {
                document.value.due = None;
                self.0.commit_step(scope, document).await
            }
        }
    }
}

impl Service {
    /// A deployment that can never be started fails with its time and frees its group.
    async fn start_in_time(&self, scope: &Scope, deployment: Stored<Deployment>) -> Result<(), StepError> {
        let limit = self.clock.carried(deployment.created) + self.deadlines.deployment;
        let unstarted = deployment.clone();
        match self.start(scope, deployment).await {
            Err(fault) if self.now() >= limit => {
                tracing::error!(%fault, deployment = unstarted.id, "a deployment could not be started within its time");
                let fault = Fault::new("INTERNAL_ERROR", "The deployment could not be started within its time limit.");
                self.end(scope, unstarted, Status::Failed, Some(fault)).await
            }
            started => started,
        }
    }
}

/// All targets of a deployment.
pub(crate) async fn targets_of(
    documents: &Documents,
    scope: &Scope,
    deployment: &str,
) -> Result<Vec<Stored<DeploymentTarget>>, StoreError> {
    documents.list(scope, Page::default().prefix(DeploymentTarget::key_of(deployment, ""))).await
}
