//! QUEUED and PARALLEL mode, and many hands at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws::codepipeline::{CodePipeline, StartPipelineExecutionInput};
use serde_json::{Value, json};

use super::world::{World, action, eventually, three_stages};

/// Source → Build in `mode`.
fn two_stages(mode: &str) -> Value {
    let mut declaration = three_stages();
    declaration["executionMode"] = mode.into();
    declaration["stages"].as_array_mut().unwrap().truncate(2);
    declaration
}

async fn try_start(world: &World) -> Result<(), aws::Error> {
    let input = StartPipelineExecutionInput { name: Some("app".into()), ..StartPipelineExecutionInput::default() };
    world.service.start_pipeline_execution(&world.caller, input).await.map(drop)
}

#[tokio::test]
async fn queued_executions_run_one_after_the_other_and_none_is_lost() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(two_stages("QUEUED")).await;
    world.start().await;
    world.start().await;
    world.until_builds(1).await;
    let waits = async || {
        let state = world.state().await;
        let inbound = |stage: usize| state["stageStates"][stage]["inboundExecutions"].as_array().map_or(0, Vec::len);
        inbound(0) + inbound(1) == 2 && state["stageStates"][1].get("inboundExecution").is_none()
    };
    assert!(eventually(waits).await, "both others wait: {}", world.state().await);
    for build in 0..3 {
        world.until_builds(build + 1).await;
        world.end_build(build, "SUCCEEDED", &[]).await;
    }
    world.until(&["Succeeded", "Succeeded", "Succeeded"]).await;
}

#[tokio::test]
async fn parallel_executions_run_side_by_side_and_show_no_stage_state() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(two_stages("PARALLEL")).await;
    world.start().await;
    world.until_builds(2).await;
    let state = world.state().await;
    assert_eq!(state["stageStates"][1].get("latestExecution"), None);
    assert_eq!(state["stageStates"][1]["actionStates"][0].get("latestExecution"), None);
    world.end_build(1, "SUCCEEDED", &[]).await;
    let one_is_over = async || world.statuses().await.contains(&"Succeeded".to_owned());
    assert!(eventually(one_is_over).await);
    world.end_build(0, "FAILED", &[]).await;
    let both_are_over = async || !world.statuses().await.contains(&"InProgress".to_owned());
    assert!(eventually(both_are_over).await);
    assert!(world.statuses().await.contains(&"Failed".to_owned()));
}

#[tokio::test]
async fn fifty_executions_at_once_are_the_most() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(two_stages("PARALLEL")).await;
    for _ in 0..49 {
        try_start(&world).await.unwrap();
    }
    let refused = try_start(&world).await.unwrap_err();
    assert_eq!(refused.code, "ConcurrentPipelineExecutionsLimitExceededException");
    world.until_builds(50).await;
    world.end_build(0, "SUCCEEDED", &[]).await;
    assert!(eventually(async || try_start(&world).await.is_ok()).await, "one has ended, one may start");
}

#[tokio::test]
async fn many_starts_at_once_leave_one_running_and_one_waiting() {
    let world = Arc::new(World::new());
    world.sisters.set_head("app/main", "c1");
    world.create(two_stages("SUPERSEDED")).await;
    world.until_builds(1).await;
    let starts: Vec<_> = (0..12)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.start().await })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for start in starts {
        ids.insert(start.await.unwrap());
    }
    assert_eq!(ids.len(), 12);
    let settled = async || {
        let statuses = world.statuses().await;
        statuses.iter().filter(|status| *status == "Superseded").count() == 11
    };
    assert!(eventually(settled).await, "{:?}", world.statuses().await);
    assert_eq!(world.statuses().await.last().map(String::as_str), Some("InProgress"), "the newest is never superseded");
}

#[tokio::test]
async fn many_parallel_actions_end_at_once() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    let mut declaration = two_stages("SUPERSEDED");
    let build = |index: usize| {
        action(&format!("b{index}"), "Build", "CodeBuild", &["Code"], &[], json!({"ProjectName": "app"}))
    };
    declaration["stages"][1]["actions"] = (0..30).map(build).collect();
    world.create(declaration).await;
    world.until_builds(30).await;
    for index in 0..30 {
        world.end_build(index, "SUCCEEDED", &[]).await;
    }
    world.until(&["Succeeded"]).await;
    assert_eq!(world.sisters.builds.lock().unwrap().len(), 30);
}
