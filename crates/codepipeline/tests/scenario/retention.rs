//! What is past its time is forgotten, and nothing that is still needed.

use std::time::Duration;

use aws::codepipeline::{CodePipeline, DeletePipelineInput, RetryStageExecutionInput, RollbackStageInput};
use codepipeline::model::{ActionExecution, PipelineVersion};
use kernel::retention::{Collected, Collector, Keep, Removed, Retention};
use serde_json::json;

use super::world::{World, three_stages};

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn keep(executions: Keep, artifacts: Keep) -> Retention {
    Retention { executions, artifacts, ..Retention::default() }
}

/// What was removed; what a collection names without having removed any of it is left out.
async fn collect(world: &World, retention: Retention, dry_run: bool) -> Collected {
    let mut collected = world.service.collect(&retention, dry_run).await.unwrap();
    assert_eq!(collected.len(), 2, "executions and artifacts are named always: {collected:?}");
    collected.retain(|_, removed| removed.count > 0);
    collected
}

/// A world in which `count` executions have failed in Build, one a day; their source artifacts are there.
async fn failed_daily(count: usize) -> World {
    let world = World::new();
    world.sisters.set_head("app/main", "c0");
    world.create(three_stages()).await;
    for index in 0..count {
        world.until_builds(index + 1).await;
        world.end_build(index, "FAILED", &[]).await;
        world.until(&vec!["Failed"; index + 1]).await;
        world.clock.advance(DAY);
        if index + 1 < count {
            world.push(&format!("c{}", index + 1)).await;
        }
    }
    world
}

#[tokio::test]
async fn old_executions_go_and_the_one_that_is_shown_stays() {
    let world = failed_daily(4).await;
    let retention = keep(Keep::For(DAY / 2), Keep::Forever);
    let expected = Collected::from([("pipeline executions", Removed { count: 3, bytes: 0 })]);
    assert_eq!(collect(&world, retention, true).await, expected, "a dry run counts");
    assert_eq!(world.executions().await.len(), 4, "and removes nothing");
    assert_eq!(collect(&world, retention, false).await, expected);
    assert_eq!(world.executions().await.len(), 1);
    assert_eq!(world.actions().await, ["Source/Git Succeeded", "Build/Compile Failed"]);
    assert_eq!(world.state().await["stageStates"][1]["latestExecution"]["status"], "Failed");
    assert_eq!(world.sisters.objects.lock().unwrap().len(), 4, "artifacts are their own matter");
    assert_eq!(collect(&world, retention, false).await, Collected::new());
    assert_eq!(collect(&world, keep(Keep::Forever, Keep::Forever), false).await, Collected::new());
}

#[tokio::test]
async fn artifacts_go_by_their_own_time() {
    let world = failed_daily(3).await;
    let removed = collect(&world, keep(Keep::Forever, Keep::For(DAY / 2)), true).await["pipeline artifacts"];
    assert_eq!(removed.count, 2, "two source artifacts; the builds have made none");
    assert_eq!(collect(&world, keep(Keep::Forever, Keep::For(DAY / 2)), false).await["pipeline artifacts"].count, 2);
    assert_eq!(world.sisters.objects.lock().unwrap().len(), 1);
    assert_eq!(world.executions().await.len(), 3);
    assert_eq!(collect(&world, keep(Keep::Forever, Keep::For(DAY / 2)), false).await, Collected::new());
}

#[tokio::test]
async fn an_execution_stays_as_long_as_its_artifacts() {
    let world = failed_daily(3).await;
    assert_eq!(collect(&world, keep(Keep::For(DAY / 2), Keep::For(30 * DAY)), false).await, Collected::new());
    assert_eq!(world.executions().await.len(), 3);
    world.clock.advance(31 * DAY);
    let collected = collect(&world, keep(Keep::For(DAY / 2), Keep::For(30 * DAY)), false).await;
    assert_eq!((collected["pipeline executions"].count, collected["pipeline artifacts"].count), (2, 2));
}

#[tokio::test]
async fn of_a_deleted_pipeline_nothing_is_left() {
    let world = failed_daily(2).await;
    let input = DeletePipelineInput { name: Some("app".into()) };
    world.service.delete_pipeline(&world.caller, input).await.unwrap();
    let retention = keep(Keep::For(DAY / 2), Keep::For(DAY / 2));
    let collected = collect(&world, retention, false).await;
    assert_eq!((collected["pipeline executions"].count, collected["pipeline artifacts"].count), (2, 2));
    assert!(!world.has_any::<PipelineVersion>().await, "its structure is gone too");
    assert!(!world.has_any::<ActionExecution>().await);
}

#[tokio::test]
async fn what_still_runs_is_never_old() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    let running = async || collect(&world, keep(Keep::For(DAY), Keep::For(DAY)), false).await;
    assert_eq!(running().await, Collected::new());
    world.end_build(0, "SUCCEEDED", &[]).await;
    world.until_deployments(1).await;
}

#[tokio::test]
async fn what_a_rollback_builds_upon_stays_while_it_may_be_taken_up_again() {
    let mut declaration = three_stages();
    declaration["pipelineType"] = json!("V2");
    let world = World::new();
    world.sisters.set_head("app/main", "c0");
    world.create(declaration).await;
    for index in 0..2 {
        world.until_builds(index + 1).await;
        world.end_build(index, "SUCCEEDED", &[]).await;
        world.until_deployments(index + 1).await;
        world.end_deployment(index, "Succeeded").await;
        world.until(&vec!["Succeeded"; index + 1]).await;
        world.clock.advance(DAY);
        if index == 0 {
            world.push("c1").await;
        }
    }
    let input = RollbackStageInput {
        pipeline_name: Some("app".into()),
        stage_name: Some("Deploy".into()),
        target_pipeline_execution_id: world.executions().await[0].pipeline_execution_id.clone(),
    };
    let rollback = world.service.rollback_stage(&world.caller, input).await.unwrap();
    world.until_deployments(3).await;
    let retention = keep(Keep::For(DAY / 2), Keep::For(DAY / 2));
    assert_eq!(collect(&world, retention, false).await, Collected::new(), "while it runs");
    world.end_deployment(2, "Failed").await;
    world.until(&["Succeeded", "Succeeded", "Failed"]).await;
    assert_eq!(collect(&world, retention, false).await, Collected::new(), "and when it has failed");
    let again = RetryStageExecutionInput {
        pipeline_name: Some("app".into()),
        stage_name: Some("Deploy".into()),
        pipeline_execution_id: rollback.pipeline_execution_id,
        retry_mode: Some("FAILED_ACTIONS".into()),
    };
    world.service.retry_stage_execution(&world.caller, again).await.unwrap();
    world.until_deployments(4).await;
}
