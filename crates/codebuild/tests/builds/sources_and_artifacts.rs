//! What goes into a build and what comes out of it, over the dummy engine.
use crate::world::{World, phase, phases, root, zip};
use aws::internal::codebuild::{PipelineArtifact, PipelineBuilds, PipelineContext};
use serde_json::json;

const FILE: &str = "version: 0.2\nphases:\n  build:\n    commands: make\nartifacts:\n  files: out\n  secondary-artifacts:\n    Two: {files: [two]}\n";

fn status(build: &aws::codebuild::Build) -> &str {
    build.build_status.as_deref().unwrap()
}

#[tokio::test]
async fn a_zip_in_s3_becomes_an_artifact_in_s3() {
    let world = World::new().await;
    world.sisters.put("in", "app.zip", zip(&[("buildspec.yml", FILE), ("a", "b")]));
    let source = json!({"type": "S3", "location": "in/app.zip"});
    let artifacts = json!({"type": "S3", "location": "out", "path": "p", "name": "app.zip", "packaging": "ZIP"});
    world.project("", json!({"source": source, "artifacts": artifacts})).await;
    let build = world.finished(&world.start(&[]).await).await;
    assert_eq!(status(&build), "SUCCEEDED", "{build:?}");
    let artifacts = build.artifacts.unwrap();
    assert_eq!(artifacts.location.as_deref(), Some("arn:aws:s3:::out/p/app.zip"));
    assert_eq!((artifacts.sha256sum.unwrap().len(), artifacts.md5sum.unwrap().len()), (64, 32));
    assert!(world.sisters.object("out", "p/app.zip").unwrap().starts_with(b"PK"));
    assert!(!world.folder.path().join("spool").read_dir().unwrap().any(|_| true), "the spool is cleared");
}

#[tokio::test]
async fn plain_files_below_the_builds_id() {
    let world = World::new().await;
    let artifacts =
        json!({"type": "S3", "location": "out", "name": "site", "namespaceType": "BUILD_ID", "packaging": "NONE"});
    world.project(FILE, json!({"artifacts": artifacts})).await;
    let id = world.start(&[]).await;
    let build = world.finished(&id).await;
    let uuid = id.split_once(':').unwrap().1;
    assert_eq!(world.sisters.keys("out"), [format!("{uuid}/site/dummy.txt")]);
    assert_eq!(build.artifacts.unwrap().md5sum, None);
}

#[tokio::test]
async fn a_folder_of_s3_and_a_buildspec_of_another_name() {
    let world = World::new().await;
    world.sisters.put("in", "src/ci/build.yml", FILE);
    world.sisters.put("in", "src/main.c", "int main;");
    world.project("", json!({"source": {"type": "S3", "location": "in/src/", "buildspec": "ci/build.yml"}})).await;
    assert_eq!(status(&world.finished(&world.start(&[]).await).await), "SUCCEEDED");
}

#[tokio::test]
async fn a_repository_at_a_branch() {
    let world = World::new().await;
    let files = vec![("buildspec.yml".to_owned(), FILE.to_owned())];
    world.sisters.repositories.lock().unwrap().insert("app".into(), files);
    let source =
        json!({"type": "CODECOMMIT", "location": "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/app"});
    world.project("", json!({"source": source, "sourceVersion": "main"})).await;
    let build = world.finished(&world.start(&[]).await).await;
    assert_eq!((status(&build), build.resolved_source_version.clone()), ("SUCCEEDED", Some("c".repeat(40))));
}

#[tokio::test]
async fn what_is_wrong_with_a_source_or_buildspec() {
    let world = World::new().await;
    world.sisters.put("in", "empty.zip", zip(&[("a", "b")]));
    world.sisters.put(
        "in",
        "bad.zip",
        zip(&[("buildspec.yml", "version: 0.2\nphases:\n  build:\n    commands: [a: b]\n")]),
    );
    world.project(FILE, json!({})).await;
    for (overrides, code, text) in [
        (
            json!({"sourceTypeOverride": "S3", "sourceLocationOverride": "in/none.zip", "buildspecOverride": "b.yml"}),
            "CLIENT_ERROR",
            "NoSuchKey",
        ),
        (
            json!({"sourceTypeOverride": "S3", "sourceLocationOverride": "in/empty.zip", "buildspecOverride": "b.yml"}),
            "YAML_FILE_ERROR",
            "b.yml",
        ),
        (
            json!({"sourceTypeOverride": "S3", "sourceLocationOverride": "in/bad.zip", "buildspecOverride": "buildspec.yml"}),
            "YAML_FILE_ERROR",
            "Expected Commands[0] to be of string type: found subkeys instead at line 4, column 16",
        ),
        (
            json!({"sourceTypeOverride": "CODECOMMIT", "sourceLocationOverride": "nothing"}),
            "CLIENT_ERROR",
            "nothing does not exist",
        ),
        (
            json!({"sourceTypeOverride": "GITHUB", "sourceLocationOverride": "https://github.com/o/r"}),
            "CLIENT_ERROR",
            "GITHUB",
        ),
        (
            json!({"environmentVariablesOverride": [{"name": "TOKEN", "value": "/t", "type": "PARAMETER_STORE"}]}),
            "CLIENT_ERROR",
            "cannot fetch the Parameter Store value of TOKEN",
        ),
    ] {
        let id = world.try_start(overrides.clone()).await.unwrap().id.unwrap();
        let build = world.finished(&id).await;
        let (state, found, message) = phase(&build, "DOWNLOAD_SOURCE");
        assert_eq!((state.as_str(), found.as_str()), ("FAILED", code), "{overrides}: {message}");
        assert!(message.contains(text), "{overrides}: {message}");
        assert_eq!(phases(&build)[4..], ["FINALIZING", "COMPLETED"]);
    }
}

