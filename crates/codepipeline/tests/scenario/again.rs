//! Retries, rollbacks, transitions and tags through the API.

use std::sync::Arc;

use aws::codepipeline::{
    CodePipeline, DisableStageTransitionInput, EnableStageTransitionInput, ListTagsForResourceInput,
    RollbackStageInput, Tag, TagResourceInput, UntagResourceInput, UpdatePipelineInput,
};
use serde_json::{Value, json};

use super::world::{World, eventually, three_stages};

/// A world in which execution 1 failed in Build.
async fn failed(declaration: Value) -> World {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(declaration).await;
    world.until_builds(1).await;
    world.end_build(0, "FAILED", &[]).await;
    world.until(&["Failed"]).await;
    world
}

fn v2() -> Value {
    let mut declaration = three_stages();
    declaration["pipelineType"] = json!("V2");
    declaration
}

#[tokio::test]
async fn a_retried_build_goes_on_to_the_end_with_the_same_commit() {
    let world = failed(three_stages()).await;
    world.sisters.set_head("app/main", "c2");
    world.retry("Build", "FAILED_ACTIONS").await.unwrap();
    world.until_builds(2).await;
    assert_eq!(world.statuses().await, ["InProgress"]);
    let metadata = world.state().await["stageStates"][1]["retryStageMetadata"].clone();
    assert_eq!(metadata, json!({"manualStageRetryAttempt": 1, "latestRetryTrigger": "ManualStageRetry"}));
    world.end_build(1, "SUCCEEDED", &[]).await;
    world.until_deployments(1).await;
    world.end_deployment(0, "Succeeded").await;
    world.until(&["Succeeded"]).await;
    let builds = world.sisters.builds.lock().unwrap().clone();
    assert_eq!(builds[1].0.resolved_source_version.as_deref(), Some("c1"));
    assert_ne!(builds[0].0.client_token, builds[1].0.client_token);
    let details = world.action_details().await;
    assert_eq!(details.len(), 4, "each attempt is in the history: {:?}", world.actions().await);
}

#[tokio::test]
async fn a_retried_source_keeps_the_revision_that_was_found() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    let mut declaration = three_stages();
    let mut second = declaration["stages"][0]["actions"][0].clone();
    second["name"] = json!("Other");
    second["namespace"] = json!("O");
    second["outputArtifacts"] = json!([{"name": "Other"}]);
    second["configuration"]["BranchName"] = json!("other");
    declaration["stages"][0]["actions"].as_array_mut().unwrap().push(second);
    world.create(declaration).await;
    world.until(&["Failed"]).await;
    world.sisters.set_head("app/main", "c2");
    world.sisters.set_head("app/other", "d2");
    world.retry("Source", "ALL_ACTIONS").await.unwrap();
    world.until_builds(1).await;
    let revisions = world.executions().await[0].source_revisions.clone().unwrap();
    let mut found: Vec<_> =
        revisions.into_iter().filter_map(|found| found.action_name.zip(found.revision_id)).collect();
    found.sort();
    assert_eq!(found, [("Git", "c1"), ("Other", "d2")].map(|(action, id)| (action.to_owned(), id.to_owned())));
}

#[tokio::test]
async fn of_many_retries_at_once_one_counts() {
    let world = Arc::new(failed(three_stages()).await);
    let retries: Vec<_> = (0..6)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.retry("Build", "FAILED_ACTIONS").await })
        })
        .collect();
    let mut counted = 0;
    for retry in retries {
        match retry.await.unwrap() {
            Ok(()) => counted += 1,
            Err(error) => assert_eq!(error.code, "StageNotRetryableException"),
        }
    }
    assert_eq!(counted, 1);
    world.until_builds(2).await;
}

#[tokio::test]
async fn stop_and_completion_at_once_leave_one_end() {
    for abandon in [false, true] {
        let world = World::new();
        world.sisters.set_head("app/main", "c1");
        world.create(three_stages()).await;
        world.until_builds(1).await;
        let (stopped, ()) = tokio::join!(world.stop(abandon), world.end_build(0, "SUCCEEDED", &[]));
        stopped.unwrap();
        world.until(&["Stopped"]).await;
        let build = world.actions().await[1].clone();
        assert!(["Build/Compile Succeeded", "Build/Compile Abandoned"].contains(&build.as_str()), "{build}");
        // The next action may have begun before the stop came: then the history says so, and it ran once at most.
        let begun = world.actions().await.iter().filter(|action| action.starts_with("Deploy/")).count();
        assert!(begun <= 1 && world.sisters.deployments.lock().unwrap().len() <= begun);
    }
}

