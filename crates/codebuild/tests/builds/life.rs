//! The lives of builds, over the dummy engine.
use std::time::Duration;

use crate::world::{Settings, World, events, phase, phases};
use serde_json::json;

const ALL: [&str; 11] = [
    "SUBMITTED",
    "QUEUED",
    "PROVISIONING",
    "DOWNLOAD_SOURCE",
    "INSTALL",
    "PRE_BUILD",
    "BUILD",
    "POST_BUILD",
    "UPLOAD_ARTIFACTS",
    "FINALIZING",
    "COMPLETED",
];
const SPEC: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - make all\n";

fn status(build: &aws::codebuild::Build) -> &str {
    build.build_status.as_deref().unwrap()
}

#[tokio::test]
async fn a_build_succeeds() {
    let world = World::new().await;
    let mut subscription = world.subscribe().await;
    world.project(SPEC, json!({})).await;
    let build = world.finished(&world.start(&[("OUTPUT", "hello from the build")]).await).await;
    assert_eq!(
        (status(&build), build.current_phase.as_deref(), build.build_number),
        ("SUCCEEDED", Some("COMPLETED"), Some(1))
    );
    assert_eq!(phases(&build), ALL);
    assert_eq!(phase(&build, "BUILD"), ("SUCCEEDED".into(), String::new(), String::new()));
    let logs = build.logs.unwrap();
    let log = world.sisters.log("/aws/codebuild/demo", logs.stream_name.as_deref().unwrap());
    assert_eq!(logs.group_name.as_deref(), Some("/aws/codebuild/demo"));
    for line in
        ["hello from the build\n", "Phase complete: DOWNLOAD_SOURCE State: SUCCEEDED\n", "YAML location is inline\n"]
    {
        assert!(log.contains(line), "{line} in {log}");
    }
    let events = events(&mut subscription).await;
    let states: Vec<_> = events.iter().filter(|event| event.detail_type.ends_with("State Change")).collect();
    assert_eq!(
        states.iter().map(|event| event.detail["build-status"].as_str().unwrap()).collect::<Vec<_>>(),
        ["IN_PROGRESS", "SUCCEEDED"]
    );
    assert_eq!(events.len() - states.len(), ALL.len() - 1, "each phase that ends is an event");
    assert_eq!(states[1].resources, [build.arn.unwrap()]);
    assert_eq!(world.starts(), [1]);
    assert!(std::fs::read_dir(world.folder.path().join("run")).unwrap().next().is_none(), "sockets are removed");
}

#[tokio::test]
async fn a_command_that_exits_3_fails_its_build() {
    let world = World::new().await;
    world.project(SPEC, json!({})).await;
    let build = world.finished(&world.start(&[("EXIT", "3")]).await).await;
    assert_eq!(status(&build), "FAILED");
    assert_eq!(
        phase(&build, "BUILD"),
        (
            "FAILED".into(),
            "COMMAND_EXECUTION_ERROR".into(),
            "Error while executing command: make all. Reason: exit status 3".into()
        )
    );
    assert_eq!(phase(&build, "POST_BUILD").0, "SUCCEEDED");
    assert_eq!(phases(&build), ALL);
}

#[tokio::test]
async fn on_failure_abort_ends_the_phases() {
    let world = World::new().await;
    world.project("version: 0.2\nphases:\n  build:\n    on-failure: ABORT\n    commands: make\n", json!({})).await;
    let build = world.finished(&world.start(&[("EXIT", "1")]).await).await;
    assert_eq!((status(&build), phases(&build).contains(&"POST_BUILD")), ("FAILED", false));
}

#[tokio::test]
async fn a_stopped_build() {
    let world = World::new().await;
    world.project(SPEC, json!({})).await;
    let id = world.start(&[("SLEEP_MS", "60000")]).await;
    world.until(&id, |build| build.current_phase.as_deref() == Some("BUILD")).await;
    assert_eq!(world.stop_build(&id).await.build_complete, Some(false));
    let build = world.finished(&id).await;
    assert_eq!((status(&build), phase(&build, "BUILD").0.as_str()), ("STOPPED", "STOPPED"));
    assert_eq!(phases(&build)[7..], ["FINALIZING", "COMPLETED"]);
    assert_eq!(status(&world.stop_build(&id).await), "STOPPED", "a finished build is answered as it is");
}

