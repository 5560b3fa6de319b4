//! Reconcilers: documents that are due are claimed, looked at and moved one step on.
//!
//! A claim is a lease with an epoch. It is renewed while the step runs and given back when it ends; a
//! commit made with [`Batch::fenced`](crate::Batch::fenced) fails once the lease is another's. Commits that
//! make a document due wake its worker at once; due times are the safety net.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::store::{
    Address, Claim, Claimed, Durability, Operation, Released, claim, release, renew, wake, written_after,
};
use crate::{Clock, Document, Documents, Scope, Stop, Store, StoreError, Stored, Timestamp};

/// Moves documents of one kind on.
#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// What it moves.
    type Document: Document;

    /// Does one small step. It commits the document itself, with the next due time or none. The effect of a
    /// step must be idempotent: the step may be run again if the process dies.
    ///
    /// A step that fails, or that leaves the document as it was while it is due, is run again after a
    /// back-off, at once if somebody else writes the document.
    async fn step(&self, scope: &Scope, document: Stored<Self::Document>, lease: &Lease) -> Result<(), StepError>;
}

/// Any error of a step; it is logged, and the step is run again after a back-off.
#[derive(Debug)]
pub struct StepError(Box<dyn std::error::Error + Send + Sync>);

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for StepError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl std::fmt::Display for StepError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How a worker runs.
#[derive(Debug, Clone)]
pub struct WorkOptions {
    /// The most steps of this kind at once.
    pub concurrency: usize,
    /// How long a lease holds without being renewed.
    pub lease: Duration,
    /// The first back-off after a failed step; it doubles with each failure.
    pub back_off: Duration,
    /// The longest back-off.
    pub longest_back_off: Duration,
}

impl Default for WorkOptions {
    fn default() -> Self {
        Self {
            concurrency: 64,
            lease: Duration::from_secs(30),
            back_off: Duration::from_millis(200),
            longest_back_off: Duration::from_secs(60),
        }
    }
}

impl WorkOptions {
    /// The defaults with `concurrency` steps at once.
    #[must_use]
    pub fn concurrent(concurrency: usize) -> Self {
        Self { concurrency, ..Self::default() }
    }

    fn back_off_after(&self, failures: u32) -> Duration {
        let doubled = self.back_off.saturating_mul(1u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX));
        doubled.min(self.longest_back_off)
    }
}

/// The right to move one document on, for [`Batch::fenced`](crate::Batch::fenced).
#[derive(Clone)]
pub struct Lease {
    address: Address,
    owner: String,
    epoch: i64,
}

impl Lease {
    /// Rises with each claim of the document: a token for effects outside of the store.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.unsigned_abs()
    }

    pub(crate) fn fence(&self) -> Operation {
        Operation::Fence { address: self.address.clone(), owner: self.owner.clone(), epoch: self.epoch }
    }
}

/// Runs `reconciler` on every due document of its kind, of all scopes, until `stop`; then waits for the
/// steps in progress. One worker per kind and process.
pub async fn run<R: Reconciler>(
    documents: Documents,
    clock: Arc<dyn Clock>,
    stop: Stop,
    options: WorkOptions,
    reconciler: Arc<R>,
) {
    if let Err(error) = documents.own::<R::Document>() {
        tracing::error!(%error, "a worker was not started");
        return;
    }
    let store = Arc::clone(documents.store());
    let bell = store.signals().kind(R::Document::KIND);
    let mut worker = Worker { store, clock, stop, options, reconciler, bell, steps: JoinSet::new() };
    worker.serve().await;
    while worker.steps.join_next().await.is_some() {}
}

struct Worker<R> {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    stop: Stop,
    options: WorkOptions,
    reconciler: Arc<R>,
    bell: Arc<Notify>,
    steps: JoinSet<()>,
}

/// How long a worker waits when the store fails.
const STORE_PAUSE: Duration = Duration::from_secs(1);