#[tokio::test]
async fn what_cannot_be_retried_says_why() {
    let world = failed(three_stages()).await;
    let code = async |stage: &str, mode: &str| world.retry(stage, mode).await.unwrap_err().code.to_string();
    assert_eq!(code("Nope", "ALL_ACTIONS").await, "StageNotFoundException");
    assert_eq!(code("Source", "ALL_ACTIONS").await, "StageNotRetryableException");
    world.start().await;
    world.until_builds(2).await;
    assert_eq!(code("Build", "ALL_ACTIONS").await, "NotLatestPipelineExecutionException");
    world.end_build(1, "FAILED", &[]).await;
    world.until(&["Failed", "Failed"]).await;
    let input = UpdatePipelineInput { pipeline: Some(serde_json::from_value(three_stages()).unwrap()) };
    world.service.update_pipeline(&world.caller, input).await.unwrap();
    assert_eq!(code("Build", "ALL_ACTIONS").await, "StageNotRetryableException");
}

#[tokio::test]
async fn a_stage_that_retries_itself_is_begun_twice() {
    let mut declaration = v2();
    declaration["stages"][1]["onFailure"] =
        json!({"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}});
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(declaration).await;
    world.until_builds(1).await;
    world.end_build(0, "FAILED", &[]).await;
    world.until_builds(2).await;
    let metadata = world.state().await["stageStates"][1]["retryStageMetadata"].clone();
    assert_eq!(metadata, json!({"autoStageRetryAttempt": 1, "latestRetryTrigger": "AutomatedStageRetry"}));
    world.end_build(1, "FAILED", &[]).await;
    world.until(&["Failed"]).await;
}

/// A world in which execution 1 has deployed `c1` and execution 2 deploys `c2`.
async fn deployed_twice(declaration: Value) -> World {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(declaration).await;
    for round in 0..2 {
        if round > 0 {
            world.push("c2").await;
        }
        world.until_builds(round + 1).await;
        world.end_build(round, "SUCCEEDED", &[]).await;
        world.until_deployments(round + 1).await;
        if round == 0 {
            world.end_deployment(0, "Succeeded").await;
            world.until(&["Succeeded"]).await;
        }
    }
    world
}

async fn roll_back(world: &World, target: usize, stage: &str) -> Result<String, aws::Error> {
    let target = world.executions().await[target].pipeline_execution_id.clone();
    let input = RollbackStageInput {
        pipeline_name: Some("app".into()),
        stage_name: Some(stage.into()),
        target_pipeline_execution_id: target,
    };
    let begun = world.service.rollback_stage(&world.caller, input).await?;
    Ok(begun.pipeline_execution_id.unwrap())
}

fn deployed_key(world: &World, index: usize) -> String {
    let (deployment, _) = world.sisters.deployments.lock().unwrap()[index].clone();
    deployment.revision.unwrap().s3_location.unwrap().key.unwrap()
}

#[tokio::test]
async fn a_stage_goes_back_to_what_an_earlier_execution_made_of_it() {
    let world = deployed_twice(v2()).await;
    let busy = roll_back(&world, 0, "Deploy").await.unwrap_err();
    assert_eq!(busy.code, "UnableToRollbackStageException", "execution 2 is in the stage");
    world.end_deployment(1, "Succeeded").await;
    world.until(&["Succeeded", "Succeeded"]).await;
    let id = roll_back(&world, 0, "Deploy").await.unwrap();
    world.until_deployments(3).await;
    assert_eq!(deployed_key(&world, 2), deployed_key(&world, 0), "the artifact of execution 1, not built again");
    world.end_deployment(2, "Succeeded").await;
    world.until(&["Succeeded", "Succeeded", "Succeeded"]).await;
    let rollback = world.executions().await.remove(2);
    assert_eq!(rollback.pipeline_execution_id.as_deref(), Some(id.as_str()));
    assert_eq!(rollback.execution_type.as_deref(), Some("ROLLBACK"));
    assert_eq!(rollback.trigger.unwrap().trigger_type.as_deref(), Some("ManualRollback"));
    assert_eq!(rollback.source_revisions.unwrap()[0].revision_id.as_deref(), Some("c1"));
    let target = rollback.rollback_metadata.unwrap().rollback_target_pipeline_execution_id;
    assert_eq!(target, world.executions().await[0].pipeline_execution_id);
    assert_eq!(world.state().await["stageStates"][2]["latestExecution"]["type"], "ROLLBACK");
    assert_eq!(world.sisters.builds.lock().unwrap().len(), 2);
    let itself = roll_back(&world, 2, "Deploy").await.unwrap_err();
    assert!(itself.message.contains("itself a rollback"), "{itself}");
}

#[tokio::test]
async fn what_cannot_be_rolled_back_says_why() {
    let world = deployed_twice(v2()).await;
    world.end_deployment(1, "Failed").await;
    world.until(&["Succeeded", "Failed"]).await;
    for (target, stage, code) in [
        (0, "Nope", "StageNotFoundException"),
        (0, "Source", "UnableToRollbackStageException"),
        (1, "Deploy", "UnableToRollbackStageException"),
    ] {
        assert_eq!(roll_back(&world, target, stage).await.unwrap_err().code, code, "{target} {stage}");
    }
    let input = UpdatePipelineInput { pipeline: Some(serde_json::from_value(v2()).unwrap()) };
    world.service.update_pipeline(&world.caller, input).await.unwrap();
    assert_eq!(roll_back(&world, 0, "Deploy").await.unwrap_err().code, "PipelineExecutionOutdatedException");
}

#[tokio::test]
async fn a_failing_stage_rolls_itself_back() {
    let mut declaration = v2();
    declaration["stages"][2]["onFailure"] = json!({"result": "ROLLBACK"});
    let world = deployed_twice(declaration).await;
    world.end_deployment(1, "Failed").await;
    world.until_deployments(3).await;
    assert_eq!(deployed_key(&world, 2), deployed_key(&world, 0));
    world.end_deployment(2, "Succeeded").await;
    world.until(&["Succeeded", "Failed", "Succeeded"]).await;
    let rollback = world.executions().await.remove(2).trigger.unwrap();
    assert_eq!(rollback.trigger_type.as_deref(), Some("AutomatedRollback"));
    let failed = world.executions().await[1].pipeline_execution_id.clone().unwrap();
    assert_eq!(rollback.trigger_detail, Some(json!({"FailedPipelineExecutionId": failed}).to_string()));
}

fn transition(world: &World) -> impl AsyncFn() -> Value + '_ {
    async || world.state().await["stageStates"][1]["inboundTransitionState"].clone()
}

#[tokio::test]
async fn a_closed_transition_holds_executions_back_until_it_is_opened() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.end_build(0, "FAILED", &[]).await;
    world.until(&["Failed"]).await;
    let disable = DisableStageTransitionInput {
        pipeline_name: Some("app".into()),
        stage_name: Some("Build".into()),
        transition_type: Some("Inbound".into()),
        reason: Some("freeze (it is Friday)".into()),
    };
    world.service.disable_stage_transition(&world.caller, disable.clone()).await.unwrap();
    world.service.disable_stage_transition(&world.caller, disable).await.unwrap();
    let state = transition(&world)().await;
    assert_eq!((&state["enabled"], &state["disabledReason"]), (&json!(false), &json!("freeze (it is Friday)")));
    assert_eq!(state["lastChangedBy"], "arn:aws:iam::000000000000:root");
    world.push("c2").await;
    let waits = async || world.state().await["stageStates"][1].get("inboundExecution").is_some();
    assert!(eventually(waits).await, "{:?}", world.statuses().await);
    let world = world.restart().await;
    let enable = EnableStageTransitionInput {
        pipeline_name: Some("app".into()),
        stage_name: Some("Source".into()),
        transition_type: Some("Outbound".into()),
    };
    world.service.enable_stage_transition(&world.caller, enable).await.unwrap();
    world.until_builds(2).await;
    let state = transition(&world)().await;
    assert_eq!((&state["enabled"], state.get("disabledReason")), (&json!(true), None));
}

