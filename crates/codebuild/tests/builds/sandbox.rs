//! Real builds: the agent in the sandbox on image `host`. Needs root and runc.
use std::io::Read;
use std::time::Duration;

use crate::world::{Settings, World, phase, phases, zip};
use aws::codebuild::Build;
use engine::EngineKind;
use serde_json::json;

async fn sandboxed() -> World {
    let agent = env!("CARGO_BIN_EXE_codebuild-test-agent").into();
    World::with(Settings { engine: EngineKind::Sandbox, agent, ..Settings::default() }).await
}

/// Runs one build of a project with this buildspec and answers it with its log.
async fn run(world: &World, buildspec: &str) -> (Build, String) {
    let id = world.try_start(json!({"buildspecOverride": buildspec})).await.unwrap().id.unwrap();
    let build = world.finished(&id).await;
    let log = log(world, &build);
    (build, log)
}

fn log(world: &World, build: &Build) -> String {
    let stream = build.logs.as_ref().and_then(|logs| logs.stream_name.clone()).unwrap_or_default();
    world.sisters.log("/aws/codebuild/demo", &stream)
}

fn status(build: &Build) -> &str {
    build.build_status.as_deref().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_share_a_shell_and_see_their_surroundings() {
    let world = sandboxed().await;
    world.project("version: 0.2\nphases: {}\n", json!({})).await;
    let (build, log) = run(
        &world,
        r#"
version: 0.2
env:
  shell: bash
  variables: {GREETING: "hello there"}
  exported-variables: [RESULT]
phases:
  install:
    commands:
      - mkdir -p deep && cd deep
      - export RESULT="from install"
  build:
    commands:
      - echo "in $(basename "$PWD") with $RESULT and $GREETING"
      - echo "build $CODEBUILD_BUILD_NUMBER of $CODEBUILD_BUILD_ID succeeding=$CODEBUILD_BUILD_SUCCEEDING"
      - exec 3<>/dev/tcp/127.0.0.1/4566 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && tail -n 1 <&3; echo
      - exec 4<>/dev/tcp/169.254.170.2/80 && printf "GET $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI HTTP/1.0\r\n\r\n" >&4 && cat <&4; echo
      - |
        if true; then
          RESULT="from build"
        fi
"#,
    )
    .await;
    assert_eq!(status(&build), "SUCCEEDED", "{log}");
    for text in
        ["in deep with from install and hello there\n", "succeeding=1\n", "landfall\n", "\"AccessKeyId\":\"ASIATEST\""]
    {
        assert!(log.contains(text), "{text} in {log}");
    }
    let exported = build.exported_environment_variables.unwrap();
    assert_eq!(exported[0].value.as_deref(), Some("from build"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_finally_and_on_failure() {
    let world = sandboxed().await;
    world.project("version: 0.2\nphases: {}\n", json!({})).await;
    let (build, log) = run(
        &world,
        "version: 0.2\nphases:\n  build:\n    commands: [echo before, exit 3, echo never]\n    finally: [echo cleaned]\n  post_build:\n    commands: ['echo succeeding=$CODEBUILD_BUILD_SUCCEEDING']\n",
    )
    .await;
    assert_eq!(status(&build), "FAILED", "{log}");
    assert_eq!(phase(&build, "BUILD").2, "Error while executing command: exit 3. Reason: exit status 3");
    assert!(log.contains("cleaned\n") && log.contains("succeeding=0\n") && !log.contains("\nnever\n"), "{log}");
    assert!(log.contains("Phase complete: BUILD State: FAILED"), "{log}");

    let abort = "version: 0.2\nphases:\n  build: {on-failure: ABORT, commands: ['false']}\n  post_build: {commands: [echo late]}\n";
    let (build, log) = run(&world, abort).await;
    assert!(status(&build) == "FAILED" && !phases(&build).contains(&"POST_BUILD"), "{log}");

    let go_on = "version: 0.2\nphases:\n  pre_build: {on-failure: CONTINUE, commands: ['false']}\n  build: {commands: [echo went on]}\n";
    let (build, log) = run(&world, go_on).await;
    assert!(status(&build) == "FAILED" && log.contains("went on\n"), "{log}");
    assert_eq!((phase(&build, "PRE_BUILD").0, phase(&build, "BUILD").0), ("FAILED".into(), "SUCCEEDED".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_built_into_an_artifact() {
    let world = sandboxed().await;
    let spec = "version: 0.2\nphases:\n  build:\n    commands:\n      - tr a-z A-Z < in.txt > out.txt\nartifacts:\n  files: ['**/*']\n  exclude-paths: [in.txt]\n  name: app-$CODEBUILD_BUILD_NUMBER.zip\n";
    world.sisters.put("in", "app.zip", zip(&[("buildspec.yml", spec), ("in.txt", "shout"), ("d/e.txt", "deep")]));
    let artifacts = json!({"type": "S3", "location": "out", "packaging": "ZIP", "overrideArtifactName": true});
    world.project("", json!({"source": {"type": "S3", "location": "in/app.zip"}, "artifacts": artifacts})).await;
    let build = world.finished(&world.try_start(json!({})).await.unwrap().id.unwrap()).await;
    assert_eq!(status(&build), "SUCCEEDED", "{}", log(&world, &build));
    let object = world.sisters.object("out", "app-1.zip").unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(object)).unwrap();
    let mut names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["buildspec.yml", "d/e.txt", "out.txt"]);
    let mut text = String::new();
    archive.by_name("out.txt").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "SHOUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_build_is_stopped() {
    let world = sandboxed().await;
    world.project("version: 0.2\nphases:\n  build:\n    commands: [sleep 300]\n", json!({})).await;
    let id = world.try_start(json!({})).await.unwrap().id.unwrap();
    world.until(&id, |build| build.current_phase.as_deref() == Some("BUILD")).await;
    world.stop_build(&id).await;
    let build = world.finished(&id).await;
    assert_eq!((status(&build), phase(&build, "BUILD").0.as_str()), ("STOPPED", "STOPPED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_outlives_its_server() {
    let world = sandboxed().await;
    let spec = "version: 0.2\nphases:\n  build:\n    commands:\n      - for i in 1 2 3 4 5 6 7 8; do echo line $i of 8; sleep 0.3; done\n";
    world.project(spec, json!({})).await;
    let id = world.try_start(json!({})).await.unwrap().id.unwrap();
    world.until(&id, |build| build.current_phase.as_deref() == Some("BUILD")).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let world = world.restart().await;
    let build = world.finished(&id).await;
    let log = log(&world, &build);
    assert_eq!(status(&build), "SUCCEEDED", "{log}");
    for line in 1..=8 {
        assert_eq!(log.matches(&format!("\nline {line} of 8\n")).count(), 1, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_buildspec_is_told_with_its_place() {
    let world = sandboxed().await;
    world.project("version: 0.2\nphases: {}\n", json!({})).await;
    let (build, _) = run(&world, "version: 0.2\nphases:\n  build:\n    commands: [a\n  post_build: b\n").await;
    let (state, code, message) = phase(&build, "DOWNLOAD_SOURCE");
    assert_eq!((state.as_str(), code.as_str()), ("FAILED", "YAML_FILE_ERROR"));
    assert!(message.contains("at line 5, column "), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_legacy_grammar_and_secondary_sources() {
    let world = sandboxed().await;
    world.sisters.put("in", "two.zip", zip(&[("two.txt", "from the second source")]));
    let second = json!([{"type": "S3", "location": "in/two.zip", "sourceIdentifier": "Two"}]);
    world.project("version: 0.2\nphases: {}\n", json!({"secondarySources": second})).await;
    let (build, log) = run(
        &world,
        "version: 0.1\nenvironment_variables: {plaintext: {A: plain}}\nphases:\n  build:\n    commands:\n      - cd /usr && B=set\n      - 'echo \"in $PWD with $A and <$B>\"'\n      - cat $CODEBUILD_SRC_DIR_Two/two.txt; echo\n",
    )
    .await;
    assert_eq!(status(&build), "SUCCEEDED", "{log}");
    assert!(log.contains("/src with plain and <>\n") && log.contains("from the second source\n"), "{log}");
}
