//! Executions from start to end.

use aws::codepipeline::{CodePipeline, UpdatePipelineInput};
use serde_json::json;

use super::world::{World, action, eventually, three_stages};

#[tokio::test]
async fn a_pipeline_carries_a_commit_through_build_and_deployment() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.end_build(0, "SUCCEEDED", &[("VERSION", "7")]).await;
    world.until_deployments(1).await;
    world.end_deployment(0, "Succeeded").await;
    world.until(&["Succeeded"]).await;
    assert_eq!(world.actions().await, ["Source/Git Succeeded", "Build/Compile Succeeded", "Deploy/Hosts Succeeded"]);
    let execution = world.executions().await.remove(0);
    assert_eq!(execution.trigger.unwrap().trigger_type.unwrap(), "CreatePipeline");
    let revision = execution.source_revisions.unwrap().remove(0);
    assert_eq!((revision.action_name.unwrap(), revision.revision_id.unwrap()), ("Git".into(), "c1".into()));

    let (context, _) = world.sisters.builds.lock().unwrap()[0].clone();
    assert_eq!(context.resolved_source_version.as_deref(), Some("c1"));
    assert!(context.inputs[0].key.starts_with("app/Code/"), "{:?}", context.inputs);
    assert_eq!(
        world.sisters.objects.lock().unwrap()[&format!("artifacts/{}", context.inputs[0].key)],
        "zip of app at c1"
    );
    let (deployment, _) = world.sisters.deployments.lock().unwrap()[0].clone();
    let location = deployment.revision.unwrap().s3_location.unwrap();
    assert_eq!(location.key.as_ref(), Some(&context.outputs[0].key));
}

#[tokio::test]
async fn sister_services_are_called_as_the_pipelines_role_on_the_pipelines_behalf() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    let callers = world.sisters.callers.lock().unwrap().clone();
    assert_eq!(callers.len(), 2, "get_branch and start_pipeline_build");
    for caller in callers {
        assert!(caller.arn().contains("assumed-role/pipeline/"), "{}", caller.arn());
        let via = caller.via.unwrap();
        assert_eq!(via.service, "codepipeline.amazonaws.com");
        assert_eq!(via.source_arn.as_deref(), Some("arn:aws:codepipeline:us-east-1:000000000000:app"));
    }
}

#[tokio::test]
async fn an_action_with_a_role_of_its_own_gets_it_through_the_pipelines() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    let mut declaration = three_stages();
    declaration["stages"][1]["actions"][0]["roleArn"] = "arn:aws:iam::000000000000:role/builder".into();
    world.create(declaration).await;
    world.until_builds(1).await;
    let chains = world.sisters.chains.lock().unwrap().clone();
    assert!(!chains.is_empty());
    for (by, role) in chains {
        assert!(by.contains(":assumed-role/pipeline/"), "{by}");
        assert_eq!(role, "arn:aws:iam::000000000000:role/builder");
    }
    let builder = world.sisters.callers.lock().unwrap()[1].clone();
    assert!(builder.arn().contains(":assumed-role/builder/"), "{}", builder.arn());
    assert_eq!(builder.via.unwrap().service, "codepipeline.amazonaws.com");
}

#[tokio::test]
async fn variables_flow_from_source_and_build_into_later_actions() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    let mut declaration = three_stages();
    let environment =
        r##"[{"name":"M","value":"#{GitVariables.CommitMessage} in #{codepipeline.PipelineExecutionId}"}]"##;
    declaration["stages"][1]["actions"][0]["configuration"]["EnvironmentVariables"] = environment.into();
    declaration["stages"][2]["actions"][0] = action(
        "Smoke",
        "Test",
        "CodeBuild",
        &["Built"],
        &[],
        json!({"ProjectName": "smoke", "EnvironmentVariables": r##"[{"name":"V","value":"#{CompileVariables.VERSION}"}]"##}),
    );
    world.create(declaration).await;
    world.until_builds(1).await;
    world.end_build(0, "SUCCEEDED", &[("VERSION", "7")]).await;
    world.until_builds(2).await;
    let builds = world.sisters.builds.lock().unwrap().clone();
    let id = world.executions().await[0].pipeline_execution_id.clone().unwrap();
    assert_eq!(builds[0].0.environment[0].value.as_deref(), Some(format!("Say \"c1\" in {id}").as_str()));
    assert_eq!(builds[1].0.environment[0].value.as_deref(), Some("7"));
    assert_eq!(builds[1].0.resolved_source_version.as_deref(), Some("c1"), "the commit reaches builds of builds");
}

#[tokio::test]
async fn a_variable_without_value_fails_its_action() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    let mut declaration = three_stages();
    declaration["stages"][1]["actions"][0]["configuration"]["ProjectName"] = "#{GitVariables.NoSuchKey}".into();
    world.create(declaration).await;
    world.until(&["Failed"]).await;
    let state = world.state().await;
    let details = &state["stageStates"][1]["actionStates"][0]["latestExecution"]["errorDetails"];
    assert_eq!(details["code"], "ConfigurationError");
    assert!(details["message"].as_str().unwrap().contains("#{GitVariables.NoSuchKey}"), "{details}");
}

