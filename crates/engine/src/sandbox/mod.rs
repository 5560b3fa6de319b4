//! The embedded engine: OCI bundles on overlays of the machine's own folders or of images, run by `crun` or `runc`, each
//! under a shim of its own; as root or as an ordinary user.
//!
//! A container is the folder `DIR/containers/ID`: its description, its OCI configuration, its writable layers, its
//! output, and how it ended ([`agent::shim::Bundle`] names the files). The folder is the only state: a
//! new engine on the same data folder knows all that the one before it knew.

mod cgroup;
mod choice;
mod configuration;
mod containers;
mod disk;
mod exec;
mod host_image;
mod host_layers;
mod host_secrets;
mod host_watch;
mod identities;
mod image_root;
mod launch;
mod machine;
mod mounts;
mod network;
mod network_files;
mod network_machine;
mod network_plan;
mod output;
mod privileged;
mod removal;
mod resources;
mod root;
mod runtime;
mod seccomp;
mod security;
mod shim_watch;
mod sweep;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::shim::{self, Bundle, ExitRecord};
use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::blocking::blocking;
use crate::locks::Locks;
use crate::{
    Container, ContainerSpec, Ending, Engine, EngineError, EngineOptions, Exec, Execution, Exit, ImageRequest,
    OutputStream, Signal, Started, State,
};
use choice::Verdict;
use containers::{Containers, Found};
use host_image::HostImage;
use image_root::ImageRoot;
use images::{Collected, Images, Unused};
use machine::Machine;
pub use network::way_out;
use root::Root;
use runtime::Runtime;

/// How long the test of a runtime may take; it needs a twentieth of a second.
const TEST: Duration = Duration::from_secs(20);

/// See the module's page.
pub struct Sandbox {
    containers: Containers,
    machine: Arc<Machine>,
    image: Arc<HostImage>,
    images: Images,
    trust_host_image: bool,
    programs: Vec<PathBuf>,
    /// The file of the verdict on the first of them.
    verdict: PathBuf,
    /// The one of the programs that is taken, from the first container on.
    program: OnceCell<PathBuf>,
    locks: Locks,
}

impl Sandbox {
    /// Opens the sandbox and clears what died in the middle before; fails with a sentence that says what to do where this
    /// machine or user cannot run it.
    pub fn open(options: EngineOptions) -> Result<Self, EngineError> {
        let containers = Containers::open(&options.data_dir)?;
        let programs = choice::candidates(&options.runtime)?;
        let machine = Machine::find(&options, containers.path())?;
        sweep::sweep(&containers, &machine)?;
        Ok(Self {
            images: options.images.open(containers.data_dir())?,
            image: Arc::new(HostImage::new(containers.data_dir(), options.host_share, options.masked)?),
            verdict: options.verdict.unwrap_or_else(|| containers.path().join(".runtime.json")),
            containers,
            machine: Arc::new(machine),
            trust_host_image: options.trust_host_image,
            programs,
            program: OnceCell::new(),
            locks: Locks::default(),
        })
    }

    /// What an image id stands for, held for the container in this bundle.
    async fn root(&self, image: &str, bundle: &Bundle) -> Result<Root, EngineError> {
        if image == host_image::NAME {
            host_image::check(self.trust_host_image)?;
            return Ok(Root::Host(Arc::clone(&self.image)));
        }
        let (images, image, bundle) = (self.images.clone(), image.to_owned(), bundle.clone());
        let lease = blocking(move || images.lease(&image, bundle.path())).await?;
        Ok(Root::Image(Box::new(ImageRoot::new(lease))))
    }

    /// The runtime that new containers are started with: the only one there is, or the first if it works.
    async fn runtime(&self) -> Result<shim::Runtime, EngineError> {
        let choose = || async {
            match self.programs.as_slice() {
                [first, second, ..] => Ok(if self.works(first).await? { first } else { second }.clone()),
                [only] => Ok(only.clone()),
                [] => choice::candidates(&crate::RuntimeChoice::Auto).map(|mut found| found.swap_remove(0)),
            }
        };
        Ok(self.call(self.program.get_or_try_init(choose).await?))
    }

    fn call(&self, program: &std::path::Path) -> shim::Runtime {
        let groups = self.machine.cgroups.as_ref();
        runtime::call(program.to_path_buf(), groups.is_some(), groups.and_then(|groups| groups.hybrid()))
    }

    /// Whether a container runs with this program.
    async fn works(&self, program: &std::path::Path) -> Result<bool, EngineError> {
        let file = &self.verdict;
        if let Some(verdict) = Verdict::read(file, program) {
            return Ok(verdict.works);
        }
        let works = self.try_out(program).await?;
        if let Ok(verdict) = Verdict::new(program, works) {
            verdict.write(file);
        }
        Ok(works)
    }

    /// Runs `true` with it in a container that nobody else sees.
    async fn try_out(&self, program: &std::path::Path) -> Result<bool, EngineError> {
        let spec = ContainerSpec::new(format!("self-test-{}", std::process::id()), ["true"]);
        let bundle = self.containers.unkept(&spec.id);
        self.make(&bundle, &spec, Root::Host(Arc::clone(&self.image)), self.call(program)).await?;
        let launched = launch::launch(&self.machine.agent, &bundle).await;
        if let Err(reason) = &launched {
            tracing::info!(program = %program.display(), reason, "this OCI runtime does not work here");
        }
        shim_watch::gone_within(&bundle, TEST).await?;
        let works = bundle.read_exit().is_ok_and(|exit| exit.is_some_and(|record| record.code == Some(0)));
        self.end(&bundle).await?;
        let machine = Arc::clone(&self.machine);
        blocking(move || removal::delete(&bundle, &machine)).await?;
        Ok(works)
    }

