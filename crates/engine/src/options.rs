use std::path::PathBuf;
use std::sync::Arc;

use crate::dummy::Dummy;
use crate::sandbox::Sandbox;
use crate::{Engine, EngineError};

/// Which engine to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// The best that this machine has; for now the sandbox.
    Auto,
    /// Embedded, on runc.
    Sandbox,
    /// A Docker or Podman socket.
    Docker,
    /// Scripted, for tests.
    Dummy,
}

impl EngineKind {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Auto => "auto",
            EngineKind::Sandbox => "sandbox",
            EngineKind::Docker => "docker",
            EngineKind::Dummy => "dummy",
        }
    }
}

/// What an engine is opened with.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Which engine.
    pub kind: EngineKind,
    /// The server's data folder. The engine keeps its containers in `containers/` there and hides the whole folder
    /// from them.
    pub data_dir: PathBuf,
    /// The `landfall-agent` program: it is the containers' shim, and they see it, read-only, as
    /// [`AGENT_IN_CONTAINER`].
    pub agent_binary: PathBuf,
    /// Folders that containers of image `host` see read-only under the same path; the `bin` of each goes first on PATH.
    pub host_share: Vec<PathBuf>,
    /// Further folders and files that containers of image `host` must not see.
    pub masked: Vec<PathBuf>,
    /// Image `host` may be used: it shows the machine's files to whoever can start a build.
    pub trust_host_image: bool,
    /// How containers with [`Network::Outside`](crate::Network::Outside) reach other networks.
    pub way_out: WayOut,
}

impl EngineOptions {
    /// An engine on `data_dir` with everything else as usual, and without image `host`.
    #[must_use]
    pub fn new(kind: EngineKind, data_dir: impl Into<PathBuf>, agent_binary: impl Into<PathBuf>) -> Self {
        Self {
            kind,
            data_dir: data_dir.into(),
            agent_binary: agent_binary.into(),
            host_share: Vec::new(),
            masked: Vec::new(),
            trust_host_image: false,
            way_out: WayOut::Auto,
        }
    }
}

/// How the sandbox's containers reach other networks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WayOut {
    /// The first of the others that works here.
    #[default]
    Auto,
    /// The program `pasta`: connections are made anew by a process of the machine; needs no root.
    Pasta,
    /// The program `slirp4netns`: as `pasta`, older.
    Slirp4netns,
    /// A pair of virtual devices with masquerade; needs root.
    Veth,
    /// None: every container has its loopback only.
    None,
}

/// Where containers find the agent.
pub const AGENT_IN_CONTAINER: &str = "/landfall/bin/landfall-agent";

/// Opens an engine; fails with a helpful sentence where it cannot work.
pub async fn open(options: EngineOptions) -> Result<Arc<dyn Engine>, EngineError> {
    match options.kind {
        EngineKind::Auto | EngineKind::Sandbox => Ok(Arc::new(Sandbox::open(options)?)),
        EngineKind::Docker => Err(EngineError::Unusable(
            "engine `docker` is not built yet; use `--engine sandbox` (or `auto`, which takes it)".to_owned(),
        )),
        EngineKind::Dummy => Ok(Arc::new(Dummy::open(&options)?)),
    }
}