#[tokio::test]
async fn a_failed_build_stops_the_pipeline_there() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.end_build(0, "FAILED", &[]).await;
    world.until(&["Failed"]).await;
    assert_eq!(world.actions().await, ["Source/Git Succeeded", "Build/Compile Failed"]);
    let state = world.state().await;
    let build = &state["stageStates"][1];
    assert_eq!(build["latestExecution"]["status"], "Failed");
    let latest = &build["actionStates"][0]["latestExecution"];
    assert_eq!(latest["summary"], "Build terminated with state: FAILED");
    assert_eq!(latest["errorDetails"]["code"], "JobFailed");
    assert_eq!(state["stageStates"][2].get("latestExecution"), None, "Deploy never ran");
}

#[tokio::test]
async fn a_missing_branch_and_a_distrustful_role_fail_honestly() {
    let world = World::new();
    world.create(three_stages()).await;
    world.until(&["Failed"]).await;
    let details = &world.state().await["stageStates"][0]["actionStates"][0]["latestExecution"]["errorDetails"];
    assert_eq!(details["code"], "ConfigurationError");
    world.sisters.distrustful.lock().unwrap().insert("arn:aws:iam::000000000000:role/pipeline".into());
    world.start().await;
    world.until(&["Failed", "Failed"]).await;
    let details = &world.state().await["stageStates"][0]["actionStates"][0]["latestExecution"]["errorDetails"];
    assert_eq!(details["code"], "PermissionError");
}

#[tokio::test]
async fn an_action_that_nobody_runs_yet_names_its_provider() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    let mut declaration = three_stages();
    let settings = json!({"FunctionName": "f"});
    declaration["stages"][1]["actions"][0] = action("Ask", "Invoke", "Lambda", &[], &[], settings);
    declaration["stages"][2]["actions"][0]["inputArtifacts"] = json!([{"name": "Code"}]);
    world.create(declaration).await;
    world.until(&["Failed"]).await;
    let details = &world.state().await["stageStates"][1]["actionStates"][0]["latestExecution"]["errorDetails"];
    assert!(details["message"].as_str().unwrap().contains("Lambda"), "{details}");
}

#[tokio::test]
async fn a_newer_execution_supersedes_the_one_that_waits() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.push("c2").await;
    world.until(&["InProgress", "InProgress"]).await;
    let waits = async || world.state().await["stageStates"][1].get("inboundExecution").is_some();
    assert!(eventually(waits).await);
    world.push("c3").await;
    world.until(&["InProgress", "Superseded", "InProgress"]).await;
    world.end_build(0, "SUCCEEDED", &[]).await;
    world.until_builds(2).await;
    let (context, _) = world.sisters.builds.lock().unwrap()[1].clone();
    assert_eq!(context.resolved_source_version.as_deref(), Some("c3"), "c2 was never built");
}

#[tokio::test]
async fn parallel_actions_start_together_and_the_next_order_waits_for_both() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    let mut declaration = three_stages();
    let build = |name: &str, order: i32| {
        let mut build = action(name, "Build", "CodeBuild", &["Code"], &[], json!({"ProjectName": name}));
        build["runOrder"] = order.into();
        build
    };
    declaration["stages"][1]["actions"] = json!([build("a", 1), build("b", 1), build("c", 2)]);
    declaration["stages"].as_array_mut().unwrap().truncate(2);
    world.create(declaration).await;
    world.until_builds(2).await;
    world.end_build(0, "SUCCEEDED", &[]).await;
    world.end_build(1, "SUCCEEDED", &[]).await;
    world.until_builds(3).await;
    world.end_build(2, "SUCCEEDED", &[]).await;
    world.until(&["Succeeded"]).await;
}

#[tokio::test]
async fn stop_and_wait_and_stop_and_abandon() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.stop(false).await.unwrap();
    assert_eq!(world.statuses().await, ["Stopping"]);
    let again = world.stop(false).await.unwrap_err();
    assert_eq!(again.code, "DuplicatedStopRequestException");
    world.stop(true).await.unwrap();
    world.until(&["Stopped"]).await;
    assert_eq!(world.actions().await[1], "Build/Compile Abandoned");
    let over = world.stop(true).await.unwrap_err();
    assert_eq!(over.code, "PipelineExecutionNotStoppableException");
    world.end_build(0, "SUCCEEDED", &[]).await;
    world.start().await;
    world.until_builds(2).await;
    assert_eq!(world.statuses().await, ["Stopped", "InProgress"], "the abandoned build's end moves nothing");
    let reason = world.executions().await[0].stop_trigger.clone().unwrap().reason;
    assert_eq!(reason.as_deref(), Some("wrong commit"));
}

#[tokio::test]
async fn an_update_cancels_what_runs_on_the_old_version_after_its_actions() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    let pipeline = serde_json::from_value(three_stages()).unwrap();
    let input = UpdatePipelineInput { pipeline: Some(pipeline) };
    let updated = world.service.update_pipeline(&world.caller, input).await.unwrap();
    assert_eq!(updated.pipeline.unwrap().version, Some(2));
    assert_eq!(world.statuses().await, ["InProgress"], "an update starts nothing");
    world.end_build(0, "SUCCEEDED", &[]).await;
    world.until(&["Cancelled"]).await;
    assert_eq!(world.actions().await[1], "Build/Compile Succeeded");
}
