//! Prepared containers, over the dummy: claimed once, bound to their build after the claim, gone when nobody wants them.
use std::collections::BTreeMap;
use std::time::Duration;

use crate::world::{Settings, World, phases};
use engine::dummy::journal::{self, Asked};
use engine::{EngineKind, State};
use serde_json::json;

const SPEC: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - make all\n";

async fn pooled(pool: usize) -> World {
    let world = World::with(Settings { pool, ..Settings::default() }).await;
    world.project(SPEC, json!({})).await;
    world
}

/// The containers that run, and whether each was started for a build.
fn running(world: &World) -> BTreeMap<String, bool> {
    let mut running = BTreeMap::new();
    for entry in journal::of(world.folder.path()).unwrap() {
        match entry.asked {
            Asked::Start(spec) => drop(running.insert(entry.id, spec.labels.contains_key("landfall.build"))),
            Asked::Remove | Asked::Ended(_) => drop(running.remove(&entry.id)),
            _ => {}
        }
    }
    running
}

/// Waits until so many prepared containers run; time goes on meanwhile.
async fn prepared(world: &World, count: usize) -> Vec<String> {
    for _ in 0..1_000 {
        let waiting: Vec<_> = running(world).into_iter().filter(|(_, of_build)| !of_build).map(|(id, _)| id).collect();
        if waiting.len() == count {
            return waiting;
        }
        world.clock.advance(Duration::from_millis(500));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{count} prepared containers do not run: {:?}", running(world));
}

/// Lets time pass in few steps; the pool wakes at each.
async fn later(world: &World, seconds: u64) {
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(seconds / 10));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn succeeds(world: &World) {
    let build = world.finished(&world.start(&[("OUTPUT", "done")]).await).await;
    assert_eq!(build.build_status.as_deref(), Some("SUCCEEDED"));
    assert_eq!(phases(&build).len(), 11);
    let log = world.sisters.log("/aws/codebuild/demo", &build.logs.unwrap().stream_name.unwrap());
    assert!(log.contains("Running on CodeBuild On-demand\n") && log.contains("done\n"), "{log}");
}

#[tokio::test]
async fn the_second_build_takes_a_container_that_waits() {
    let world = pooled(2).await;
    succeeds(&world).await;
    let waiting = prepared(&world, 2).await;
    succeeds(&world).await;
    let left = running(&world);
    assert_eq!(waiting.iter().filter(|id| left.contains_key(*id)).count(), 1, "one was used, and removed after it");
    let after = prepared(&world, 2).await;
    assert!(after.iter().any(|id| waiting.contains(id)) && after != waiting, "the other waits on, with a new one");
    assert!(world.starts().iter().all(|starts| *starts == 1));
}

#[tokio::test]
async fn builds_at_once_never_share_a_container() {
    let world = pooled(1).await;
    succeeds(&world).await;
    prepared(&world, 1).await;
    let builds = futures::future::join_all((0..4).map(|_| world.start(&[("SLEEP_MS", "300")]))).await;
    for id in &builds {
        world.until(id, |build| build.current_phase.as_deref() == Some("BUILD")).await;
    }
    assert!(running(&world).len() >= 4);
    for id in &builds {
        assert_eq!(world.finished(id).await.build_status.as_deref(), Some("SUCCEEDED"));
    }
}

#[tokio::test]
async fn another_size_is_another_shelf() {
    let world = pooled(1).await;
    succeeds(&world).await;
    let small = prepared(&world, 1).await;
    let large = world.try_start(json!({"privilegedModeOverride": true})).await.unwrap().id.unwrap();
    world.finished(&large).await;
    let both = prepared(&world, 2).await;
    assert!(both.contains(&small[0]), "what is privileged did not take the other's");
}

#[tokio::test]
async fn nothing_waits_where_nothing_was_asked_for() {
    let world = pooled(0).await;
    succeeds(&world).await;
    later(&world, 30).await;
    assert!(running(&world).is_empty());
}

#[tokio::test]
async fn unused_ones_go_and_those_of_the_machines_files_are_renewed() {
    let world = pooled(1).await;
    succeeds(&world).await;
    let first = prepared(&world, 1).await;
    later(&world, 280).await;
    assert_ne!(prepared(&world, 1).await, first, "the image is `host`");
    later(&world, 1_800).await;
    prepared(&world, 0).await;
}

#[tokio::test]
async fn a_prepared_container_whose_agent_is_gone_is_replaced() {
    let world = pooled(1).await;
    succeeds(&world).await;
    let first = prepared(&world, 1).await;
    world.engine.signal(&first[0], engine::Signal::Kill).await.unwrap();
    prepared(&world, 0).await;
    let second = prepared(&world, 1).await;
    assert_ne!(first, second);
    succeeds(&world).await;
}

#[tokio::test]
async fn at_its_end_the_server_leaves_nothing_prepared() {
    let world = pooled(2).await;
    succeeds(&world).await;
    prepared(&world, 2).await;
    let world = world.restart().await;
    assert!(running(&world).is_empty());
    assert!(std::fs::read_dir(world.folder.path().join("run")).unwrap().next().is_none(), "sockets are removed");
}

#[tokio::test]
async fn what_a_dead_server_left_is_removed_and_running_builds_stay() {
    let world = pooled(1).await;
    succeeds(&world).await;
    prepared(&world, 1).await;
    let id = world.start(&[("SLEEP_MS", "1500"), ("OUTPUT", "said once")]).await;
    world.until(&id, |build| build.current_phase.as_deref() == Some("BUILD")).await;
    let claimed: Vec<_> = running(&world).into_keys().collect();
    let world = world.die().await;
    let orphan = engine::ContainerSpec {
        labels: [("landfall.service".to_owned(), "codebuild".to_owned())].into(),
        ..engine::ContainerSpec::new("p-00000000000000aa", ["sleep"])
    };
    world
        .engine
        .start(&engine::ContainerSpec {
            environment: [("LANDFALL_DUMMY_SLEEP_MS".to_owned(), "60000".to_owned())].into(),
            ..orphan
        })
        .await
        .unwrap();
    std::fs::create_dir_all(world.folder.path().join("run/b-00000000000000bb")).unwrap();
    let world = world.restart().await;
    let build = world.finished(&id).await;
    assert_eq!(build.build_status.as_deref(), Some("SUCCEEDED"), "its container was claimed, and stays: {claimed:?}");
    let log = world.sisters.log("/aws/codebuild/demo", &build.logs.unwrap().stream_name.unwrap());
    assert_eq!(log.matches("said once").count(), 1, "{log}");
    world.until(&id, |_| !running(&world).contains_key("p-00000000000000aa")).await;
    world.until(&id, |_| !world.folder.path().join("run/b-00000000000000bb").exists()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_sandbox_runs_a_build_and_serves_nobody_before() {
    let agent = env!("CARGO_BIN_EXE_codebuild-test-agent").into();
    let world = World::with(Settings { engine: EngineKind::Sandbox, agent, pool: 1, ..Settings::default() }).await;
    let spec = "version: 0.2\nphases:\n  build:\n    commands:\n      - exec 3<>/dev/tcp/127.0.0.1/4566 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3; echo\n      - echo \"I am $CODEBUILD_BUILD_ID\"\nenv: {shell: bash}\n";
    world.project(spec, json!({})).await;
    for number in 1..=2 {
        let id = world.try_start(json!({})).await.unwrap().id.unwrap();
        let build = world.finished(&id).await;
        let log = world.sisters.log("/aws/codebuild/demo", &build.logs.unwrap().stream_name.unwrap());
        assert_eq!(build.build_status.as_deref(), Some("SUCCEEDED"), "{log}");
        assert!(log.contains(&format!("I am {id}\n")) && log.contains("\nlandfall\n"), "{log}");
        let waiting = waiting(&world).await;
        if number == 1 {
            for socket in ["aws.sock", "credentials.sock"] {
                let socket = world.folder.path().join("run").join(&waiting).join(socket);
                assert_eq!(answer(&socket).await, None, "nobody answers before the claim");
            }
        }
    }
}

/// The id of the one container that waits, once there is one.
async fn waiting(world: &World) -> String {
    for _ in 0..1_000 {
        let found = world.engine.list("landfall.service", "codebuild").await.unwrap();
        let found: Vec<_> = found.into_iter().filter(|container| container.state == State::Running).collect();
        if let [one] = &found[..]
            && !one.labels.contains_key("landfall.build")
        {
            return one.id.clone();
        }
        world.clock.advance(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no container waits");
}

/// What a socket answers to HTTP within a moment.
async fn answer(socket: &std::path::Path) -> Option<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut text = String::new();
    let read = tokio::time::timeout(Duration::from_millis(100), stream.read_to_string(&mut text)).await;
    read.ok().map(|_| text)
}
