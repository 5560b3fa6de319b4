//! A CodeBuild in a folder of its own: the real store and engine, its sister services played in memory.

mod sisters;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws::Error;
use aws::codebuild::*;
use codebuild::{Dependencies, ImageMap, Options, Service};
use engine::{EngineKind, EngineOptions};
use kernel::{Blobs, Caller, Clock, Event, ManualClock, Scope, SequentialIds, Stop, Store, Subscription, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub(crate) use sisters::{Sisters, zip};

pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/build";

/// A server and its data folder. Time moves when a test moves it.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) sisters: Arc<Sisters>,
    pub(crate) service: Arc<Service>,
    pub(crate) store: Arc<Store>,
    pub(crate) engine: Arc<dyn engine::Engine>,
    pub(crate) settings: Settings,
    stop: Stop,
    running: JoinHandle<()>,
}

/// What differs between tests.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) engine: EngineKind,
    pub(crate) agent: std::path::PathBuf,
    pub(crate) concurrency: usize,
    pub(crate) trust_host_image: bool,
    pub(crate) pool: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: EngineKind::Dummy,
            agent: "landfall-agent".into(),
            concurrency: 8,
            trust_host_image: true,
            pool: 0,
        }
    }
}

pub(crate) fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

pub(crate) fn root() -> Caller {
    Caller::root(&scope(), "request")
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let folder = tempfile::Builder::new().prefix("cb").tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_800_000_000));
        Self::open(folder, clock, Arc::default(), settings, 0).await
    }

    async fn open(folder: TempDir, clock: ManualClock, sisters: Arc<Sisters>, settings: Settings, seed: u64) -> Self {
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let store = Store::open(folder.path(), Arc::clone(&shared)).unwrap();
        let engine = engine(folder.path(), &settings).await;
        let service = Service::new(Dependencies {
            documents: store.service("codebuild"),
            blobs: Blobs::open(folder.path(), "codebuild").unwrap(),
            clock: shared,
            ids: Arc::new(SequentialIds::new(seed)),
            principals: Arc::clone(&sisters) as _,
            engine: Arc::clone(&engine),
            logs: Arc::clone(&sisters) as _,
            s3: Arc::clone(&sisters) as _,
            codecommit: Arc::clone(&sisters) as _,
            door: Arc::clone(&sisters) as _,
            options: Options {
                data_dir: folder.path().to_owned(),
                image_map: ImageMap::parse(&["aws/codebuild/*=host"]).unwrap(),
                trust_host_image: settings.trust_host_image,
                concurrency: settings.concurrency,
                pool: settings.pool,
                disk_bytes: None,
                public_url: "http://127.0.0.1:4566".into(),
            },
        });
        let stop = Stop::new();
        let running = tokio::spawn(Arc::clone(&service).run(stop.clone()));
        Self { folder, clock, sisters, service, store, engine, settings, stop, running }
    }

    /// Ends the server and opens another one on the same folder; containers go on.
    pub(crate) async fn restart(self) -> Self {
        let Self { folder, clock, sisters, service, store, engine, settings, stop, running } = self;
        stop.trigger();
        // One that died was aborted, and has nothing more to say.
        let ended = running.await;
        assert!(ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()));
        drop((service, store, engine));
        Self::open(folder, clock, sisters, settings, 1_000_000).await
    }

    /// The server stops where it is, as one that is killed; only [`World::restart`] makes sense then.
    pub(crate) async fn die(mut self) -> Self {
        self.running.abort();
        let _ = (&mut self.running).await;
        self.running = tokio::spawn(std::future::pending());
        self.running.abort();
        self
    }

    /// Makes project `demo` with an inline buildspec; `change` replaces members.
    pub(crate) async fn project(&self, buildspec: &str, change: Value) {
        let mut input = json!({
            "name": "demo",
            "source": {"type": "NO_SOURCE", "buildspec": buildspec},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
            "serviceRole": ROLE,
        });
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.service.create_project(&root(), serde_json::from_value(input).unwrap()).await.unwrap();
    }

    /// Starts a build of `demo` with overrides.
    pub(crate) async fn try_start(&self, overrides: Value) -> Result<Build, Error> {
        let mut input = json!({"projectName": "demo"});
        input.as_object_mut().unwrap().extend(overrides.as_object().unwrap().clone());
        let output = self.service.start_build(&root(), serde_json::from_value(input).unwrap()).await?;
        Ok(output.build.unwrap())
    }

    /// Starts a build whose container does what the dummy's variables say; answers its id.
    pub(crate) async fn start(&self, script: &[(&str, &str)]) -> String {
        let variable = |(name, value): &(&str, &str)| json!({"name": format!("LANDFALL_DUMMY_{name}"), "value": value});
        let variables: Vec<Value> = script.iter().map(variable).collect();
        self.try_start(json!({"environmentVariablesOverride": variables})).await.unwrap().id.unwrap()
    }

    pub(crate) async fn build(&self, id: &str) -> Build {
        let input = BatchGetBuildsInput { ids: Some(vec![id.to_owned()]) };
        self.service.batch_get_builds(&root(), input).await.unwrap().builds.unwrap().remove(0)
    }

    /// The build once it is as it should be; fails when it does not come to that.
    pub(crate) async fn until(&self, id: &str, what: impl Fn(&Build) -> bool) -> Build {
        for _ in 0..3_000 {
            let build = self.build(id).await;
            if what(&build) {
                return build;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the build did not get there: {:?}", self.build(id).await);
    }

    pub(crate) async fn finished(&self, id: &str) -> Build {
        self.until(id, |build| build.build_complete == Some(true)).await
    }

    /// Lets time pass in steps, as a clock does.
    pub(crate) async fn pass(&self, duration: Duration) {
        for _ in 0..duration.as_secs().div_ceil(5) {
            self.clock.advance(Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn stop_build(&self, id: &str) -> Build {
        let input = StopBuildInput { id: Some(id.to_owned()) };
        self.service.stop_build(&root(), input).await.unwrap().build.unwrap()
    }

    pub(crate) async fn subscribe(&self) -> Subscription {
        self.store.bus().subscribe("test.events").await.unwrap()
    }

    /// How often each container was started.
    pub(crate) fn starts(&self) -> Vec<usize> {
        let entries = engine::dummy::journal::of(self.folder.path()).unwrap();
        engine::dummy::journal::starts(&entries).into_values().collect()
    }
}

/// The events that are there.
pub(crate) async fn events(subscription: &mut Subscription) -> Vec<Event> {
    let batch = subscription.next_batch(1_000).await.unwrap();
    batch.into_iter().map(|delivered| delivered.event).collect()
}

async fn engine(folder: &Path, settings: &Settings) -> Arc<dyn engine::Engine> {
    let options = EngineOptions::new(settings.engine, folder, &settings.agent);
    engine::open(EngineOptions { trust_host_image: settings.trust_host_image, ..options }).await.unwrap()
}

/// Names of the build's phases.
pub(crate) fn phases(build: &Build) -> Vec<&str> {
    build.phases.iter().flatten().filter_map(|phase| phase.phase_type.as_deref()).collect()
}

/// State, code and message of a phase.
pub(crate) fn phase(build: &Build, name: &str) -> (String, String, String) {
    let phase = build.phases.iter().flatten().find(|phase| phase.phase_type.as_deref() == Some(name));
    let phase = phase.unwrap_or_else(|| panic!("no {name} in {:?}", phases(build)));
    let context = phase.contexts.iter().flatten().next().cloned().unwrap_or_default();
    let text = |text: Option<String>| text.unwrap_or_default();
    (text(phase.phase_status.clone()), text(context.status_code), text(context.message))
}
