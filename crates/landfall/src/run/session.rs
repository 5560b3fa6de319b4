//! The services of one run, in its own folder, with nobody else in them.

use super::arguments::Arguments;
use super::call;
use super::home::{Home, left_behind};
use crate::exit::user_error;
use crate::serve::{InProcess, Inside, Options};
use aws::codebuild::{BatchGetBuildsInput, ListBuildsInput};
use aws::internal::codecommit::Sources;
use aws::s3::{CreateBucket, Versioning};
use clap::Parser;
use codebuild::model::Build;
use codebuild::rules::ids::container_id;
use engine::EngineKind;
use kernel::{Caller, Page, Scope, Store, SystemClock};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a run's resources are.
pub(super) const ACCOUNT: &str = "000000000000";
pub(super) const REGION: &str = "us-east-1";
/// Names the engine that a run used, for who clears up behind it.
const ENGINE: &str = "engine";

/// Running services of this run alone.
pub(super) struct Session {
    process: InProcess,
}

impl Session {
    /// Starts the services on the run's folder, after clearing up what runs that were killed have left.
    ///
    /// # Errors
    /// The user's: this machine or user cannot run containers yet.
    pub(super) async fn open(
        arguments: &Arguments,
        home: &Home,
        cache: &Path,
        folders: Option<Arc<dyn Sources>>,
    ) -> anyhow::Result<Self> {
        clear_up_after_killed_runs(cache).await;
        let options = options(home, arguments)?;
        let process = InProcess::start(&options, cache, folders).await?;
        std::fs::write(home.path().join(ENGINE), process.services.engine.name())?;
        Ok(Self { process })
    }

    pub(super) fn services(&self) -> &Inside {
        &self.process.services
    }

    /// The root of the run's account: whoever runs it.
    pub(super) fn caller(&self) -> Caller {
        Caller::root(&scope(), "landfall-run")
    }

    /// Makes a bucket.
    pub(super) async fn create_bucket(&self, name: &str, versioned: bool) -> anyhow::Result<()> {
        let (s3, caller) = (&self.services().s3, self.caller());
        let input = CreateBucket { bucket: name.to_owned(), ..CreateBucket::default() };
        call(s3.create_bucket(&caller, input).await)?;
        if versioned {
            call(s3.put_bucket_versioning(&caller, name, Versioning::Enabled).await)?;
        }
        Ok(())
    }

    /// Resolves when a part of it has ended, which is a fault of ours.
    pub(super) async fn broken(&mut self) -> anyhow::Error {
        self.process.broken().await
    }

    /// Stops the services, and ends what builds that were not waited for have left running.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        let (engine, left) = (Arc::clone(&self.services().engine), self.unfinished().await);
        self.process.end().await;
        for container in left? {
            engine.remove(&container).await?;
        }
        Ok(())
    }

    /// The containers of builds that are not complete.
    async fn unfinished(&self) -> anyhow::Result<Vec<String>> {
        let (codebuild, caller) = (&self.services().codebuild, self.caller());
        let ids = call(codebuild.list_builds(&caller, ListBuildsInput::default()).await)?.ids.unwrap_or_default();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = call(codebuild.batch_get_builds(&caller, BatchGetBuildsInput { ids: Some(ids) }).await)?;
        let open = found.builds.into_iter().flatten().filter(|build| build.build_complete != Some(true));
        let uuid = |id: String| id.rsplit_once(':').map(|(_, uuid)| container_id(uuid));
        Ok(open.filter_map(|build| uuid(build.id?)).collect())
    }
}

fn scope() -> Scope {
    Scope::new(ACCOUNT, REGION)
}

/// `landfall serve` as a run wants it: open to its own builds, nothing prepared for others.
fn options(home: &Home, arguments: &Arguments) -> anyhow::Result<Options> {
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }
    let data_dir = home.path().join("data");
    let line: [OsString; 9] = [
        "serve".into(),
        "--auth=open".into(),
        "--pool=0".into(),
        "--account".into(),
        ACCOUNT.into(),
        "--region".into(),
        REGION.into(),
        "--data-dir".into(),
        data_dir.into(),
    ];
    let line = Line::try_parse_from(line)?;
    let options = Options {
        engine: arguments.engine,
        host_share: shares(&arguments.share)?,
        build_network: arguments.build_network,
        build_names: arguments.build_names,
        ..line.options
    };
    options.check()?;
    Ok(options)
}

/// Folders that are there, by their full paths.
fn shares(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let full = |path: &PathBuf| {
        path.canonicalize().map_err(|error| user_error(format!("--share {}: {error}", path.display())))
    };
    named.iter().map(full).collect()
}

/// Ends and removes what runs that were killed have left.
async fn clear_up_after_killed_runs(cache: &Path) {
    for home in left_behind(cache) {
        if let Err(error) = clear(home).await {
            tracing::warn!(error = format!("{error:#}"), "what a killed run left is not cleared yet");
        }
    }
}

/// Removes a killed run's containers, then its folder.
async fn clear(home: Home) -> anyhow::Result<()> {
    let data_dir = home.path().join("data");
    let containers = if data_dir.exists() { containers(&data_dir).await? } else { Vec::new() };
    if !containers.is_empty() {
        let kind = kind(&std::fs::read_to_string(home.path().join(ENGINE))?)?;
        let agent = crate::agent_binary::locate(&data_dir)?;
        // As for runs themselves: ordinary users have no limits on most machines.
        let options = engine::EngineOptions::new(kind, &data_dir, agent);
        let engine = engine::open(engine::EngineOptions { without_limits: true, ..options }).await?;
        for container in containers {
            engine.remove(&container).await?;
        }
    }
    tokio::task::spawn_blocking(move || home.close()).await??;
    Ok(())
}

/// The containers of builds that were not complete.
async fn containers(data_dir: &Path) -> anyhow::Result<Vec<String>> {
    let store = Store::open(data_dir, Arc::new(SystemClock)).map_err(|error| user_error(error.to_string()))?;
    let builds = store.service("codebuild").list::<Build>(&scope(), Page::default()).await?;
    let open = builds.iter().filter(|build| !build.life.is_complete());
    Ok(open.map(|build| build.container()).collect())
}

fn kind(name: &str) -> anyhow::Result<EngineKind> {
    let all = [EngineKind::Auto, EngineKind::Sandbox, EngineKind::Docker, EngineKind::Dummy];
    all.into_iter().find(|kind| kind.name() == name).ok_or_else(|| anyhow::anyhow!("no engine is called {name}"))
}
