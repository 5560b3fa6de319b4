//! CodeBuild's operations, as their callers see them.
use crate::world::{Settings, World, root, scope};
use aws::codebuild::*;
use serde_json::json;

const SPEC: &str = "version: 0.2\nphases:\n  build:\n    commands: make\n";
const UNKNOWN: &str = "demo:01234567-89ab-4cde-8f01-23456789abcd";

fn arn(name: &str) -> String {
    format!("arn:aws:codebuild:{}:{}:project/{name}", scope().region, scope().account)
}

fn input<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

async fn demo(world: &World) -> Project {
    let found = world.service.batch_get_projects(&root(), input(json!({"names": ["demo"]}))).await.unwrap();
    found.projects.unwrap().remove(0)
}

#[tokio::test]
async fn projects_are_made_changed_and_deleted() {
    let world = World::new().await;
    world.project(SPEC, json!({"description": "first"})).await;
    let project = demo(&world).await;
    assert_eq!((project.timeout_in_minutes, project.queued_timeout_in_minutes), (Some(60), Some(480)));
    assert_eq!(project.encryption_key.as_deref(), Some("arn:aws:kms:us-east-1:123456789012:alias/aws/s3"));
    assert_eq!(project.source.unwrap().buildspec.as_deref(), Some(SPEC));
    let update = json!({"name": "demo", "timeoutInMinutes": 7, "source": {"type": "S3", "location": "b/k"}});
    world.service.update_project(&root(), input(update)).await.unwrap();
    let project = demo(&world).await;
    assert_eq!((project.timeout_in_minutes, project.description.as_deref()), (Some(7), Some("first")));
    assert_eq!(project.source.unwrap().buildspec, None);
    for _ in 0..2 {
        world.service.delete_project(&root(), input(json!({"name": "demo"}))).await.unwrap();
    }
    let gone = world.service.batch_get_projects(&root(), input(json!({"names": ["demo"]}))).await.unwrap();
    assert_eq!((gone.projects.unwrap().len(), gone.projects_not_found.unwrap()), (0, vec!["demo".to_owned()]));
}

#[tokio::test]
async fn a_long_buildspec_lies_in_a_blob() {
    let world = World::new().await;
    let spec = format!("{SPEC}# {}\n", "x".repeat(200_000));
    world.project(&spec, json!({})).await;
    assert_eq!(demo(&world).await.source.unwrap().buildspec.as_deref(), Some(spec.as_str()));
    let build = world.finished(&world.start(&[]).await).await;
    assert_eq!(build.source.unwrap().buildspec.as_deref(), Some(spec.as_str()));
}

#[tokio::test]
async fn errors_have_awss_shapes_and_texts() {
    let world = World::new().await;
    world.project(SPEC, json!({})).await;
    let service = &world.service;
    let again = json!({"name": "demo", "source": {"type": "NO_SOURCE", "buildspec": SPEC}, "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"type": "LINUX_CONTAINER", "image": "host", "computeType": "BUILD_GENERAL1_SMALL"}, "serviceRole": crate::world::ROLE});
    let mut foreign = again.clone();
    foreign["serviceRole"] = json!("arn:aws:iam::999999999999:role/build");
    foreign["name"] = json!("other");
    for (error, code, text) in [
        (
            service.create_project(&root(), input(again)).await.err(),
            "ResourceAlreadyExistsException",
            format!("Project already exists: {}", arn("demo")),
        ),
        (
            service.create_project(&root(), input(foreign)).await.err(),
            "InvalidInputException",
            "Invalid service role: Service role account ID does not match caller's account".into(),
        ),
        (
            service.update_project(&root(), input(json!({"name": "none"}))).await.err(),
            "ResourceNotFoundException",
            format!("Project cannot be found: {}", arn("none")),
        ),
        (
            service.start_build(&root(), input(json!({"projectName": "none"}))).await.err(),
            "ResourceNotFoundException",
            format!("Project cannot be found: {}", arn("none")),
        ),
        (
            service.stop_build(&root(), input(json!({"id": "demo"}))).await.err(),
            "InvalidInputException",
            "Invalid build ID provided".into(),
        ),
        (
            service.stop_build(&root(), input(json!({"id": UNKNOWN}))).await.err(),
            "ResourceNotFoundException",
            format!("Build {UNKNOWN} does not exist"),
        ),
        (
            service.list_builds_for_project(&root(), input(json!({"projectName": "none"}))).await.err(),
            "ResourceNotFoundException",
            format!("The provided project {} does not exist", arn("none")),
        ),
        (
            service.list_builds(&root(), input(json!({"nextToken": "x"}))).await.err(),
            "InvalidInputException",
            "Invalid nextToken".into(),
        ),
    ] {
        let error = error.unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, text.as_str()));
    }
}

