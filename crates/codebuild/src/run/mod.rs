//! Carrying builds from QUEUED to COMPLETED.
//!
//! One step of [`kernel::work`] carries one build as far as it goes. Every phase change is committed before the next
//! thing is done, so a step that is cut off anywhere, by an error or a dead server, is simply run again: it reads how
//! far the build came and goes on from there. The container outlives the server; its agent connects again and repeats
//! what was not recorded.

mod complete;
mod container;
mod credentials;
mod download;
mod ends;
mod fetch;
mod job;
mod link;
mod log;
mod machine;
mod orphans;
mod pool;
mod provision;
mod queue;
mod record;
mod retention;
mod runtimes;
mod session;
mod slots;
mod sockets;
mod spool;
mod upload;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use kernel::work::{self, WorkOptions};
use kernel::{Lease, Reconciler, Scope, StepError, Stop, Stored};
use tokio::sync::Notify;

use crate::Service;
use crate::model::{Build, Context, PhaseType, Status};
use crate::rules::compute::Machine;
use crate::rules::timeouts;
use pool::Pool;
use record::Record;
use slots::Slots;

/// The most builds that are looked after at once, waiting ones included; the rest follow as these end.
const MOST_STEPS: usize = 4_096;

/// What the steps of this process share. Nothing of it matters after a restart.
pub(crate) struct Shared {
    pub(crate) machine: Machine,
    pub(crate) pool: Arc<Pool>,
    slots: Arc<Slots>,
    nudges: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Shared {
    pub(crate) fn new(concurrency: usize, prepared: usize) -> Self {
        let slots = Arc::new(Slots::new(concurrency));
        Self { machine: machine::this(), pool: Pool::new(prepared), slots, nudges: Mutex::default() }
    }

    /// Tells the step of this build, if it runs here, to read the document again.
    pub(crate) fn nudge(&self, id: &str) {
        let nudges = self.nudges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(nudge) = nudges.get(id) {
            nudge.notify_one();
        }
    }

    fn listen(&self, id: &str) -> Arc<Notify> {
        let mut nudges = self.nudges.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(nudges.entry(id.to_owned()).or_default())
    }

    /// Forgets who listened, unless another step of the same build does, too.
    fn forget(&self, id: &str, nudge: &Arc<Notify>) {
        let mut nudges = self.nudges.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's own and the one given.
        if Arc::strong_count(nudge) <= 2 {
            nudges.remove(id);
        }
    }
}

/// Carries all builds on until `stop`, and keeps containers prepared for the next ones.
pub(crate) async fn run(service: Arc<Service>, stop: Stop) {
    let tending = async {
        orphans::remove(&service).await;
        pool::tend(Arc::clone(&service), stop.clone()).await;
    };
    tokio::join!(carry_all(Arc::clone(&service), stop.clone()), tending);
}

async fn carry_all(service: Arc<Service>, stop: Stop) {
    let documents = service.dependencies.documents.clone();
    let clock = Arc::clone(&service.dependencies.clock);
    let runner = Arc::new(Runner { service, stop: stop.clone() });
    work::run(documents, clock, stop, WorkOptions::concurrent(MOST_STEPS), runner).await;
}

struct Runner {
    service: Arc<Service>,
    stop: Stop,
}

/// Why a build was left where it is.
pub(crate) enum Pause {
    /// The server is to end; the container goes on.
    Stopping,
    /// Something of ours failed; the step is run again.
    Failed(StepError),
}

impl<E: Into<StepError>> From<E> for Pause {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

#[async_trait]
impl Reconciler for Runner {
    type Document = Build;

    async fn step(&self, scope: &Scope, document: Stored<Build>, lease: &Lease) -> Result<(), StepError> {
        let id = document.id.clone();
        let nudge = self.service.runner.listen(&id);
        let record = Record::new(Arc::clone(&self.service), scope.clone(), lease.clone(), document);
        let mut step = Step { record, nudge: Arc::clone(&nudge), stop: self.stop.clone() };
        let result = match step.carry().await {
            Ok(()) | Err(Pause::Stopping) => Ok(()),
            Err(Pause::Failed(error)) => step.give_up(error).await,
        };
        drop(step);
        self.service.runner.forget(&id, &nudge);
        result
    }
}

/// One build on its way.
pub(crate) struct Step {
    pub(crate) record: Record,
    pub(crate) nudge: Arc<Notify>,
    pub(crate) stop: Stop,
}

impl Step {
    async fn carry(&mut self) -> Result<(), Pause> {
        let waiting = self.record.build().life.current() <= PhaseType::Queued;
        let slot = if waiting { self.wait_for_turn().await? } else { Some(self.take_slot()) };
        if self.record.build().life.is_complete() {
            return Ok(());
        }
        if self.record.build().life.current() != PhaseType::Finalizing {
            session::run(self).await?;
        }
        container::finish(self).await?;
        drop(slot);
        Ok(())
    }

    /// After a fault of ours the build is carried on later, but not beyond its time, nor when it is to stop: so that a
    /// build that can never be carried on ends, too.
    async fn give_up(&mut self, fault: StepError) -> Result<(), StepError> {
        self.record.refresh().await?;
        let (build, now) = (self.record.build(), self.record.now());
        let clock = &self.record.service().dependencies.clock;
        let Some(status) = timeouts::overdue(build, now, |read| clock.carried(read)) else { return Err(fault) };
        tracing::error!(%fault, build = build.id, "a build that could not be carried on has ended");
        let context = if status == Status::TimedOut { Context::timed_out() } else { Context::default() };
        self.record.advance(status, context).await
    }
}
