//! The events that tell of an execution.

use kernel::Event;
use serde_json::{Value, json};

use super::world::{World, eventually, three_stages};

/// `Action Build/Compile FAILED`.
fn line(event: &Event) -> String {
    let text = |member: &str| event.detail[member].as_str().unwrap_or_default().to_owned();
    let what = event.detail_type.split(' ').nth(1).unwrap();
    format!("{what} {}/{} {}", text("stage"), text("action"), text("state"))
}

#[tokio::test]
async fn every_change_is_told_in_its_order_with_its_fields() {
    let world = World::new();
    let mut events = world.events().await;
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.end_build(0, "FAILED", &[]).await;
    world.until(&["Failed"]).await;
    let mut told: Vec<Event> = Vec::new();
    while told
        .last()
        .is_none_or(|event| event.detail["state"] != "FAILED" || !event.detail_type.contains("Pipeline Execution"))
    {
        told.extend(events.next_batch(100).await.unwrap().into_iter().map(|delivered| delivered.event));
    }
    assert_eq!(
        told.iter().map(line).collect::<Vec<_>>(),
        [
            "Pipeline / STARTED",
            "Stage Source/ STARTED",
            "Action Source/Git STARTED",
            "Action Source/Git SUCCEEDED",
            "Stage Source/ SUCCEEDED",
            "Stage Build/ STARTED",
            "Action Build/Compile STARTED",
            "Action Build/Compile FAILED",
            "Stage Build/ FAILED",
            "Pipeline / FAILED",
        ]
    );
    let failed = &told[7];
    assert_eq!(failed.source, "aws.codepipeline");
    assert_eq!(failed.resources, ["arn:aws:codepipeline:us-east-1:000000000000:app"]);
    assert_eq!(
        failed.detail["type"],
        json!({"owner": "AWS", "category": "Build", "provider": "CodeBuild", "version": "1"})
    );
    assert_eq!(failed.detail["execution-result"]["error-code"], "JobFailed");
    assert_eq!(failed.detail["execution-result"]["external-execution-id"], "app:0");
    assert_eq!(failed.detail["input-artifacts"][0]["s3location"]["bucket"], "artifacts");
    assert_eq!(failed.detail["version"], json!(1.0));
    assert_eq!(told[0].detail["execution-trigger"]["trigger-type"], "CreatePipeline");
    assert_eq!(told[1].detail.get("execution-trigger"), None, "only the pipeline's own events have it");
    assert_eq!(told[2].detail.get("input-artifacts"), None, "a source reads nothing");
    assert_eq!(told[3].detail["execution-result"]["external-execution-id"], "c1");
    let ids: Vec<&Value> = told.iter().map(|event| &event.detail["execution-id"]).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.is_string()));
}

#[tokio::test]
async fn a_retry_is_told_as_a_resumption_with_its_attempt() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.end_build(0, "FAILED", &[]).await;
    world.until(&["Failed"]).await;
    let mut events = world.events().await;
    world.retry("Build", "FAILED_ACTIONS").await.unwrap();
    let mut told: Vec<Event> = Vec::new();
    while told.len() < 3 {
        told.extend(events.next_batch(100).await.unwrap().into_iter().map(|delivered| delivered.event));
    }
    let lines: Vec<_> = told.iter().map(line).collect();
    assert_eq!(lines[..3], ["Pipeline / RESUMED", "Stage Build/ RESUMED", "Action Build/Compile STARTED"]);
    assert!(told.iter().all(|event| event.detail["pipeline-execution-attempt"] == json!(2.0)));
    world.until_builds(2).await;
    world.end_build(1, "SUCCEEDED", &[]).await;
    let passed = |event: &Event| line(event) == "Stage Build/ SUCCEEDED";
    while !told.iter().any(passed) {
        told.extend(events.next_batch(100).await.unwrap().into_iter().map(|delivered| delivered.event));
    }
    let passed = told.iter().find(|event| passed(event)).unwrap();
    let retried = &told[1].detail["stage-last-retry-attempt-time"];
    assert_eq!(passed.detail["stage-last-retry-attempt-time"], *retried, "all that follow tell of it");
    assert!(told[1].detail["stage-last-retry-attempt-time"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn an_abandoned_action_is_told_of() {
    let world = World::new();
    let mut events = world.events().await;
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.stop(true).await.unwrap();
    let mut told: Vec<String> = Vec::new();
    while !told.iter().any(|line| line == "Action Build/Compile ABANDONED") {
        told.extend(events.next_batch(100).await.unwrap().iter().map(|delivered| line(&delivered.event)));
    }
    assert!(eventually(async || world.statuses().await == ["Stopped"]).await);
}
