use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::build;
use super::journal::{Asked, Journal, now};
use super::script::Script;
use crate::options::AGENT_IN_CONTAINER;
use crate::{ContainerSpec, EngineError, Exit};

/// A container that the dummy plays. Dropped, it is played no longer.
pub(super) struct Played {
    spec: ContainerSpec,
    journal: Arc<Journal>,
    exit: Arc<watch::Sender<Option<Exit>>>,
    task: AbortHandle,
}

impl Played {
    /// Plays what was started at `started` (milliseconds since the epoch); `folder` is for its files.
    pub(super) fn start(
        spec: ContainerSpec,
        started: u64,
        exit: Option<Exit>,
        journal: Arc<Journal>,
        folder: PathBuf,
    ) -> Self {
        let exit = Arc::new(watch::Sender::new(exit));
        let task = tokio::spawn({
            let (spec, journal, exit) = (spec.clone(), Arc::clone(&journal), Arc::clone(&exit));
            async move {
                if exit.borrow().is_none() {
                    let end = play(&spec, started, folder, &journal).await;
                    if let Err(error) = record(&journal, &exit, &spec.id, end) {
                        tracing::error!(%error, container = spec.id, "the dummy cannot record an end");
                    }
                }
            }
        });
        Self { spec, journal, exit, task: task.abort_handle() }
    }

    pub(super) fn spec(&self) -> &ContainerSpec {
        &self.spec
    }

    pub(super) fn script(&self) -> Script {
        Script::of(&self.spec.environment)
    }

    /// How it ended, if it has.
    pub(super) fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Its end; nothing if it is removed before.
    pub(super) fn end(&self) -> impl Future<Output = Option<Exit>> + Send + use<> {
        let mut exit = self.exit.subscribe();
        async move { exit.wait_for(Option::is_some).await.ok().and_then(|exit| *exit) }
    }

    /// Ends it so, unless it has ended.
    pub(super) fn end_with(&self, exit: Exit) -> Result<(), EngineError> {
        self.task.abort();
        record(&self.journal, &self.exit, &self.spec.id, exit)
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Writes the end down, then tells it; the first one counts.
fn record(journal: &Journal, told: &watch::Sender<Option<Exit>>, id: &str, exit: Exit) -> Result<(), EngineError> {
    let mut written = Ok(());
    told.send_if_modified(|told| {
        if told.is_some() {
            return false;
        }
        written = journal.write(id, Asked::Ended(exit)).map(drop);
        *told = Some(exit);
        true
    });
    written
}

async fn play(spec: &ContainerSpec, started: u64, folder: PathBuf, journal: &Journal) -> Exit {
    let argv: Vec<&str> = spec.argv.iter().map(String::as_str).collect();
    match argv[..] {
        [AGENT_IN_CONTAINER, "build", ..] => match sockets(spec) {
            Some(sockets) => build::play(spec, sockets, folder, journal).await,
            None => Exit::code(1),
        },
        // A host's agent runs until it is told to stop.
        [AGENT_IN_CONTAINER, "host", ..] => std::future::pending().await,
        _ => {
            let script = Script::of(&spec.environment);
            let end = started.saturating_add(script.sleep_ms);
            tokio::time::sleep(Duration::from_millis(end.saturating_sub(now()))).await;
            script.exit()
        }
    }
}

/// The machine's folder that the container sees as /landfall.
fn sockets(spec: &ContainerSpec) -> Option<&Path> {
    let mount = spec.mounts.iter().find(|mount| mount.container == Path::new("/landfall"))?;
    Some(&mount.host)
}