    /// Whether the container was started before; what an interrupted start left is cleared away.
    async fn started_before(&self, id: &str) -> Result<bool, EngineError> {
        match self.containers.find(id).await? {
            Found::Nothing => Ok(false),
            Found::HalfMade => {
                self.containers.remove(id, &self.machine).await?;
                Ok(false)
            }
            Found::Running(_) | Found::Lost(_) | Found::Ended(..) => Ok(true),
        }
    }

    /// The bundle of a container that runs, and its runtime, for what needs a running one.
    async fn running(&self, id: &str) -> Result<(Bundle, Runtime), EngineError> {
        match self.containers.find(id).await? {
            Found::Running(bundle) => {
                let runtime = Runtime::of(&bundle, &self.machine.agent)?;
                Ok((bundle, runtime))
            }
            Found::Lost(_) | Found::Ended(..) => Err(EngineError::Ended(id.to_owned())),
            Found::Nothing | Found::HalfMade => Err(EngineError::NoContainer(id.to_owned())),
        }
    }

    /// Ends what a dead shim may have left running, and records that nobody saw the end.
    async fn give_up(&self, bundle: Bundle) -> Result<Exit, EngineError> {
        let path = bundle.exit();
        let vanished = ExitRecord { code: None, signal: None, oom: false };
        let recorded = blocking(move || {
            sweep::end(&bundle);
            bundle.write_exit(&vanished)
        });
        recorded.await.map_err(EngineError::io("cannot write", &path))?;
        Ok(Exit::vanished())
    }

    /// Writes the container's bundle.
    async fn make(
        &self,
        bundle: &Bundle,
        spec: &ContainerSpec,
        root: Root,
        runtime: shim::Runtime,
    ) -> Result<(), EngineError> {
        let (containers, machine) = (self.containers.clone(), Arc::clone(&self.machine));
        let (bundle, spec) = (bundle.clone(), spec.clone());
        blocking(move || containers.make(&bundle, &spec, &root, &machine, runtime)).await
    }

    /// Kills what runs and waits until the shim is gone and nothing of the container is left but its files.
    async fn end(&self, bundle: &Bundle) -> Result<(), EngineError> {
        while shim_watch::is_alive(bundle)? {
            // Repeated, because a shim that is just starting the container has nothing to kill yet.
            let killed = bundle.clone();
            blocking(move || sweep::kill(&killed)).await;
            shim_watch::gone_within(bundle, Duration::from_millis(50)).await?;
        }
        let bundle = bundle.clone();
        blocking(move || sweep::end(&bundle)).await;
        Ok(())
    }
}

#[async_trait]
impl Engine for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn way_out(&self) -> Option<&'static str> {
        self.machine.networks.name()
    }

    async fn prepare(&self, request: &ImageRequest) -> Result<String, EngineError> {
        self.runtime().await?;
        if request.reference == host_image::NAME {
            host_image::check(self.trust_host_image)?;
            return Ok(request.reference.clone());
        }
        Ok(self.images.prepare(request).await?)
    }

    async fn start(&self, spec: &ContainerSpec) -> Result<Started, EngineError> {
        spec.validate()?;
        privileged::check(spec.privileged, self.machine.rootless())?;
        let runtime = self.runtime().await?;
        let _alone = self.locks.lock(&spec.id).await;
        if self.started_before(&spec.id).await? {
            return Ok(Started::Before);
        }
        let bundle = self.containers.bundle(&spec.id);
        let root = self.root(&spec.image, &bundle).await?;
        crash_point::crash_point!("sandbox_before_bundle");
        self.make(&bundle, spec, root, runtime).await?;
        crash_point::crash_point!("sandbox_after_bundle");
        match launch::launch(&self.machine.agent, &bundle).await {
            Ok(()) => {
                crash_point::crash_point!("sandbox_after_launch");
                Ok(Started::Now)
            }
            Err(reason) => {
                self.end(&bundle).await?;
                self.containers.remove(&spec.id, &self.machine).await?;
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
        let (bundle, runtime) = self.running(id).await?;
        exec::start(&runtime, bundle, id, &self.containers.runtime_name(id), exec).await
    }

    async fn signal(&self, id: &str, signal: Signal) -> Result<(), EngineError> {
        let (bundle, runtime) = self.running(id).await?;
        if signal == Signal::Kill {
            blocking(move || sweep::kill(&bundle)).await;
            return Ok(());
        }
        let sent = runtime.kill(&bundle, &self.containers.runtime_name(id), signal).await;
        // It may have ended between the look and the signal.
        sent.map_err(|error| if bundle.exit().exists() { EngineError::Ended(id.to_owned()) } else { error })
    }

    async fn wait(&self, id: &str) -> Result<Exit, EngineError> {
        loop {
            match self.containers.find(id).await? {
                Found::Nothing | Found::HalfMade => return Err(EngineError::NoContainer(id.to_owned())),
                Found::Ended(_, exit) => return Ok(exit),
                Found::Lost(bundle) => return self.give_up(bundle).await,
                Found::Running(bundle) => shim_watch::ended(&bundle).await?,
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
                self.end(&bundle).await?;
            }
        }
        self.containers.remove(id, &self.machine).await
    }

    async fn collect_images(&self, unused: Unused) -> Result<Collected, EngineError> {
        let images = self.images.clone();
        Ok(blocking(move || images.collect(&unused)).await?)
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

/// The shim's record in the engine's terms.
fn exit_of(record: &ExitRecord) -> Exit {
    let ending = match (record.code, record.signal) {
        (Some(code), _) => Ending::Code(code),
        (None, Some(signal)) => Ending::Signal(signal),
        (None, None) => Ending::Vanished,
    };
    Exit { ending, oom: record.oom }
}
