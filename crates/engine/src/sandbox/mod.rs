//! The embedded engine: OCI bundles on overlays of the machine's own folders, run by `runc`, each under
//! a shim of its own.
//!
//! A container is the folder `DIR/containers/ID`: its description, its OCI configuration, its writable layers, its
//! output, and how it ended ([`agent::shim::Bundle`] names the files). The folder is the only state: a
//! new engine on the same data folder knows all that the one before it knew.

mod configuration;
mod containers;
mod exec;
mod host_image;
mod launch;
mod locks;
mod network_files;
mod output;
mod runc;
mod seccomp;
mod security;
mod shim_watch;
mod usable;

use std::path::PathBuf;
use std::sync::Arc;

use agent::shim::{Bundle, ExitRecord};
use async_trait::async_trait;

use crate::blocking::blocking;
use crate::{
    Container, ContainerSpec, Ending, Engine, EngineError, EngineOptions, Exec, Execution, Exit, ImageRequest,
    OutputStream, Signal, Started, State,
};
use containers::{Containers, Found};
use host_image::HostImage;
use locks::Locks;
use runc::Runc;

/// See the module's page.
pub struct Sandbox {
    containers: Containers,
    runc: Runc,
    image: Arc<HostImage>,
    agent: PathBuf,
    trust_host_image: bool,
    locks: Locks,
}

impl Sandbox {
    /// Opens the sandbox; fails with a sentence that says what to do where this machine or user cannot run it.
    pub fn open(options: EngineOptions) -> Result<Self, EngineError> {
        let containers = Containers::open(&options.data_dir)?;
        let runc = Runc::find()?;
        let agent = usable::check(containers.path(), &options.agent_binary)?;
        Ok(Self {
            image: Arc::new(HostImage::new(containers.data_dir(), options.host_share, options.masked)?),
            containers,
            runc,
            agent,
            trust_host_image: options.trust_host_image,
            locks: Locks::default(),
        })
    }

    /// Whether the container was started before; what an interrupted start left is cleared away.
    async fn started_before(&self, id: &str) -> Result<bool, EngineError> {
        match self.containers.find(id).await? {
            Found::Nothing => Ok(false),
            Found::HalfMade => {
                self.containers.remove(id).await?;
                Ok(false)
            }
            Found::Running(_) | Found::Lost(_) | Found::Ended(..) => Ok(true),
        }
    }

    /// The bundle of a container that runs, for what needs a running one.
    async fn running(&self, id: &str) -> Result<Bundle, EngineError> {
        match self.containers.find(id).await? {
            Found::Running(bundle) => Ok(bundle),
            Found::Lost(_) | Found::Ended(..) => Err(EngineError::Ended(id.to_owned())),
            Found::Nothing | Found::HalfMade => Err(EngineError::NoContainer(id.to_owned())),
        }
    }

    /// Ends what a dead shim may have left running, and records that nobody saw the end.
    async fn give_up(&self, id: &str, bundle: Bundle) -> Result<Exit, EngineError> {
        self.runc.delete(&bundle, &self.containers.runc_name(id)).await?;
        let path = bundle.exit();
        let vanished = ExitRecord { code: None, signal: None, oom: false };
        blocking(move || bundle.write_exit(&vanished)).await.map_err(EngineError::io("cannot write", &path))?;
        Ok(Exit::vanished())
    }
}

