//! Settling pushes whose server died: what they changed is announced, then they are forgotten.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kernel::{Batch, Lease, Reconciler, Scope, StepError, Stored};

use crate::Service;
use crate::model::Push;

/// How long a push that is still being served is left alone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Settling(pub(super) Arc<Service>);

#[async_trait]
impl Reconciler for Settling {
    type Document = Push;

    async fn step(&self, scope: &Scope, mut push: Stored<Push>, lease: &Lease) -> Result<(), StepError> {
        let service = &self.0;
        if service.pushing.holds(&kernel::Document::key(&push.value)) {
            push.due = service.clock.now() + PATIENCE;
            service.documents.commit(Batch::new(scope).replace(&push).fenced(lease)).await?;
            return Ok(());
        }
        service.announce(scope, &push.repository, None, Some(&push)).await?;
        // Of a deleted repository nothing was announced, and the push is still there.
        if let Some(left) = service.documents.get::<Push>(scope, &kernel::Document::key(&push.value)).await? {
            service.documents.remove(scope, &left).await?;
        }
        Ok(())
    }
}