#[tokio::test]
async fn a_build_runs_out_of_time() {
    let world = World::new().await;
    world.project(SPEC, json!({"timeoutInMinutes": 5})).await;
    let id = world.start(&[("SLEEP_MS", "60000")]).await;
    world.until(&id, |build| build.current_phase.as_deref() == Some("BUILD")).await;
    world.pass(Duration::from_secs(301)).await;
    let build = world.finished(&id).await;
    assert_eq!((status(&build), phase(&build, "BUILD").0.as_str()), ("TIMED_OUT", "TIMED_OUT"));
    assert!(!phases(&build).contains(&"POST_BUILD"));
}

#[tokio::test]
async fn builds_wait_for_their_turn_in_order() {
    let world = World::with(Settings { concurrency: 1, ..Settings::default() }).await;
    world.project(SPEC, json!({"queuedTimeoutInMinutes": 5})).await;
    let first = world.start(&[("SLEEP_MS", "60000")]).await;
    world.until(&first, |build| build.current_phase.as_deref() == Some("BUILD")).await;
    world.pass(Duration::from_secs(5)).await;
    let second = world.start(&[]).await;
    let third = world.start(&[]).await;
    assert_eq!(world.build(&second).await.current_phase.as_deref(), Some("QUEUED"));
    world.stop_build(&third).await;
    let third = world.finished(&third).await;
    assert_eq!((status(&third), phases(&third)), ("STOPPED", vec!["SUBMITTED", "QUEUED", "COMPLETED"]));
    world.pass(Duration::from_secs(301)).await;
    assert_eq!(phase(&world.finished(&second).await, "QUEUED").0, "TIMED_OUT");
    let fourth = world.start(&[]).await;
    world.stop_build(&first).await;
    assert_eq!(status(&world.finished(&fourth).await), "SUCCEEDED");
}

#[tokio::test]
async fn the_projects_own_limit() {
    let world = World::new().await;
    world.project(SPEC, json!({"concurrentBuildLimit": 1})).await;
    let first = world.start(&[("SLEEP_MS", "60000")]).await;
    let error = world.try_start(json!({})).await.unwrap_err();
    assert!(error.is("AccountLimitExceededException") && error.message.contains("more than 1 builds"), "{error}");
    world.stop_build(&first).await;
    world.finished(&first).await;
    assert_eq!(world.try_start(json!({})).await.unwrap().build_number, Some(2));
}

#[tokio::test]
async fn a_container_that_dies_is_a_fault() {
    let world = World::new().await;
    world.project(SPEC, json!({})).await;
    let build = world.finished(&world.start(&[("KILL", "9")]).await).await;
    let (state, _, message) = phase(&build, "BUILD");
    assert_eq!((status(&build), state.as_str()), ("FAULT", "FAULT"));
    assert!(message.starts_with("Build container found dead before completing the build."), "{message}");
    assert_eq!(world.starts(), [1]);
}

#[tokio::test]
async fn a_build_goes_on_after_a_restart_of_the_server() {
    let world = World::new().await;
    world.project(SPEC, json!({})).await;
    let id = world.start(&[("SLEEP_MS", "1500"), ("OUTPUT", "said once")]).await;
    let running = world.until(&id, |build| build.current_phase.as_deref() == Some("BUILD")).await;
    let world = world.restart().await;
    let build = world.finished(&id).await;
    assert_eq!((status(&build), phases(&build)), ("SUCCEEDED", ALL.to_vec()));
    assert_eq!(build.start_time, running.start_time);
    let log = world.sisters.log("/aws/codebuild/demo", build.logs.unwrap().stream_name.as_deref().unwrap());
    assert_eq!(log.matches("said once").count(), 1, "{log}");
    assert_eq!(world.starts(), [1]);
}