#[async_trait]
impl Engine for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    async fn prepare(&self, request: &ImageRequest) -> Result<String, EngineError> {
        host_image::check(&request.reference, self.trust_host_image)?;
        Ok(request.reference.clone())
    }

    async fn start(&self, spec: &ContainerSpec) -> Result<Started, EngineError> {
        spec.validate()?;
        host_image::check(&spec.image, self.trust_host_image)?;
        let _alone = self.locks.lock(&spec.id).await;
        if self.started_before(&spec.id).await? {
            return Ok(Started::Before);
        }
        let bundle = self.make(spec).await?;
        match launch::launch(&self.agent, self.runc.program(), &bundle).await {
            Ok(()) => Ok(Started::Now),
            Err(reason) => {
                self.end(&spec.id, &bundle).await?;
                self.containers.remove(&spec.id).await?;
                Err(EngineError::Start { id: spec.id.clone(), reason })
            }
        }
    }

    async fn output(&self, id: &str, from: u64) -> Result<OutputStream, EngineError> {
        match self.containers.find(id).await? {
            Found::Nothing | Found::HalfMade => Err(EngineError::NoContainer(id.to_owned())),
            Found::Running(bundle) | Found::Lost(bundle) | Found::Ended(bundle, _) => output::follow(bundle, from),
        }
    }

    async fn exec_stream(&self, id: &str, exec: &Exec) -> Result<Execution, EngineError> {
        let bundle = self.running(id).await?;
        exec::start(&self.runc, bundle, id, &self.containers.runc_name(id), exec).await
    }

    async fn signal(&self, id: &str, signal: Signal) -> Result<(), EngineError> {
        let bundle = self.running(id).await?;
        let sent = self.runc.kill(&bundle, &self.containers.runc_name(id), signal).await;
        // It may have ended between the look and the signal.
        sent.map_err(|error| if bundle.exit().exists() { EngineError::Ended(id.to_owned()) } else { error })
    }

    async fn wait(&self, id: &str) -> Result<Exit, EngineError> {
        loop {
            match self.containers.find(id).await? {
                Found::Nothing | Found::HalfMade => return Err(EngineError::NoContainer(id.to_owned())),
                Found::Ended(_, exit) => return Ok(exit),
                Found::Lost(bundle) => return self.give_up(id, bundle).await,
                Found::Running(bundle) => shim_watch::gone(&bundle).await?,
            }
        }
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        crate::spec::check_id(id)?;
        let _alone = self.locks.lock(id).await;
        match self.containers.find(id).await? {
            Found::Nothing => return Ok(()),
            Found::HalfMade => {}
            Found::Running(bundle) | Found::Lost(bundle) | Found::Ended(bundle, _) => {
                self.end(id, &bundle).await?;
            }
        }
        self.containers.remove(id).await
    }

    async fn list(&self, key: &str, value: &str) -> Result<Vec<Container>, EngineError> {
        let mut listed = Vec::new();
        for spec in self.containers.labelled(key, value).await? {
            let state = match self.containers.find(&spec.id).await? {
                Found::Nothing => continue,
                Found::HalfMade => State::HalfMade,
                Found::Running(_) => State::Running,
                Found::Lost(_) => State::Ended(Exit::vanished()),
                Found::Ended(_, exit) => State::Ended(exit),
            };
            listed.push(Container { id: spec.id, labels: spec.labels, state });
        }
        Ok(listed)
    }
}

impl Sandbox {
    /// Writes the container's bundle.
    async fn make(&self, spec: &ContainerSpec) -> Result<Bundle, EngineError> {
        let (containers, image) = (self.containers.clone(), Arc::clone(&self.image));
        let (spec, agent) = (spec.clone(), self.agent.clone());
        blocking(move || containers.make(&spec, &image, &agent)).await
    }

    /// Kills what runs and waits until the shim is gone and nothing of the container is left but its files.
    async fn end(&self, id: &str, bundle: &Bundle) -> Result<(), EngineError> {
        let name = self.containers.runc_name(id);
        while shim_watch::is_alive(bundle)? {
            // Repeated, because a shim that is just starting the container has nothing to kill yet.
            self.runc.delete(bundle, &name).await?;
            shim_watch::gone_within(bundle, std::time::Duration::from_millis(200)).await?;
        }
        if bundle.runc_state().exists() { self.runc.delete(bundle, &name).await } else { Ok(()) }
    }
}

/// The shim's record in the engine's terms.
fn exit_of(record: &ExitRecord) -> Exit {
    let ending = match (record.code, record.signal) {
        (Some(code), _) => Ending::Code(code),
        (None, Some(signal)) => Ending::Signal(signal),
        (None, None) => Ending::Vanished,
    };
    Exit { ending, oom: record.oom }
}