#[tokio::test]
async fn an_idempotency_token_starts_one_build() {
    let world = World::new().await;
    world.project(SPEC, json!({})).await;
    let start =
        |value: &str| json!({"idempotencyToken": "t", "environmentVariablesOverride": [{"name": "A", "value": value}]});
    let first = world.try_start(start("1")).await.unwrap();
    assert_eq!(world.try_start(start("1")).await.unwrap().id, first.id);
    assert!(world.try_start(start("2")).await.unwrap_err().is("InvalidInputException"));
    world.pass(std::time::Duration::from_secs(300)).await;
    assert_ne!(world.try_start(start("2")).await.unwrap().id, first.id);
}

#[tokio::test]
async fn builds_are_listed_newest_first_and_in_pages() {
    let world = World::with(Settings { concurrency: 1, ..Settings::default() }).await;
    world.project(SPEC, json!({})).await;
    let mut started = vec![];
    for _ in 0..103 {
        started.push(world.start(&[]).await);
        world.clock.advance(std::time::Duration::from_millis(10));
    }
    started.reverse();
    let page = world.service.list_builds_for_project(&root(), input(json!({"projectName": "demo"}))).await.unwrap();
    assert_eq!(page.ids.unwrap(), started[..100]);
    let next = json!({"projectName": "demo", "nextToken": page.next_token.unwrap()});
    let page = world.service.list_builds_for_project(&root(), input(next)).await.unwrap();
    assert_eq!((page.ids.unwrap(), page.next_token), (started[100..].to_vec(), None));
    let oldest = world.service.list_builds(&root(), input(json!({"sortOrder": "ASCENDING"}))).await.unwrap();
    assert_eq!(oldest.ids.unwrap()[0], started[102]);
}

#[tokio::test]
async fn a_build_is_retried_and_deleted() {
    let world = World::new().await;
    world.project(SPEC, json!({})).await;
    let first = world.start(&[("EXIT", "1")]).await;
    world.finished(&first).await;
    world.service.update_project(&root(), input(json!({"name": "demo", "timeoutInMinutes": 9}))).await.unwrap();
    let second = world.service.retry_build(&root(), input(json!({"id": first}))).await.unwrap().build.unwrap();
    assert_eq!((second.build_number, second.timeout_in_minutes), (Some(2), Some(60)));
    let second = world.finished(&second.id.unwrap()).await;
    assert_eq!(second.build_status.as_deref(), Some("FAILED"));
    let running = world.start(&[("SLEEP_MS", "60000")]).await;
    let delete = json!({"ids": [first, running, UNKNOWN]});
    let deleted = world.service.batch_delete_builds(&root(), input(delete)).await.unwrap();
    assert_eq!(deleted.builds_deleted.unwrap(), [format!("arn:aws:codebuild:us-east-1:123456789012:build/{first}")]);
    let kept: Vec<_> = deleted.builds_not_deleted.unwrap().into_iter().map(|kept| kept.status_code.unwrap()).collect();
    assert_eq!(kept, ["BUILD_IN_PROGRESS", "BUILD_NOT_FOUND"]);
    world.stop_build(&running).await;
    world.finished(&running).await;
}

#[tokio::test]
async fn the_images_that_consoles_offer() {
    let world = World::new().await;
    let images = world.service.list_curated_environment_images(&root(), Default::default()).await.unwrap();
    assert!(serde_json::to_string(&images).unwrap().contains("aws/codebuild/standard:7.0"));
}