#[tokio::test]
async fn tags_are_laid_over_each_other_and_taken_off() {
    let world = World::new();
    world.create(three_stages()).await;
    let arn = Some("arn:aws:codepipeline:us-east-1:000000000000:app".to_owned());
    let tag = |key: &str, value: &str| Tag { key: Some(key.into()), value: Some(value.into()) };
    let put = async |tags: Vec<Tag>| {
        let input = TagResourceInput { resource_arn: arn.clone(), tags: Some(tags) };
        world.service.tag_resource(&world.caller, input).await
    };
    put(vec![tag("b", "2"), tag("a", "1")]).await.unwrap();
    put(vec![tag("b", "3")]).await.unwrap();
    assert_eq!(put(vec![tag("aws:x", "1")]).await.unwrap_err().code, "InvalidTagsException");
    let many = (0..49).map(|n| tag(&format!("k{n}"), "")).collect();
    assert_eq!(put(many).await.unwrap_err().code, "TooManyTagsException");
    let untag = UntagResourceInput { resource_arn: arn.clone(), tag_keys: Some(vec!["a".into(), "absent".into()]) };
    world.service.untag_resource(&world.caller, untag).await.unwrap();
    let list = ListTagsForResourceInput { resource_arn: arn, ..ListTagsForResourceInput::default() };
    let found = world.service.list_tags_for_resource(&world.caller, list).await.unwrap();
    assert_eq!(found.tags, Some(vec![tag("b", "3")]));
    let nobody = "arn:aws:codepipeline:us-east-1:000000000000:nobody".to_owned();
    let list = ListTagsForResourceInput { resource_arn: Some(nobody), ..ListTagsForResourceInput::default() };
    let error = world.service.list_tags_for_resource(&world.caller, list).await.unwrap_err();
    assert_eq!(error.code, "ResourceNotFoundException");
}
