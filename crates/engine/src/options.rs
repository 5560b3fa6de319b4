use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::docker::Docker;
use images::{Images, Registries};

use crate::dummy::Dummy;
use crate::routed::Routed;
use crate::sandbox::Sandbox;
use crate::{Engine, EngineError};

/// Which engine to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// A Docker or Podman socket where one answers, else the sandbox.
    Auto,
    /// Embedded, on crun or runc.
    Sandbox,
    /// A Docker or Podman socket; image `host` runs in the sandbox.
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
    /// The sandbox's OCI runtime.
    pub runtime: RuntimeChoice,
    /// Where the sandbox keeps what its test of the runtime found, a file that several data folders may share; in the data
    /// folder where absent.
    pub verdict: Option<PathBuf>,
    /// The sandbox also works where memory, processors and processes of containers cannot be limited.
    pub without_limits: bool,
    /// Where the sandbox keeps images and asks for them.
    pub images: ImageOptions,
    /// The socket of the Docker or Podman daemon (`unix:///path`); else DOCKER_HOST names it, or it is looked for.
    pub docker_host: Option<String>,
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
            runtime: RuntimeChoice::Auto,
            verdict: None,
            without_limits: false,
            images: ImageOptions::default(),
            docker_host: None,
        }
    }
}

/// The program that makes the sandbox's containers out of OCI bundles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RuntimeChoice {
    /// `crun`, which is faster, where a container runs with it; else `runc`.
    #[default]
    Auto,
    /// The program `runc` on PATH.
    Runc,
    /// The program `crun` on PATH.
    Crun,
    /// The program at this absolute path, with the command line of runc.
    Program(PathBuf),
}

impl std::str::FromStr for RuntimeChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "runc" => Ok(Self::Runc),
            "crun" => Ok(Self::Crun),
            path if path.starts_with('/') => Ok(Self::Program(PathBuf::from(path))),
            _ => Err("must be auto, runc, crun or a program's absolute path".to_owned()),
        }
    }
}

/// Where the sandbox keeps images and asks for them.
#[derive(Debug, Clone, Default)]
pub struct ImageOptions {
    /// The store's folder, which several data folders and users of `landfall images` may share; `images/` in the data folder
    /// where absent.
    pub folder: Option<PathBuf>,
    /// Mirrors of registries, and whose certificates to trust.
    pub registries: Registries,
    /// How large an image may be.
    pub limits: images::Limits,
}

impl ImageOptions {
    /// Opens the store.
    ///
    /// # Errors
    /// It cannot be made, or a file of certificates has none.
    pub fn open(&self, data_dir: &Path) -> Result<Images, EngineError> {
        let folder = self.folder.clone().unwrap_or_else(|| data_dir.join("images"));
        let (registries, limits) = (self.registries.clone(), self.limits);
        Ok(Images::open(folder, images::Options { registries, limits, ..images::Options::default() })?)
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

impl WayOut {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pasta => "pasta",
            Self::Slirp4netns => "slirp4netns",
            Self::Veth => "veth",
            Self::None => "none",
        }
    }
}

/// Where containers find the agent.
pub const AGENT_IN_CONTAINER: &str = "/landfall/bin/landfall-agent";

/// Opens an engine; fails with a helpful sentence where it cannot work.
pub async fn open(options: EngineOptions) -> Result<Arc<dyn Engine>, EngineError> {
    match options.kind {
        EngineKind::Sandbox => Ok(Arc::new(Sandbox::open(options)?)),
        EngineKind::Docker => Ok(Arc::new(routed(Docker::open(&options).await?, options))),
        EngineKind::Auto => best(options).await,
        EngineKind::Dummy => Ok(Arc::new(Dummy::open(&options)?)),
    }
}

/// The daemon that answers, else the sandbox. A daemon that was named by option must answer.
async fn best(options: EngineOptions) -> Result<Arc<dyn Engine>, EngineError> {
    match Docker::find(&options).await {
        Ok(Some(docker)) => return Ok(Arc::new(routed(docker, options))),
        Ok(None) => {}
        Err(error) if options.docker_host.is_some() => return Err(error),
        Err(error) => tracing::warn!(%error, "containers run in the sandbox"),
    }
    Ok(Arc::new(Sandbox::open(options)?))
}

fn routed(docker: Docker, options: EngineOptions) -> Routed {
    Routed::new(docker, Sandbox::open(options))
}
