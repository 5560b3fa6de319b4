//! Containers that were started before there was a build for them.
//!
//! Each runs its agent, which has greeted and waits; the other sockets in its folder answer nobody. A build claims one by
//! the commit that names it in the build's document, and only then are the sockets served, with this build's role.
//! Containers that wait are known to this process alone: what a dead server left is removed at the next start
//! ([`super::orphans`]), so none ever comes from another version of the agent or of the data.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::protocol::Hello;
use futures::future::join_all;
use kernel::{Stop, Timestamp};
use tokio::sync::Notify;

use super::Pause;
use super::container::{Shape, clear_away, spec};
use super::machine;
use super::sockets::Listening;
use crate::Service;
use crate::rules::image;
use crate::rules::pool::{self as rules, Deed};

/// How long a prepared container's agent may take to greet.
const GREETING: Duration = Duration::from_secs(30);
/// How long the removal of what waits may hold up the server's end.
const PARTING: Duration = Duration::from_secs(5);

/// A container that waits for its build.
pub(crate) struct Prepared {
    pub(crate) listening: Listening,
    pub(crate) hello: Hello,
    id: String,
    made: Timestamp,
}

/// The containers that wait, by what they are good for.
pub(crate) struct Pool {
    /// How many stand on a shelf.
    most: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    shelves: Vec<Shelf>,
    /// Ids of those that are good for no build any more.
    discarded: Vec<String>,
}

struct Shelf {
    shape: Shape,
    used: Timestamp,
    failed: Option<Timestamp>,
    ready: VecDeque<Prepared>,
}

/// The right to a container that was taken out of the pool: dropped without [`Claim::keep`], the container is removed.
pub(crate) struct Claim {
    pool: Arc<Pool>,
    container: String,
    kept: bool,
}

impl Claim {
    /// The container's id.
    pub(crate) fn container(&self) -> &str {
        &self.container
    }

    /// It belongs to a build now, durably.
    pub(crate) fn keep(mut self) -> String {
        self.kept = true;
        std::mem::take(&mut self.container)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.kept {
            self.pool.state().discarded.push(std::mem::take(&mut self.container));
            self.pool.changed.notify_one();
        }
    }
}

impl Pool {
    /// A pool that keeps at most so many containers for each shape; none at all of 0.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default(), changed: Notify::new() })
    }

    /// Has containers of this shape prepared for the next builds: one that was started for this build works.
    pub(crate) fn want(&self, shape: &Shape, now: Timestamp) {
        if self.most > 0 {
            self.state().want(shape, now);
            self.changed.notify_one();
        }
    }

    /// Takes a container of this shape, if one waits.
    pub(crate) fn claim(self: &Arc<Self>, shape: &Shape, now: Timestamp) -> Option<(Prepared, Claim)> {
        let prepared = self.state().take(shape, now);
        self.changed.notify_one();
        let prepared = prepared?;
        let claim = Claim { pool: Arc::clone(self), container: prepared.id.clone(), kept: false };
        Some((prepared, claim))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn want(&mut self, shape: &Shape, now: Timestamp) {
        match self.shelves.iter_mut().find(|shelf| shelf.shape == *shape) {
            Some(shelf) => shelf.used = now,
            None => self.shelves.push(Shelf { shape: shape.clone(), used: now, failed: None, ready: VecDeque::new() }),
        }
    }

    fn take(&mut self, shape: &Shape, now: Timestamp) -> Option<Prepared> {
        let shelf = self.shelves.iter_mut().find(|shelf| shelf.shape == *shape)?;
        shelf.used = now;
        while let Some(mut prepared) = shelf.ready.pop_front() {
            if prepared.listening.link.is_quiet() && rules::is_fresh(shelf.is_host(), prepared.made, now) {
                return Some(prepared);
            }
            self.discarded.push(prepared.id);
        }
        None
    }

    /// Sorts out those whose agents are gone.
    fn weed(&mut self) {
        for shelf in &mut self.shelves {
            for mut prepared in std::mem::take(&mut shelf.ready) {
                if prepared.listening.link.is_quiet() {
                    shelf.ready.push_back(prepared);
                } else {
                    self.discarded.push(prepared.id);
                }
            }
        }
    }

    fn view(&self) -> Vec<rules::Shelf> {
        let view = |shelf: &Shelf| rules::Shelf {
            host: shelf.is_host(),
            used: shelf.used,
            failed: shelf.failed,
            made: shelf.ready.iter().map(|prepared| prepared.made).collect(),
        };
        self.shelves.iter().map(view).collect()
    }
}

