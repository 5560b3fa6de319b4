//! What may end a build before its time: StopBuild, its deadline, the death of its container, the end of the server.

use std::sync::Arc;
use std::time::Duration;

use engine::{EngineError, Exit};
use futures::FutureExt;
use futures::future::{BoxFuture, Fuse, FusedFuture};
use kernel::{Scope, Stop, StoreError, Timestamp};
use tokio::sync::Notify;

use super::{Pause, Step};
use crate::Service;
use crate::model::{Build, Context, Status};
use crate::rules::timeouts;

/// How often the document is read without a nudge: the safety net for a StopBuild that another process took.
const LOOK: Duration = Duration::from_secs(5);

/// What ended a build early.
pub(crate) enum End {
    /// StopBuild was called.
    Stopped,
    /// Its time is over.
    TimedOut,
    /// Its container ended by itself.
    Died(Exit),
    /// Its agent says that it works for another build.
    Foreign,
    /// The server is to end, or something of ours failed: the build is left as it is.
    Paused(Pause),
}

/// How a phase that the server itself runs came to an end before its work was done.
pub(crate) enum Halt {
    /// The phase ends so, and FINALIZING follows.
    Phase(Status, Context),
    /// The build is left where it is.
    Paused(Pause),
}

impl<E: Into<Pause>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Paused(error.into())
    }
}

impl Halt {
    /// The user's mistake.
    pub(crate) fn client_error(message: impl Into<String>) -> Self {
        Self::Phase(Status::Failed, Context::client_error(message))
    }
}

impl From<End> for Halt {
    fn from(end: End) -> Self {
        match end {
            End::Stopped => Self::Phase(Status::Stopped, Context::default()),
            End::TimedOut => Self::Phase(Status::TimedOut, Context::timed_out()),
            End::Died(exit) => Self::Phase(Status::Fault, died(exit)),
            End::Foreign => {
                Self::Phase(Status::Fault, Context::internal("the build's agent says that it works for another build"))
            }
            End::Paused(pause) => Self::Paused(pause),
        }
    }
}

/// AWS's text for a container that is gone.
fn died(exit: Exit) -> Context {
    let reason =
        if exit.oom { "it was out of memory" } else { "it was out of memory, or the Docker image is not supported" };
    Context::new(
        "INTERNAL_ERROR",
        format!(
            "Build container found dead before completing the build. Build container died because {reason}. ErrorCode: {exit}"
        ),
    )
}

/// The futures that end a build; each is told of once.
pub(crate) struct Ends {
    interrupt: Fuse<BoxFuture<'static, End>>,
    died: Fuse<BoxFuture<'static, End>>,
}

impl Ends {
    /// Ends of a build that has no container yet.
    pub(crate) fn of(step: &Step) -> Self {
        let service = Arc::clone(step.record.service());
        let scope = step.record.scope().clone();
        let id = step.record.build().id.clone();
        let (nudge, stop) = (Arc::clone(&step.nudge), step.stop.clone());
        Self { interrupt: interrupted(service, scope, id, nudge, stop).boxed().fuse(), died: Fuse::terminated() }
    }

    /// Watches the container, too.
    pub(crate) fn watch(&mut self, service: &Arc<Service>, container: String) {
        let engine = Arc::clone(&service.dependencies.engine);
        let wait = async move {
            match engine.wait(&container).await {
                Ok(exit) => End::Died(exit),
                Err(EngineError::NoContainer(_)) => End::Died(Exit::vanished()),
                Err(other) => End::Paused(Pause::from(other)),
            }
        };
        self.died = wait.boxed().fuse();
    }

    /// Waits for the container's end, but no longer than this.
    pub(crate) async fn gone(&mut self, longest: Duration) {
        if !self.died.is_terminated() {
            // Whether it ended makes no difference to who waits: it is removed in any case.
            let _ = tokio::time::timeout(longest, &mut self.died).await;
        }
    }

    /// Does `work` unless an end comes first.
    pub(crate) async fn unless<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        tokio::select! {
            biased;
            end = &mut self.interrupt, if !self.interrupt.is_terminated() => Err(end),
            done = work => Ok(done),
            end = &mut self.died, if !self.died.is_terminated() => Err(end),
        }
    }
}

/// Resolves with StopBuild, the deadline of the present phase, or the server's end.
async fn interrupted(service: Arc<Service>, scope: Scope, id: String, nudge: Arc<Notify>, stop: Stop) -> End {
    let clock = &service.dependencies.clock;
    loop {
        let deadline = match look(&service, &scope, &id).await {
            Ok(Look::GoOn(deadline)) => deadline,
            Ok(Look::Stop) => return End::Stopped,
            Err(error) => return End::Paused(Pause::from(error)),
        };
        let now = clock.now();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return End::TimedOut;
        }
        let next = deadline.map_or(now + LOOK, |deadline| deadline.min(now + LOOK));
        tokio::select! {
            () = stop.stopped() => return End::Paused(Pause::Stopping),
            () = nudge.notified() => {}
            () = clock.sleep_until(next) => {}
        }
    }
}

enum Look {
    Stop,
    GoOn(Option<Timestamp>),
}

async fn look(service: &Service, scope: &Scope, id: &str) -> Result<Look, StoreError> {
    let build = service.dependencies.documents.get::<Build>(scope, id).await?;
    Ok(match build {
        Some(build) if build.stop_requested => Look::Stop,
        Some(build) => Look::GoOn(timeouts::deadline(&build.value, |read| service.dependencies.clock.carried(read))),
        None => Look::GoOn(None),
    })
}
