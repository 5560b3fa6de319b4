//! What the API answers and refuses.

use aws::codepipeline::{
    CodePipeline, CreatePipelineInput, DeletePipelineInput, GetPipelineExecutionInput, GetPipelineInput,
    GetPipelineStateInput, ListActionExecutionsInput, ListPipelineExecutionsInput, ListPipelinesInput,
    PipelineVariable, StartPipelineExecutionInput, UpdatePipelineInput,
};
use serde_json::{Value, json};

use super::world::{World, three_stages};

async fn create_error(world: &World, declaration: Value) -> aws::Error {
    let input = CreatePipelineInput { pipeline: Some(serde_json::from_value(declaration).unwrap()), tags: None };
    world.service.create_pipeline(&world.caller, input).await.unwrap_err()
}

async fn get(world: &World, version: Option<i32>) -> Result<Value, aws::Error> {
    let input = GetPipelineInput { name: Some("app".into()), version };
    world.service.get_pipeline(&world.caller, input).await.map(|output| serde_json::to_value(output).unwrap())
}

#[tokio::test]
async fn a_pipeline_is_answered_with_its_defaults_and_its_past_versions() {
    let world = World::new();
    world.create(three_stages()).await;
    let mut changed = three_stages();
    changed["stages"][0]["actions"][0]["configuration"]["BranchName"] = "next".into();
    let input = UpdatePipelineInput { pipeline: Some(serde_json::from_value(changed).unwrap()) };
    world.service.update_pipeline(&world.caller, input).await.unwrap();
    let now = get(&world, None).await.unwrap();
    assert_eq!(now["pipeline"]["version"], 2);
    assert_eq!(now["pipeline"]["executionMode"], "SUPERSEDED");
    assert_eq!(now["pipeline"]["pipelineType"], "V1");
    assert_eq!(now["pipeline"]["stages"][0]["actions"][0]["runOrder"], 1);
    assert_eq!(now["pipeline"]["stages"][0]["actions"][0]["configuration"]["BranchName"], "next");
    assert_eq!(now["metadata"]["pipelineArn"], "arn:aws:codepipeline:us-east-1:000000000000:app");
    let before = get(&world, Some(1)).await.unwrap();
    assert_eq!(before["pipeline"]["stages"][0]["actions"][0]["configuration"]["BranchName"], "main");
    assert_eq!(get(&world, Some(3)).await.unwrap_err().code, "PipelineVersionNotFoundException");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let world = World::new();
    let error = get(&world, None).await.unwrap_err();
    assert_eq!(error.code, "PipelineNotFoundException");
    assert_eq!(error.message, "Account '000000000000' does not have a pipeline with name 'app'");
    let input = GetPipelineStateInput { name: Some("app".into()) };
    assert_eq!(
        world.service.get_pipeline_state(&world.caller, input).await.unwrap_err().code,
        "PipelineNotFoundException"
    );
    world.create(three_stages()).await;
    let input =
        GetPipelineExecutionInput { pipeline_name: Some("app".into()), pipeline_execution_id: Some("x".into()) };
    let error = world.service.get_pipeline_execution(&world.caller, input).await.unwrap_err();
    assert_eq!(error.code, "PipelineExecutionNotFoundException");
}

#[tokio::test]
async fn bad_structures_are_refused_in_awss_words() {
    let world = World::new();
    let mut one_stage = three_stages();
    one_stage["stages"].as_array_mut().unwrap().truncate(1);
    assert_eq!(create_error(&world, one_stage).await.code, "InvalidStructureException");
    let mut unknown = three_stages();
    unknown["stages"][1]["actions"][0]["actionTypeId"]["provider"] = "NoSuch".into();
    assert_eq!(create_error(&world, unknown).await.code, "InvalidActionDeclarationException");
    world.sisters.distrustful.lock().unwrap().insert("arn:aws:iam::000000000000:role/pipeline".into());
    let error = create_error(&world, three_stages()).await;
    assert_eq!(error.code, "InvalidStructureException");
    assert!(error.message.starts_with("CodePipeline is not authorized to perform AssumeRole on role arn:"), "{error}");
    world.sisters.distrustful.lock().unwrap().clear();
    world.create(three_stages()).await;
    let error = create_error(&world, three_stages()).await;
    assert_eq!(error.code, "PipelineNameInUseException");
    assert_eq!(error.message, "A pipeline with the name 'app' already exists in account '000000000000'");
}

