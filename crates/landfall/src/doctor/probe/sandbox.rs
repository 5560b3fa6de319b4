//! The sandbox, tried: one container runs `true`, within limits, in a folder of its own beside the data folder's.

use super::super::facts::Sandbox;
use engine::{
    ContainerSpec, Ending, Engine, EngineError, EngineKind, EngineOptions, Exit, ImageRequest, Limits, Network,
};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the trial may take; it needs a tenth of a second.
const LONGEST: Duration = Duration::from_secs(60);

/// Runs it, and leaves nothing behind.
pub(super) async fn trial(data_dir: &Path) -> Sandbox {
    let beside = super::folder::existing(data_dir);
    let Ok(scratch) = tempfile::Builder::new().prefix(".landfall-doctor-").tempdir_in(&beside) else {
        return Sandbox::NotTried;
    };
    let Ok(agent) = crate::agent_binary::locate(scratch.path()) else { return Sandbox::NotTried };
    let options =
        EngineOptions { trust_host_image: true, ..EngineOptions::new(EngineKind::Sandbox, scratch.path(), agent) };
    let engine = match engine::open(options).await {
        Ok(engine) => engine,
        Err(error) => return Sandbox::Failed(error.to_string()),
    };
    let spec = spec();
    let tried = tokio::time::timeout(LONGEST, run(&engine, &spec)).await;
    let removed = engine.remove(&spec.id).await;
    match (tried, removed) {
        (Ok(Ok(took)), Ok(())) => Sandbox::Ran { took, way_out: engine.way_out() },
        (Ok(Err(why)), _) => Sandbox::Failed(why),
        (Err(_), _) => {
            Sandbox::Failed(format!("a container of the sandbox did not end within {} s", LONGEST.as_secs()))
        }
        (_, Err(error)) => Sandbox::Failed(error.to_string()),
    }
}

fn spec() -> ContainerSpec {
    let limits =
        Limits { memory_bytes: Some(128 << 20), cpu_millis: Some(1_000), pids: Some(64), disk_bytes: Some(64 << 20) };
    ContainerSpec {
        limits,
        network: Network::Outside,
        ..ContainerSpec::new(format!("doctor-{}", std::process::id()), ["true"])
    }
}

async fn run(engine: &Arc<dyn Engine>, spec: &ContainerSpec) -> Result<Duration, String> {
    let said = |error: EngineError| error.to_string();
    let image = engine.prepare(&ImageRequest::of("host")).await.map_err(said)?;
    let begun = Instant::now();
    engine.start(&ContainerSpec { image, ..spec.clone() }).await.map_err(said)?;
    let exit = engine.wait(&spec.id).await.map_err(said)?;
    match exit {
        Exit { ending: Ending::Code(0), .. } => Ok(begun.elapsed()),
        other => Err(format!("`true` in a container of the sandbox ended otherwise than it should ({other:?})")),
    }
}
