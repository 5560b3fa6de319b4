//! What ends a run before its time. Ctrl-C and its like: the first asks to stop, the second does not wait.

use crate::exit::Interrupted;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// The signals that ask a run to end.
pub(crate) struct Interrupts {
    signals: [Signal; 3],
}

impl Interrupts {
    /// Listens from now on.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let signals =
            [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
        Ok(Self { signals })
    }

    /// Resolves with the next one.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }

    /// Does `work` unless one comes first.
    ///
    /// # Errors
    /// [`Interrupted`], or the work's own.
    pub(crate) async fn unless<T>(&mut self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            done = work => done,
            () = self.next() => Err(Interrupted.into()),
        }
    }
}

/// Resolves when the time is over; never, where there is no limit.
pub(crate) async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