#[tokio::test]
async fn a_deleted_pipeline_is_gone_and_its_name_begins_anew() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    let input = DeletePipelineInput { name: Some("app".into()) };
    world.service.delete_pipeline(&world.caller, input.clone()).await.unwrap();
    world.service.delete_pipeline(&world.caller, input).await.unwrap();
    assert_eq!(get(&world, None).await.unwrap_err().code, "PipelineNotFoundException");
    world.create(three_stages()).await;
    world.until_builds(2).await;
    assert_eq!(world.executions().await.len(), 1, "the new pipeline has no history");
}

#[tokio::test]
async fn pipelines_are_listed_by_pages() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        let mut declaration = three_stages();
        declaration["name"] = name.into();
        world.create(declaration).await;
    }
    let mut names = Vec::new();
    let mut token = None;
    loop {
        let input = ListPipelinesInput { next_token: token, max_results: Some(2) };
        let page = world.service.list_pipelines(&world.caller, input).await.unwrap();
        names.extend(page.pipelines.unwrap().into_iter().map(|pipeline| pipeline.name.unwrap()));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
    let input = ListPipelinesInput { next_token: Some("nonsense".into()), max_results: None };
    assert_eq!(world.service.list_pipelines(&world.caller, input).await.unwrap_err().code, "InvalidNextTokenException");
}

fn start(token: Option<&str>, variables: &[(&str, &str)]) -> StartPipelineExecutionInput {
    let variable =
        |(name, value): &(&str, &str)| PipelineVariable { name: Some((*name).into()), value: Some((*value).into()) };
    StartPipelineExecutionInput {
        name: Some("app".into()),
        client_request_token: token.map(Into::into),
        variables: Some(variables.iter().map(variable).collect()),
        ..StartPipelineExecutionInput::default()
    }
}

#[tokio::test]
async fn a_client_token_starts_one_execution() {
    let world = World::new();
    world.create(three_stages()).await;
    let one = world.service.start_pipeline_execution(&world.caller, start(Some("t"), &[])).await.unwrap();
    let same = world.service.start_pipeline_execution(&world.caller, start(Some("t"), &[])).await.unwrap();
    let other = world.service.start_pipeline_execution(&world.caller, start(Some("u"), &[])).await.unwrap();
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert_eq!(world.executions().await.len(), 3);
}

#[tokio::test]
async fn pipeline_variables_are_given_at_the_start_and_shown() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    let mut declaration = three_stages();
    declaration["variables"] = json!([{"name": "stage"}]);
    declaration["stages"][1]["actions"][0]["configuration"]["ProjectName"] = "#{variables.stage}".into();
    world.create(declaration).await;
    assert_eq!(world.executions().await.len(), 0, "only a call can give the variable");
    let missing = world.service.start_pipeline_execution(&world.caller, start(None, &[])).await.unwrap_err();
    assert_eq!(missing.code, "ValidationException");
    let id = world.service.start_pipeline_execution(&world.caller, start(None, &[("stage", "beta")])).await.unwrap();
    world.until_builds(1).await;
    assert!(world.sisters.builds.lock().unwrap()[0].1.id.as_ref().unwrap().starts_with("beta:"));
    let input = GetPipelineExecutionInput {
        pipeline_name: Some("app".into()),
        pipeline_execution_id: id.pipeline_execution_id,
    };
    let shown = world.service.get_pipeline_execution(&world.caller, input).await.unwrap().pipeline_execution.unwrap();
    assert_eq!(shown.variables.unwrap()[0].resolved_value.as_deref(), Some("beta"));
    let revision = shown.artifact_revisions.unwrap().remove(0);
    assert_eq!((revision.name.as_deref(), revision.revision_id.as_deref()), (Some("Code"), Some("c1")));
}

