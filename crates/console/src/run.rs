//! Forgetting links and sessions that are over.

use std::sync::Arc;

use async_trait::async_trait;
use kernel::{Batch, Document, Lease, Reconciler, Scope, StepError, Stop, Stored, WorkOptions, work};
use std::marker::PhantomData;

use crate::Service;
use crate::model::{Link, Session};

/// Removes documents of one kind when they are due.
struct Forgetting<T>(Arc<Service>, PhantomData<T>);

#[async_trait]
impl<T: Document> Reconciler for Forgetting<T> {
    type Document = T;

    async fn step(&self, scope: &Scope, document: Stored<T>, lease: &Lease) -> Result<(), StepError> {
        // Claimed when it was due; a session that was used meanwhile is not due any more.
        if document.due().is_some_and(|due| due <= self.0.clock.now()) {
            self.0.documents.commit(Batch::new(scope).remove(&document).fenced(lease)).await?;
        }
        Ok(())
    }
}

impl Service {
    /// Runs until `stop`.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        tokio::join!(self.forget::<Link>(&stop), self.forget::<Session>(&stop));
    }

    fn forget<T: Document>(self: &Arc<Self>, stop: &Stop) -> impl Future<Output = ()> + use<T> {
        let reconciler = Arc::new(Forgetting::<T>(Arc::clone(self), PhantomData));
        let (documents, clock) = (self.documents.clone(), Arc::clone(&self.clock));
        work::run(documents, clock, stop.clone(), WorkOptions::concurrent(1), reconciler)
    }
}
