//! Containers of a Docker or Podman daemon on this machine.
//!
//! What a container is and how it ended is known twice: by the daemon, which runs it, and by a record in `DATA_DIR/docker`,
//! which stays when the daemon has forgotten it. The daemon's containers are named after the data folder and labelled with
//! it; those of others are never touched.
//!
//! The agent is the first process: it puts the network right and becomes the program ([`agent::enter`]), which writes straight
//! into the record's output file. So output is in order, byte for byte and at once, whatever the daemon's log would make of it.
//!
//! What a container writes is counted ([`disk`]): few daemons have a storage that can keep a size.
//!
//! Where the daemon tells an end by 128 and a signal's number, it is taken for the signal. Podman does not always tell want of
//! memory; and under control groups of version 1 a privileged build's own daemon starts no containers there.

mod answering;
mod create;
mod daemon;
mod disk;
mod exec;
mod found;
mod network;
mod output;
mod pull;
mod records;
mod socket;
mod start;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::query_parameters::KillContainerOptions;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::blocking::blocking;
use crate::locks::Locks;
use crate::{
    Container, ContainerSpec, Engine, EngineError, EngineOptions, Exec, Execution, Exit, ImageRequest, OutputStream,
    Signal, Started, State, WayOut,
};
pub use answering::{Answering, answering};
use create::{DATA_LABEL, ID_LABEL};
use daemon::{Daemon, status};
use found::Found;
use records::{Record, Records};

/// How long a daemon may be away (restarted, for example) while a container is waited for.
const AWAY: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(500);

/// See the module's page.
#[derive(Clone)]
pub struct Docker(Arc<Inner>);

struct Inner {
    daemon: Daemon,
    records: Records,
    agent: PathBuf,
    way_out: WayOut,
    hard_limits: (i64, i64),
    locks: Locks,
    network: Mutex<()>,
}

impl Docker {
    /// Opens the engine on the daemon that the options name, or on the first that answers.
    ///
    /// # Errors
    /// [`EngineError::Unusable`] with the fix where none answers.
    pub async fn open(options: &EngineOptions) -> Result<Self, EngineError> {
        match Self::find(options).await? {
            Some(engine) => Ok(engine),
            None => Err(EngineError::Unusable(
                "engine `docker` found no daemon: there is no socket at /var/run/docker.sock, /run/podman/podman.sock or \
                 in $XDG_RUNTIME_DIR. Install and start one (apt install docker.io, or podman with `systemctl start \
                 podman.socket`), name its socket by --docker-host, or use --engine sandbox"
                    .to_owned(),
            )),
        }
    }

    /// As [`open`](Self::open); `None` where there is no socket at all in the usual places.
    ///
    /// # Errors
    /// Where there are sockets, but no daemon answers.
    pub async fn find(options: &EngineOptions) -> Result<Option<Self>, EngineError> {
        let variable = |name: &str| std::env::var(name).ok();
        let candidates = socket::candidates(options.docker_host.as_deref(), variable)?;
        let mut places = socket::present(&candidates);
        if let [only] = &candidates[..] {
            // It was named, so why it is of no use is told.
            places = vec![only.clone()];
        }
        let mut reason = None;
        for place in places {
            match Daemon::connect(place).await {
                Ok(daemon) => return Self::on(daemon, options).await.map(Some),
                Err(error) => reason = reason.or(Some(error)),
            }
        }
        reason.map_or(Ok(None), Err)
    }

    async fn on(daemon: Daemon, options: &EngineOptions) -> Result<Self, EngineError> {
        let agent = options.agent_binary.canonicalize();
        let agent = agent.map_err(EngineError::io("cannot find", &options.agent_binary))?;
        let engine = Self(Arc::new(Inner {
            records: Records::open(&options.data_dir)?,
            agent,
            way_out: options.way_out,
            hard_limits: start::hard_limits(),
            locks: Locks::default(),
            network: Mutex::default(),
            daemon,
        }));
        engine.remove_strays().await?;
        engine.0.records.descriptions()?.iter().for_each(|spec| engine.watch_disk(spec));
        tracing::info!(daemon = %engine.0.daemon.address, flavour = ?engine.0.daemon.flavour, "containers run by a daemon");
        Ok(engine)
    }

    /// Ends those of this data folder's containers that it knows nothing of: their removal was interrupted.
    async fn remove_strays(&self) -> Result<(), EngineError> {
        let ours = format!("{DATA_LABEL}={}", self.0.records.identity());
        let found = self.0.daemon.labelled(ours).await?;
        let ids = found.into_iter().filter_map(|mut labels| labels.remove(ID_LABEL));
        for id in ids {
            if !self.knows(&id).await? {
                self.0.daemon.remove(&self.0.records.name(&id)).await?;
            }
        }
        Ok(())
    }

    /// Whether a container of this id was ever started here and not removed.
    pub(crate) async fn knows(&self, id: &str) -> Result<bool, EngineError> {
        let record = self.0.records.record(id)?;
        let path = record.output();
        let found = blocking(move || record.description()).await.map_err(EngineError::io("cannot read", &path))?;
        Ok(found.is_some())
    }

