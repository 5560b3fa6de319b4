//! The build's document in a step's hands.

use std::sync::Arc;

use kernel::{Batch, CommitError, Lease, Scope, StepError, Stored, Timestamp};

use crate::Service;
use crate::api;
use crate::model::{Build, Context, Status};

/// A build and the right to write it.
pub(crate) struct Record {
    service: Arc<Service>,
    scope: Scope,
    lease: Lease,
    stored: Stored<Build>,
}

impl Record {
    pub(crate) fn new(service: Arc<Service>, scope: Scope, lease: Lease, stored: Stored<Build>) -> Self {
        Self { service, scope, lease, stored }
    }

    pub(crate) fn build(&self) -> &Build {
        &self.stored.value
    }

    pub(super) fn stored(&self) -> &Stored<Build> {
        &self.stored
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(crate) fn service(&self) -> &Arc<Service> {
        &self.service
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.service.dependencies.clock.now()
    }

    /// Writes a change with the events that it is, again where StopBuild wrote in between. `change` may so run twice.
    pub(crate) async fn change(&mut self, change: impl Fn(&mut Build, Timestamp) + Send) -> Result<(), StepError> {
        self.change_by(|batch| batch, change).await
    }

    /// [`Record::change`], on disk with the next commit: see [`Batch::lax`].
    pub(crate) async fn change_lax(&mut self, change: impl Fn(&mut Build, Timestamp) + Send) -> Result<(), StepError> {
        self.change_by(Batch::lax, change).await
    }

    async fn change_by(
        &mut self,
        durably: impl Fn(Batch) -> Batch + Send,
        change: impl Fn(&mut Build, Timestamp) + Send,
    ) -> Result<(), StepError> {
        loop {
            let mut next = self.stored.clone();
            change(&mut next.value, self.now());
            let batch = Batch::new(&self.scope).replace(&next).fenced(&self.lease);
            let batch = api::publish(&self.service, batch, &self.scope, Some(&self.stored.value), &next.value);
            match self.service.dependencies.documents.commit(durably(batch)).await {
                Ok(()) => return self.refresh().await,
                Err(CommitError::Conflict { .. }) => self.refresh().await?,
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Ends the running phase and begins the next.
    pub(crate) async fn advance(&mut self, status: Status, context: Context) -> Result<(), StepError> {
        self.change(move |build, now| build.life.advance(status, context.clone(), now)).await
    }

    /// Reads the document again.
    pub(crate) async fn refresh(&mut self) -> Result<(), StepError> {
        let id = self.stored.value.id.clone();
        match self.service.dependencies.documents.get::<Build>(&self.scope, &id).await? {
            Some(stored) => {
                self.stored = stored;
                Ok(())
            }
            None => Err(format!("build {id} vanished while it was running").into()),
        }
    }
}
