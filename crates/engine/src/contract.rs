use std::collections::BTreeMap;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;

use images::{Collected, ImageRequest, Unused};

use crate::{ContainerSpec, EngineError, Exec, ExecOutput, Execution, Exit, Signal};

/// What a container wrote to its standard output and error, in one stream, in order.
pub type OutputStream = Pin<Box<dyn Stream<Item = Result<Bytes, EngineError>> + Send>>;

/// Runs containers.
///
/// # Order of calls
///
/// `prepare(request)` → `start(spec)` of the image id that it answered → any of `output`, `exec`, `signal`, `wait` → `remove`. `start` does not
/// prepare by itself: an image that was not prepared is [`EngineError::Image`]. What a call needs and does not
/// find (a container never started, or removed) is [`EngineError::NoContainer`]; `exec` and `signal` on a
/// container that has ended are [`EngineError::Ended`].
///
/// # Idempotence
///
/// The caller chooses the id, and an id means one container for ever: a second `start` with the same id finds
/// the first container, whether it still runs or has ended, changes nothing and answers [`Started::Before`]. So
/// a caller that died between its own commit and `start`, or after it, calls `start` again. `prepare`
/// and `remove` may be repeated at any time; `remove` also clears what a `start` that was
/// interrupted has left, and kills a container that still runs. After `remove` the id is free.
///
/// # Concurrency
///
/// All calls may run at once, from any task, also for one id: `start`s and `remove`s of one id wait for
/// each other; several `wait`s and `output`s of one container each get everything. Dropping the future
/// of `wait` or `output` has no effect on the container. Dropping an [`Execution`] kills its command.
///
/// # Restart
///
/// A container and its output outlive the engine object and the server process. A new engine on the same
/// data folder finds them by label with `list`, running and ended, and every call works on them as
/// before: `wait` answers the same exit as often as it is asked, `output` starts at any byte.
/// A container whose end nobody saw (the machine was restarted, its shim was killed) ends as
/// [`Ending::Vanished`](crate::Ending::Vanished): a visible fault, never a success.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// The engine's name as `--engine` takes it.
    fn name(&self) -> &'static str;

    /// How containers of [`Network::Outside`](crate::Network::Outside) reach other networks here, by name (`pasta`, `veth`,
    /// `bridge`); `None` where they too have their loopback only. The first call may look for it, which takes some
    /// hundredths of a second.
    fn way_out(&self) -> Option<&'static str> {
        None
    }

    /// Makes an image ready to start containers from, pulling it where it is not here, and answers its id for
    /// [`ContainerSpec::image`]: the image itself (`sha256:…`), which stays the same when a tag moves on, or `host`. Done
    /// before, it costs next to nothing. A prepared image is not collected as long as containers may be started from it.
    async fn prepare(&self, request: &ImageRequest) -> Result<String, EngineError>;

    /// Starts a container; returns when its first process has been started.
    async fn start(&self, spec: &ContainerSpec) -> Result<Started, EngineError>;

    /// The container's output from byte `from` on; follows it, and ends after the container has ended.
    async fn output(&self, id: &str, from: u64) -> Result<OutputStream, EngineError>;

    /// Starts a further command in a running container and streams what it writes.
    async fn exec_stream(&self, id: &str, exec: &Exec) -> Result<Execution, EngineError>;

    /// Runs a further command in a running container to its end; keeps at most `limit` bytes of each of its
    /// standard output and error, reads and drops the rest, and says so.
    async fn exec(&self, id: &str, exec: &Exec, limit: usize) -> Result<ExecOutput, EngineError> {
        self.exec_stream(id, exec).await?.collect(limit).await
    }

    /// Sends a signal to the container's first process. [`Signal::Kill`] ends the whole container.
    async fn signal(&self, id: &str, signal: Signal) -> Result<(), EngineError>;

    /// Waits for the container's end; an ended one answers at once.
    async fn wait(&self, id: &str) -> Result<Exit, EngineError>;

    /// Ends the container if it runs and forgets it with all its files; a container that is not there is no error.
    async fn remove(&self, id: &str) -> Result<(), EngineError>;

    /// Removes images that were last prepared or started from before `unused.since` and from which no container runs. An engine
    /// whose images somebody else keeps (a Docker daemon) removes none.
    async fn collect_images(&self, unused: Unused) -> Result<Collected, EngineError> {
        let _ = unused;
        Ok(Collected::default())
    }

    /// The containers that carry the label `key` with `value`, ordered by id.
    async fn list(&self, key: &str, value: &str) -> Result<Vec<Container>, EngineError>;
}

/// What [`Engine::start`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// This call started the container.
    Now,
    /// A container of this id was there before; it may have ended since.
    Before,
}

/// A container that [`Engine::list`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The id its spec gave.
    pub id: String,
    /// The labels its spec gave.
    pub labels: BTreeMap<String, String>,
    /// Whether it runs.
    pub state: State,
}

/// Where a container is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its first process runs.
    Running,
    /// It has ended, so.
    Ended(Exit),
    /// A `start` was interrupted before the container ran; only `start` or `remove` make sense now.
    HalfMade,
}