    /// Whether the daemon has this image.
    pub(crate) async fn has(&self, image: &str) -> Result<bool, EngineError> {
        Ok(pull::find(&self.0.daemon, image).await?.is_some())
    }

    /// The record of a container that was started.
    async fn started(&self, id: &str) -> Result<Record, EngineError> {
        match self.look(id).await? {
            (_, Found::Nothing | Found::HalfMade) => Err(EngineError::NoContainer(id.to_owned())),
            (record, Found::Running | Found::Lost | Found::Ended(_)) => Ok(record),
        }
    }

    /// The daemon's name of a container that runs.
    async fn running(&self, id: &str) -> Result<String, EngineError> {
        match self.look(id).await?.1 {
            Found::Running => Ok(self.0.records.name(id)),
            Found::Lost | Found::Ended(_) => Err(EngineError::Ended(id.to_owned())),
            Found::Nothing | Found::HalfMade => Err(EngineError::NoContainer(id.to_owned())),
        }
    }

    /// Waits for the container's end; rides over a restart of the daemon.
    async fn ended(self, id: String) -> Result<Exit, EngineError> {
        let mut last_seen = Instant::now();
        loop {
            match self.look(&id).await {
                Ok((_, Found::Nothing | Found::HalfMade)) => return Err(EngineError::NoContainer(id)),
                Ok((_, Found::Ended(exit))) => return Ok(exit),
                Ok((record, Found::Lost)) => {
                    let exit = Exit::vanished();
                    blocking(move || record.write_exit(&exit)).await?;
                    return Ok(exit);
                }
                Ok((_, Found::Running)) => {
                    self.0.daemon.until_stopped(&self.0.records.name(&id)).await;
                    last_seen = Instant::now();
                }
                Err(EngineError::Unusable(_)) if last_seen.elapsed() < AWAY => tokio::time::sleep(RETRY).await,
                Err(error) => return Err(error),
            }
        }
    }
}

#[async_trait]
impl Engine for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn way_out(&self) -> Option<&'static str> {
        network::way_out(self.0.daemon.flavour, self.0.way_out)
    }

    async fn prepare(&self, request: &ImageRequest) -> Result<String, EngineError> {
        pull::prepare(&self.0.daemon, request).await
    }

    async fn start(&self, spec: &ContainerSpec) -> Result<Started, EngineError> {
        spec.validate()?;
        let _alone = self.0.locks.lock(&spec.id).await;
        let (record, found) = self.look(&spec.id).await?;
        match found {
            Found::Running | Found::Lost | Found::Ended(_) => return Ok(Started::Before),
            Found::HalfMade => self.clear(&spec.id).await?,
            Found::Nothing => {}
        }
        match self.launch(spec, &record).await {
            Ok(()) => {
                self.watch_disk(spec);
                Ok(Started::Now)
            }
            Err(error) => {
                self.clear(&spec.id).await?;
                Err(error)
            }
        }
    }

    async fn output(&self, id: &str, from: u64) -> Result<OutputStream, EngineError> {
        let record = self.started(id).await?;
        output::follow(&record, from, Box::pin(self.clone().ended(id.to_owned()))).await
    }

    async fn exec_stream(&self, id: &str, exec: &Exec) -> Result<Execution, EngineError> {
        let name = self.running(id).await?;
        let record = self.0.records.record(id)?;
        let path = record.output();
        let spec = blocking(move || record.description()).await.map_err(EngineError::io("cannot read", &path))?;
        let privileged = spec.is_some_and(|spec| spec.privileged);
        exec::start(&self.0.daemon, id, &name, exec, privileged).await
    }

    async fn signal(&self, id: &str, signal: Signal) -> Result<(), EngineError> {
        let name = self.running(id).await?;
        let options = KillContainerOptions { signal: signal.number().to_string() };
        match self.0.daemon.client.kill_container(&name, Some(options)).await {
            Ok(()) => Ok(()),
            // It may have ended between the look and the signal.
            Err(error) if status(&error).is_some() && self.running(id).await.is_err() => {
                Err(EngineError::Ended(id.to_owned()))
            }
            Err(error) => Err(self.0.daemon.failed("signal a container", &error)),
        }
    }

    async fn wait(&self, id: &str) -> Result<Exit, EngineError> {
        crate::spec::check_id(id)?;
        self.clone().ended(id.to_owned()).await
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        crate::spec::check_id(id)?;
        let _alone = self.0.locks.lock(id).await;
        if self.knows(id).await? { self.clear(id).await } else { Ok(()) }
    }

    async fn list(&self, key: &str, value: &str) -> Result<Vec<Container>, EngineError> {
        let records = self.0.records.clone();
        let mut specs = blocking(move || records.descriptions()).await?;
        specs.retain(|spec| spec.labels.get(key).is_some_and(|found| found == value));
        let mut listed = Vec::new();
        for spec in specs {
            let state = match self.look(&spec.id).await?.1 {
                Found::Nothing => continue,
                Found::HalfMade => State::HalfMade,
                Found::Running => State::Running,
                Found::Lost => State::Ended(Exit::vanished()),
                Found::Ended(exit) => State::Ended(exit),
            };
            listed.push(Container { id: spec.id, labels: spec.labels, state });
        }
        Ok(listed)
    }
}