impl Shelf {
    fn is_host(&self) -> bool {
        self.shape.image == image::HOST
    }
}

/// Keeps the pool as [`rules::next`] says, until `stop`; then removes what waits.
pub(super) async fn tend(service: Arc<Service>, stop: Stop) {
    let pool = Arc::clone(&service.runner.pool);
    if pool.most == 0 {
        return;
    }
    while !stop.is_stopped() {
        pool.state().weed();
        pool.remove_discarded(&service).await;
        let (clock, short) = (&service.dependencies.clock, machine::is_short_of_memory());
        let shelves = pool.state().view();
        match rules::next(&shelves, pool.most, short, clock.now()) {
            Deed::Remove(at) => {
                let mut state = pool.state();
                let oldest = state.shelves[at].ready.pop_front();
                state.discarded.extend(oldest.map(|prepared| prepared.id));
            }
            // A build may have used it since.
            Deed::Forget(at) => pool.state().forget(at, shelves[at].used),
            Deed::Make(at) => pool.make(&service, at, &stop).await,
            Deed::Rest(until) => tokio::select! {
                () = pool.changed.notified() => {}
                () = stop.stopped() => {}
                () = async { clock.sleep_until(until.unwrap_or_default()).await }, if until.is_some() => {}
            },
        }
    }
    pool.clear(&service).await;
}

impl State {
    fn forget(&mut self, at: usize, used: Timestamp) {
        if self.shelves[at].used == used {
            self.shelves.remove(at);
        }
    }
}

impl Pool {
    /// Prepares one more for the shelf at this place: shelves before it stay in theirs, as only [`tend`] removes any.
    async fn make(&self, service: &Arc<Service>, at: usize, stop: &Stop) {
        let shape = self.state().shelves[at].shape.clone();
        let made = prepare(service, &shape, stop).await;
        let now = service.dependencies.clock.now();
        let mut state = self.state();
        match made {
            Ok(prepared) => state.shelves[at].ready.push_back(Prepared { made: now, ..prepared }),
            Err(discarded) => {
                state.shelves[at].failed = Some(now);
                state.discarded.push(discarded);
            }
        }
    }

    async fn remove_discarded(&self, service: &Service) {
        let discarded = std::mem::take(&mut self.state().discarded);
        join_all(discarded.iter().map(|id| remove(service, id))).await;
    }

    /// At the server's end nothing waits any more. What is not removed in time is an orphan of the next start.
    async fn clear(&self, service: &Service) {
        {
            let mut state = self.state();
            let shelves = std::mem::take(&mut state.shelves);
            state.discarded.extend(shelves.into_iter().flat_map(|shelf| shelf.ready).map(|prepared| prepared.id));
        }
        if tokio::time::timeout(PARTING, self.remove_discarded(service)).await.is_err() {
            tracing::warn!("prepared containers are left; the next start of the server removes them");
        }
    }
}

/// Starts a container and waits for its agent; the id of one with which that failed.
async fn prepare(service: &Arc<Service>, shape: &Shape, stop: &Stop) -> Result<Prepared, String> {
    let id = format!("p-{}", service.dependencies.ids.token("0123456789abcdef", 16));
    let failed = |why: String| {
        tracing::warn!(image = shape.image, why, "a container could not be prepared; builds start their own");
        id.clone()
    };
    let mut listening = Listening::open(service, &id).map_err(|error| failed(error.to_string()))?;
    let spec = spec(service, &id, shape, None);
    service.dependencies.engine.start(&spec).await.map_err(|error| failed(error.to_string()))?;
    kernel::crash_point!("codebuild_after_preparation");
    let hello = tokio::select! {
        hello = tokio::time::timeout(GREETING, listening.link.greeting()) => hello.ok().flatten(),
        () = stop.stopped() => return Err(id),
    };
    let hello = hello.ok_or_else(|| failed("its agent did not greet".to_owned()))?;
    Ok(Prepared { listening, hello, id, made: Timestamp::default() })
}

async fn remove(service: &Service, id: &str) {
    if let Err(Pause::Failed(error)) = clear_away(service, id).await {
        tracing::warn!(%error, container = id, "a prepared container is left; the next start of the server removes it");
    }
}
