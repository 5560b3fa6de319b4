//! The service: what its handlers, its host protocol and its reconcilers share.

use crate::hosts::Bells;
use crate::rules::deadlines::Deadlines;
use crate::run::{Deployments, Targets};
use kernel::work::{self, WorkOptions};
use kernel::{Clock, Documents, Ids, Seal, Stop, Timestamp};
use std::sync::Arc;

/// What CodeDeploy stands on.
pub struct Dependencies {
    /// Its documents.
    pub documents: Documents,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub ids: Arc<dyn Ids>,
    /// Seals the key that signs deployment specifications.
    pub seal: Arc<Seal>,
    /// How long it waits for hosts.
    pub deadlines: Deadlines,
}

/// CodeDeploy.
pub struct Service {
    pub(crate) documents: Documents,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) seal: Arc<Seal>,
    pub(crate) deadlines: Deadlines,
    /// Since when hosts can reach this process.
    pub(crate) opened: Timestamp,
    pub(crate) bells: Bells,
    /// Triggered when [`Service::run`] is asked to end: open polls then answer at once.
    pub(crate) closing: Stop,
}

impl Service {
    /// The service over its documents. Deployments move only while [`Service::run`] runs.
    pub fn new(dependencies: Dependencies) -> Arc<Self> {
        let Dependencies { documents, clock, ids, seal, deadlines } = dependencies;
        let opened = clock.now();
        Arc::new(Self { documents, clock, ids, seal, deadlines, opened, bells: Bells::default(), closing: Stop::new() })
    }

    /// Moves deployments and their targets on until `stop`.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let deployments = Arc::new(Deployments(Arc::clone(&self)));
        let targets = Arc::new(Targets(Arc::clone(&self)));
        let close = async {
            stop.stopped().await;
            self.closing.trigger();
        };
        tokio::join!(
            close,
            work::run(
                self.documents.clone(),
                Arc::clone(&self.clock),
                stop.clone(),
                WorkOptions::default(),
                deployments
            ),
            work::run(self.documents.clone(), Arc::clone(&self.clock), stop.clone(), WorkOptions::default(), targets),
        );
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
