//! An engine that runs nothing: what each container does is scripted by environment variables ([`Script`]), and
//! all that the engine was asked is in an append-only [`journal`], so that tests of what stands above run
//! whole pipelines in milliseconds and check that each container was started once.
//!
//! A container that runs `landfall-agent build` plays the agent's side of the protocol ([`build`]); its
//! script comes from the job's variables. Containers outlive the engine as real ones do: the journal tells a new
//! engine when each was started, and so what it does now.

mod build;
mod container;
pub mod journal;
mod script;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use crate::{
    Container, ContainerSpec, Engine, EngineError, EngineOptions, Exec, ExecChunk, Execution, Exit, ImageRequest,
    OutputStream, Signal, Started, State,
};
use container::Played;
use journal::{Asked, Journal};

pub use script::Script;

/// See the module's page.
pub struct Dummy {
    journal: Arc<Journal>,
    folder: PathBuf,
    containers: Mutex<BTreeMap<String, Played>>,
}

impl Dummy {
    /// Opens the dummy on `DATA_DIR/dummy` and goes on playing the containers that its journal tells of.
    /// Must be called on a Tokio runtime.
    pub fn open(options: &EngineOptions) -> Result<Self, EngineError> {
        let folder = options.data_dir.join("dummy");
        let (journal, entries) = Journal::open(&folder)?;
        let dummy = Self { journal: Arc::new(journal), folder, containers: Mutex::default() };
        for (spec, started, exit) in journal::containers(entries) {
            dummy.play(spec, started, exit);
        }
        Ok(dummy)
    }

    fn play(&self, spec: ContainerSpec, started: u64, exit: Option<Exit>) {
        let id = spec.id.clone();
        let played = Played::start(spec, started, exit, Arc::clone(&self.journal), self.folder.join(&id));
        self.containers().insert(id, played);
    }

    fn containers(&self) -> MutexGuard<'_, BTreeMap<String, Played>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: &str, look: impl FnOnce(&Played) -> T) -> Result<T, EngineError> {
        self.containers().get(id).map(look).ok_or_else(|| EngineError::NoContainer(id.to_owned()))
    }

    /// The container's script, if it runs.
    fn running(&self, id: &str) -> Result<Script, EngineError> {
        let (exit, script) = self.with(id, |played| (played.exit(), played.script()))?;
        if exit.is_some() { Err(EngineError::Ended(id.to_owned())) } else { Ok(script) }
    }
}

#[async_trait]
impl Engine for Dummy {
    fn name(&self) -> &'static str {
        "dummy"
    }

    /// Every image is ready.
    async fn prepare(&self, request: &ImageRequest) -> Result<String, EngineError> {
        Ok(request.reference.clone())
    }

    async fn start(&self, spec: &ContainerSpec) -> Result<Started, EngineError> {
        spec.validate()?;
        let mut containers = self.containers();
        if containers.contains_key(&spec.id) {
            self.journal.write(&spec.id, Asked::StartedBefore)?;
            return Ok(Started::Before);
        }
        let started = self.journal.write(&spec.id, Asked::Start(Box::new(spec.clone())))?;
        let folder = self.folder.join(&spec.id);
        let played = Played::start(spec.clone(), started, None, Arc::clone(&self.journal), folder);
        containers.insert(spec.id.clone(), played);
        Ok(Started::Now)
    }

    async fn output(&self, id: &str, from: u64) -> Result<OutputStream, EngineError> {
        let (script, end) = self.with(id, |played| (played.script(), played.end()))?;
        let output = Bytes::from(script.output);
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(output.len());
        let written = Some(output.slice(from..)).filter(|bytes| !bytes.is_empty()).map(Ok);
        // Nothing more comes, but a real container's output ends only with it.
        let rest = futures::stream::once(end).filter_map(|_| futures::future::ready(None));
        Ok(futures::stream::iter(written).chain(rest).boxed())
    }

    async fn exec_stream(&self, id: &str, exec: &Exec) -> Result<Execution, EngineError> {
        self.running(id)?;
        self.journal.write(id, Asked::Exec(exec.argv.clone()))?;
        let script = Script::of(&exec.environment);
        let output = Bytes::from(script.output.clone());
        let written = Some(output).filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(ExecChunk::Stdout(bytes)));
        let end = async move {
            tokio::time::sleep(Duration::from_millis(script.sleep_ms)).await;
            Ok(ExecChunk::Exit(script.exit()))
        };
        Ok(Execution::new(futures::stream::iter(written).chain(futures::stream::once(end))))
    }

    async fn signal(&self, id: &str, signal: Signal) -> Result<(), EngineError> {
        let script = self.running(id)?;
        self.journal.write(id, Asked::Signal(signal))?;
        let exit = match (signal, script.on_term) {
            (Signal::Term, Some(code)) => Exit::code(code),
            _ => Exit::signal(signal.number()),
        };
        self.with(id, |played| played.end_with(exit))?
    }

    async fn wait(&self, id: &str) -> Result<Exit, EngineError> {
        let end = self.with(id, Played::end)?;
        end.await.ok_or_else(|| EngineError::NoContainer(id.to_owned()))
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        crate::spec::check_id(id)?;
        self.journal.write(id, Asked::Remove)?;
        let removed = self.containers().remove(id);
        drop(removed);
        let folder = self.folder.join(id);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(EngineError::io("cannot remove", &folder)(error))
            }
            _ => Ok(()),
        }
    }

    async fn list(&self, key: &str, value: &str) -> Result<Vec<Container>, EngineError> {
        let containers = self.containers();
        let labelled =
            containers.iter().filter(|(_, played)| played.spec().labels.get(key).is_some_and(|label| label == value));
        Ok(labelled
            .map(|(id, played)| Container {
                id: id.clone(),
                labels: played.spec().labels.clone(),
                state: played.exit().map_or(State::Running, State::Ended),
            })
            .collect())
    }
}