#[tokio::test]
async fn what_is_wrong_with_artifacts() {
    let world = World::new().await;
    world.project("version: 0.2\nphases: {}\n", json!({})).await;
    let zip = |bucket: &str| json!({"type": "S3", "location": bucket, "packaging": "ZIP"});
    for (overrides, text) in [
        (json!({"artifactsOverride": zip("out")}), "no definition for primary artifacts in buildspec"),
        (
            json!({"artifactsOverride": zip("missing"), "buildspecOverride": FILE}),
            "Failed to upload artifacts: NoSuchBucket",
        ),
    ] {
        let id = world.try_start(overrides).await.unwrap().id.unwrap();
        let build = world.finished(&id).await;
        let (state, code, message) = phase(&build, "UPLOAD_ARTIFACTS");
        assert_eq!((status(&build), state.as_str(), code.as_str()), ("FAILED", "FAILED", "CLIENT_ERROR"));
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn the_name_of_an_artifact_and_exported_variables() {
    let world = World::new().await;
    let spec = "version: 0.2\nenv:\n  variables: {V: one}\n  exported-variables: [V]\nphases: {}\nartifacts: {files: a, name: n.zip}\n";
    let artifacts =
        json!({"type": "S3", "location": "out", "name": "own", "packaging": "ZIP", "overrideArtifactName": true});
    world.project(spec, json!({"artifacts": artifacts})).await;
    let build = world.finished(&world.start(&[]).await).await;
    assert_eq!(world.sisters.keys("out"), ["n.zip"]);
    let exported = &build.exported_environment_variables.unwrap()[0];
    assert_eq!((exported.name.as_deref(), exported.value.as_deref()), (Some("V"), Some("one")));
}

fn context(token: &str, outputs: &[&str]) -> PipelineContext {
    let artifact = |name: &str| PipelineArtifact {
        name: name.into(),
        bucket: "store".into(),
        key: format!("pipe/{name}/1"),
        version: None,
    };
    PipelineContext {
        pipeline: "pipe".into(),
        client_token: token.into(),
        inputs: vec![artifact("Source")],
        outputs: outputs.iter().map(|name| artifact(name)).collect(),
        resolved_source_version: Some("abc".into()),
        ..PipelineContext::default()
    }
}

#[tokio::test]
async fn a_pipelines_build() {
    let world = World::new().await;
    world.sisters.put("store", "pipe/Source/1", zip(&[("buildspec.yml", FILE)]));
    let source = json!({"type": "CODEPIPELINE"});
    world.project("", json!({"source": source, "artifacts": {"type": "CODEPIPELINE"}})).await;
    assert!(world.try_start(json!({})).await.unwrap_err().message.contains("only a pipeline"));
    let first = world.service.start_pipeline_build(&root(), "demo", context("t1", &["App"])).await.unwrap();
    let again = world.service.start_pipeline_build(&root(), "demo", context("t1", &["App"])).await.unwrap();
    assert_eq!(first, again);
    let build = world.finished(&first.id).await;
    assert_eq!((status(&build), build.initiator.as_deref()), ("SUCCEEDED", Some("codepipeline/pipe")));
    assert_eq!(build.source_version.as_deref(), Some("arn:aws:s3:::store/pipe/Source/1"));
    assert_eq!(build.resolved_source_version.as_deref(), Some("abc"));
    assert!(world.sisters.object("store", "pipe/App/1").unwrap().starts_with(b"PK"));
    assert_eq!(build.artifacts.unwrap().location.as_deref(), Some("arn:aws:s3:::store/pipe/App/1"));
    let two = world.service.start_pipeline_build(&root(), "demo", context("t2", &["Two", "Three"])).await.unwrap();
    assert!(phase(&world.finished(&two.id).await, "UPLOAD_ARTIFACTS").2.contains("secondary artifact Three"));
}