#[tokio::test]
async fn a_queued_build_starts_after_a_restart() {
    let world = World::with(Settings { concurrency: 1, ..Settings::default() }).await;
    world.project(SPEC, json!({})).await;
    let first = world.start(&[("SLEEP_MS", "1000")]).await;
    world.until(&first, |build| build.current_phase.as_deref() == Some("BUILD")).await;
    let second = world.start(&[]).await;
    let world = world.restart().await;
    // A step that a stop cut off is taken up again after a short back-off.
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(status(&world.finished(&first).await), "SUCCEEDED");
    assert_eq!(status(&world.finished(&second).await), "SUCCEEDED");
    assert_eq!(world.starts(), [1, 1]);
}

#[tokio::test]
async fn an_image_that_is_not_trusted() {
    let world = World::with(Settings { trust_host_image: false, ..Settings::default() }).await;
    world.project(SPEC, json!({})).await;
    let build = world.finished(&world.start(&[]).await).await;
    let (state, code, message) = phase(&build, "PROVISIONING");
    assert_eq!((state.as_str(), code.as_str()), ("FAILED", "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"));
    assert!(message.contains("--trust-host-image"), "{message}");
    assert_eq!(phases(&build)[3..], ["FINALIZING", "COMPLETED"]);
}

#[tokio::test]
async fn a_role_that_does_not_trust_codebuild() {
    let world = World::new().await;
    world.project(SPEC, json!({"serviceRole": "arn:aws:iam::123456789012:role/untrusting"})).await;
    let build = world.finished(&world.start(&[]).await).await;
    let (state, code, message) = phase(&build, "PROVISIONING");
    assert_eq!((state.as_str(), code.as_str()), ("FAILED", "CLIENT_ERROR"));
    assert!(message.contains("sts:AssumeRole"), "{message}");
    assert!(world.starts().is_empty());
}

#[tokio::test]
async fn a_build_that_can_never_be_carried_on_can_still_be_stopped() {
    let world = World::new().await;
    let padding = format!("# {}\n", "x".repeat(10_000));
    world.project(&format!("{padding}{SPEC}"), json!({})).await;
    let id = world.start(&[("SLEEP_MS", "60000")]).await;
    world.until(&id, |build| build.current_phase.as_deref() == Some("BUILD")).await;
    std::fs::remove_dir_all(world.folder.path().join("blobs/codebuild")).unwrap();
    let world = world.restart().await;
    let mut subscription = world.subscribe().await;
    // The answer would show the buildspec, which is lost; the build is stopped all the same.
    let input = aws::codebuild::StopBuildInput { id: Some(id) };
    assert!(aws::codebuild::CodeBuild::stop_build(&*world.service, &crate::world::root(), input).await.is_err());
    let stopped = async {
        while !events(&mut subscription).await.iter().any(|event| event.detail["build-status"] == "STOPPED") {}
    };
    tokio::time::timeout(Duration::from_secs(20), stopped).await.unwrap();
}

#[tokio::test]
async fn a_failing_build_is_tried_again_as_often_as_its_project_says() {
    let world = World::new().await;
    world.project(SPEC, json!({"autoRetryLimit": 2})).await;
    let first = world.start(&[("EXIT", "7")]).await;
    let next = |build: &aws::codebuild::Build| build.auto_retry_config.clone().unwrap().next_auto_retry;
    let mut build = world.finished(&first).await;
    for number in 1..=2 {
        let arn = next(&build).unwrap();
        let (_, id) = arn.split_once("build/").unwrap();
        let following = world.finished(id).await;
        let tries = following.auto_retry_config.clone().unwrap();
        assert_eq!((tries.auto_retry_number, tries.previous_auto_retry), (Some(number), build.arn));
        assert_eq!(following.build_number, Some(i64::from(number) + 1));
        build = following;
    }
    assert_eq!((next(&build), build.build_status.as_deref()), (None, Some("FAILED")));
    assert_eq!(world.starts(), [1; 3]);
}
