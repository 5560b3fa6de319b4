//! Builds whose agent lies: the build ends with a fault, or when it is stopped, and the server goes on.
use std::time::Duration;

use crate::world::{Settings, World};
use aws::codebuild::Build;
use engine::EngineKind;
use serde_json::json;

async fn world() -> World {
    let agent = env!("CARGO_BIN_EXE_codebuild-lying-agent").into();
    let world = World::with(Settings { engine: EngineKind::Sandbox, agent, ..Settings::default() }).await;
    world.project("version: 0.2\nphases: {build: {commands: ['true']}}\n", json!({})).await;
    world
}

async fn start(world: &World, lie: &str) -> String {
    let lie = json!([{"name": "LIE", "value": lie}]);
    world.try_start(json!({"environmentVariablesOverride": lie})).await.unwrap().id.unwrap()
}

fn status(build: &Build) -> &str {
    build.build_status.as_deref().unwrap()
}

/// Everything that was said about the build's phases.
fn words(build: &Build) -> String {
    build.phases.iter().flatten().flat_map(|phase| phase.contexts.iter().flatten()).fold(
        String::new(),
        |all, context| {
            format!(
                "{all}{}: {}\n",
                context.status_code.as_deref().unwrap_or(""),
                context.message.as_deref().unwrap_or("")
            )
        },
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_cannot_be_true_are_a_fault() {
    let world = world().await;
    for (lie, part) in [
        ("phases-backwards", "INSTALL cannot start now"),
        ("numbers-left-out", "report 7 came where 1 was due"),
        ("an-end-of-nothing", "BUILD is not running"),
        ("another-build", "another build"),
    ] {
        let build = world.finished(&start(&world, lie).await).await;
        assert_eq!(status(&build), "FAULT", "{lie}: {}", words(&build));
        assert!(words(&build).contains(part), "{lie}: {build:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_protocol_holds_the_build_until_it_is_stopped() {
    let world = world().await;
    for lie in ["flood", "huge-frames", "no-frames", "silence"] {
        let id = start(&world, lie).await;
        world.until(&id, |build| build.current_phase.as_deref() == Some("DOWNLOAD_SOURCE")).await;
        world.stop_build(&id).await;
        // The agent may take its time to say how it stopped; this one never says it.
        let ended = async { world.finished(&id).await };
        let clock = async {
            loop {
                world.pass(Duration::from_secs(5)).await;
            }
        };
        let build = tokio::select! { build = ended => build, () = clock => unreachable!() };
        assert_eq!(status(&build), "STOPPED", "{lie}: {}", words(&build));
    }
}