impl<R: Reconciler> Worker<R> {
    async fn serve(&mut self) {
        let stop = self.stop.clone();
        let mut set_back = None;
        while !stop.is_stopped() {
            while self.steps.try_join_next().is_some() {}
            let next = match self.wake_after_setting_back(&mut set_back).await {
                Ok(()) => self.claim().await,
                Err(error) => Err(error),
            };
            let next = match next {
                Ok(next) => next,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, kind = R::Document::KIND, "cannot claim work");
                    Some(self.clock.now() + STORE_PAUSE)
                }
            };
            tokio::select! {
                () = stop.stopped() => {}
                () = self.bell.notified() => {}
                () = sleep_until(&*self.clock, next) => {}
                Some(_) = self.steps.join_next() => {}
            }
        }
    }

    /// Makes everything due whenever the clock was set back, while this process ran or before: due times may be years ahead
    /// then. Steps look at the clock themselves, so one that comes too early does no harm.
    async fn wake_after_setting_back(&self, seen: &mut Option<u64>) -> Result<(), StoreError> {
        let (now, count) = (self.clock.now(), self.clock.times_set_back());
        let behind = match seen {
            Some(seen) => *seen < count,
            None => count > 0 || self.store.read(move |connection| written_after(connection, now)).await?,
        };
        if behind {
            let wake = move |connection: &rusqlite::Connection, _| wake(connection, R::Document::KIND, now);
            self.store.write(Durability::Lax, wake, |(), _| ()).await?;
        }
        *seen = Some(count);
        Ok(())
    }

    /// Claims as many due documents as there is room for and starts their steps; gives the time to look
    /// again. With no room left, the end of a step is that time.
    async fn claim(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let room = self.options.concurrency.saturating_sub(self.steps.len());
        if room == 0 {
            return Ok(None);
        }
        let now = self.clock.now();
        let wanted = Claim {
            kind: R::Document::KIND,
            owner: self.store.owner().to_owned(),
            now,
            until: now + self.options.lease,
            limit: room,
        };
        let take = move |connection: &rusqlite::Connection, _| claim(connection, &wanted);
        let (claimed, next) = self.store.write(Durability::Lax, take, |_, _| ()).await?;
        for claimed in claimed {
            self.start(claimed);
        }
        Ok(next)
    }

    fn start(&mut self, claimed: Claimed) {
        crate::crash_point!("work_after_claim");
        let step = Step {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            stop: self.stop.clone(),
            options: self.options.clone(),
            reconciler: Arc::clone(&self.reconciler),
            bell: Arc::clone(&self.bell),
        };
        self.steps.spawn(step.run(claimed));
    }
}

async fn sleep_until(clock: &dyn Clock, time: Option<Timestamp>) {
    match time {
        Some(time) => clock.sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// One claimed document on its way through its step.
struct Step<R> {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    stop: Stop,
    options: WorkOptions,
    reconciler: Arc<R>,
    bell: Arc<Notify>,
}

impl<R: Reconciler> Step<R> {
    async fn run(self, claimed: Claimed) {
        let address = Address { scope: claimed.scope.clone(), kind: R::Document::KIND, key: claimed.key.clone() };
        let lease = Lease { address, owner: self.store.owner().to_owned(), epoch: claimed.epoch };
        let failures = claimed.failures;
        let version = claimed.version;
        let outcome = tokio::select! {
            outcome = self.step(claimed, lease.clone()) => outcome,
            never = self.keep(&lease, version) => match never {},
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, kind = lease.address.kind, key = lease.address.key, failures, "a step failed");
        }
        crate::crash_point!("work_after_step");
        self.give_back(&lease, version, failures).await;
    }

    /// Runs the step in a task of its own, so that a panic in it is only its failure.
    async fn step(&self, claimed: Claimed, lease: Lease) -> Result<(), StepError> {
        let value = serde_json::from_str(&claimed.body)?;
        let document = Stored { version: claimed.version, value, position: claimed.key };
        let reconciler = Arc::clone(&self.reconciler);
        let step = async move { reconciler.step(&claimed.scope, document, &lease).await };
        JoinOnDrop(tokio::spawn(step)).await?
    }

    /// Renews the lease three times in its length, for as long as the step runs.
    async fn keep(&self, lease: &Lease, version: u64) -> std::convert::Infallible {
        loop {
            let now = self.clock.now();
            self.clock.sleep_until(now + self.options.lease / 3).await;
            let until = self.clock.now() + self.options.lease;
            let held = released(lease, version, until);
            let extend = move |connection: &rusqlite::Connection, _| renew(connection, &held, until);
            if let Err(error) = self.store.write(Durability::Lax, extend, |(), _| ()).await {
                tracing::warn!(%error, "cannot renew a lease");
            }
        }
    }

    /// Until it is given back nobody else gets the document. At the stop it may stay: the next process owes it nothing.
    async fn give_back(&self, lease: &Lease, version: u64, failures: u32) {
        loop {
            let retry_at = self.clock.now() + self.options.back_off_after(failures);
            let done = released(lease, version, retry_at);
            let give = move |connection: &rusqlite::Connection, _| release(connection, &done);
            match self.store.write(Durability::Lax, give, |(), _| ()).await {
                Ok(()) | Err(StoreError::Closed | StoreError::Unsynced { .. }) => break,
                Err(error) => tracing::warn!(%error, "cannot give a lease back; trying again"),
            }
            tokio::select! {
                () = self.stop.stopped() => break,
                () = self.clock.sleep_until(self.clock.now() + STORE_PAUSE) => {}
            }
        }
        // What became due or failed meanwhile is claimable only now.
        self.bell.notify_one();
    }
}

fn released(lease: &Lease, version: u64, retry_at: Timestamp) -> Released {
    Released {
        scope: lease.address.scope.clone(),
        kind: lease.address.kind,
        key: lease.address.key.clone(),
        owner: lease.owner.clone(),
        epoch: lease.epoch,
        version,
        retry_at,
    }
}

/// A task that ends with the one that waits for it.
struct JoinOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for JoinOnDrop<T> {
    type Output = Result<T, tokio::task::JoinError>;
    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for JoinOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_up_to_its_bound() {
        let options = WorkOptions::default();
        let table = [(0, 200), (1, 400), (5, 6_400), (9, 60_000), (4_000_000_000, 60_000)];
        for (failures, millis) in table {
            assert_eq!(options.back_off_after(failures), Duration::from_millis(millis), "{failures}");
        }
    }
}