#[tokio::test]
async fn action_executions_are_listed_newest_first_by_pages_and_filters() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.end_build(0, "FAILED", &[]).await;
    world.until(&["Failed"]).await;
    world.push("c2").await;
    world.until_builds(2).await;
    let id = world.executions().await[0].pipeline_execution_id.clone();
    let list = async |filter: Value, limit: i32, token: Option<String>| {
        let input = ListActionExecutionsInput {
            pipeline_name: Some("app".into()),
            filter: serde_json::from_value(filter).unwrap(),
            max_results: Some(limit),
            next_token: token,
        };
        world.service.list_action_executions(&world.caller, input).await.unwrap()
    };
    let page = list(Value::Null, 3, None).await;
    assert_eq!(page.action_execution_details.as_ref().unwrap().len(), 3);
    assert_eq!(page.action_execution_details.unwrap()[0].action_name.as_deref(), Some("Compile"));
    assert_eq!(list(Value::Null, 3, page.next_token).await.action_execution_details.unwrap().len(), 1);
    for filter in [
        json!({"pipelineExecutionId": id}),
        json!({"latestInPipelineExecution": {"pipelineExecutionId": id, "startTimeRange": "Latest"}}),
    ] {
        let details = list(filter, 10, None).await.action_execution_details.unwrap();
        let names: Vec<&str> = details.iter().map(|detail| detail.action_name.as_deref().unwrap()).collect();
        assert_eq!(names, ["Compile", "Git"]);
        let output = details[1].output.as_ref().unwrap();
        assert_eq!(output.output_variables.as_ref().unwrap()["CommitId"], "c1");
        let input = details[0].input.as_ref().unwrap();
        assert_eq!(input.resolved_configuration.as_ref().unwrap()["ProjectName"], "app");
    }
}

#[tokio::test]
async fn executions_are_filtered_by_the_stage_they_passed() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.end_build(0, "FAILED", &[]).await;
    world.until(&["Failed"]).await;
    let count = async |stage: &str| {
        let input = ListPipelineExecutionsInput {
            pipeline_name: Some("app".into()),
            filter: serde_json::from_value(json!({"succeededInStage": {"stageName": stage}})).unwrap(),
            ..ListPipelineExecutionsInput::default()
        };
        world
            .service
            .list_pipeline_executions(&world.caller, input)
            .await
            .map(|page| page.pipeline_execution_summaries.unwrap().len())
    };
    assert_eq!(count("Source").await.unwrap(), 1);
    assert_eq!(count("Build").await.unwrap(), 0);
    assert_eq!(count("Nope").await.unwrap_err().code, "ValidationException");
}

#[tokio::test]
async fn secrets_are_masked_and_survive_an_update_with_the_mask() {
    let world = World::new();
    let mut declaration = three_stages();
    let source = &mut declaration["stages"][0]["actions"][0];
    source["actionTypeId"] = json!({"category": "Source", "owner": "ThirdParty", "provider": "GitHub", "version": "1"});
    source["configuration"] = json!({"Owner": "o", "Repo": "r", "Branch": "b", "OAuthToken": "hush-hush"});
    world.create(declaration).await;
    let shown = get(&world, None).await.unwrap();
    assert_eq!(shown["pipeline"]["stages"][0]["actions"][0]["configuration"]["OAuthToken"], "****");
    let input = UpdatePipelineInput { pipeline: Some(serde_json::from_value(shown["pipeline"].clone()).unwrap()) };
    world.service.update_pipeline(&world.caller, input).await.unwrap();
    world.until(&["Failed"]).await;
    let history =
        ListActionExecutionsInput { pipeline_name: Some("app".into()), ..ListActionExecutionsInput::default() };
    let history = world.service.list_action_executions(&world.caller, history).await.unwrap();
    let details = history.action_execution_details.unwrap();
    let settings = details[0].input.as_ref().unwrap().configuration.clone().unwrap();
    assert_eq!(settings["OAuthToken"], "****");
    assert!(!world.data_folder_contains("hush-hush"), "a secret lies in the data folder in clear");
}
