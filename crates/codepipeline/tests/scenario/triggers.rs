//! What starts a pipeline, and what does not.

use serde_json::{Value, json};

use super::world::{World, action, eventually, three_stages};

#[tokio::test]
async fn each_push_starts_one_execution() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(three_stages()).await;
    for (index, commit) in ["c2", "c3"].iter().enumerate() {
        world.until_builds(index + 1).await;
        world.end_build(index, "FAILED", &[]).await;
        world.until(&["Failed"].repeat(index + 1)).await;
        world.push(commit).await;
    }
    world.until_builds(3).await;
    let executions = world.executions().await;
    let kinds: Vec<String> = executions.iter().map(|one| one.trigger.clone().unwrap().trigger_type.unwrap()).collect();
    assert_eq!(kinds, ["CreatePipeline", "PollForSourceChanges", "PollForSourceChanges"]);
}

async fn with_polling(polling: Value) -> Vec<String> {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    let mut declaration = three_stages();
    declaration["stages"][0]["actions"][0]["configuration"]["PollForSourceChanges"] = polling;
    world.create(declaration).await;
    world.until_builds(1).await;
    world.push("c2").await;
    // A later event of the same stream shows that the push has been passed.
    let mut other = three_stages();
    other["name"] = "other".into();
    other["stages"][0]["actions"][0]["configuration"]["BranchName"] = "side".into();
    world.sisters.set_head("app/side", "s1");
    world.create(other).await;
    let detail = json!({"event": "referenceUpdated", "referenceType": "branch", "referenceName": "side", "repositoryName": "app"});
    world.publish("codecommit", "CodeCommit Repository State Change", detail).await;
    let passed = async || {
        let input = aws::codepipeline::ListPipelineExecutionsInput {
            pipeline_name: Some("other".into()),
            ..Default::default()
        };
        let listed =
            aws::codepipeline::CodePipeline::list_pipeline_executions(&*world.service, &world.caller, input).await;
        listed.unwrap().pipeline_execution_summaries.unwrap().len() == 2
    };
    assert!(eventually(passed).await);
    world.statuses().await
}

#[tokio::test]
async fn polling_that_is_off_leaves_pushes_alone() {
    assert_eq!(with_polling("false".into()).await.len(), 1);
    assert_eq!(with_polling("true".into()).await.len(), 2);
}

#[tokio::test]
async fn a_push_before_the_pipeline_was_made_starts_nothing_more() {
    let world = World::new();
    world.push("c1").await;
    world.create(three_stages()).await;
    world.until_builds(1).await;
    world.push("c2").await;
    world.until(&["InProgress", "InProgress"]).await;
}

#[tokio::test]
async fn a_new_object_starts_a_pipeline_and_is_copied_as_it_is() {
    let world = World::new();
    world.sisters.objects.lock().unwrap().insert("inbox/app.zip".into(), "the zip".into());
    let mut declaration = three_stages();
    let settings = json!({"S3Bucket": "inbox", "S3ObjectKey": "app.zip"});
    declaration["stages"][0]["actions"][0] = action("Object", "Source", "S3", &[], &["Code"], settings);
    world.create(declaration).await;
    world.until_builds(1).await;
    world.end_build(0, "FAILED", &[]).await;
    let detail = json!({"bucket": {"name": "inbox"}, "object": {"key": "app.zip", "version-id": "v-1"}});
    world.publish("s3", "Object Created", detail).await;
    world.until_builds(2).await;
    let (context, _) = world.sisters.builds.lock().unwrap()[1].clone();
    assert_eq!(context.resolved_source_version.as_deref(), Some("v-1"));
    assert_eq!(world.sisters.objects.lock().unwrap()[&format!("artifacts/{}", context.inputs[0].key)], "the zip");
    let revision = world.executions().await[1].source_revisions.clone().unwrap().remove(0);
    assert_eq!(revision.revision_summary.as_deref(), Some("Amazon S3 version id: v-1"));
}

#[tokio::test]
async fn a_bucket_without_versions_is_no_source() {
    let world = World::new();
    world.sisters.objects.lock().unwrap().insert("unversioned/app.zip".into(), "the zip".into());
    let mut declaration = three_stages();
    let settings = json!({"S3Bucket": "unversioned", "S3ObjectKey": "app.zip"});
    declaration["stages"][0]["actions"][0] = action("Object", "Source", "S3", &[], &["Code"], settings);
    world.create(declaration).await;
    world.until(&["Failed"]).await;
    let details = world.state().await["stageStates"][0]["actionStates"][0]["latestExecution"]["errorDetails"].clone();
    assert!(details["message"].as_str().unwrap().contains("not versioned"), "{details}");
}

#[tokio::test]
async fn a_pipeline_whose_structure_is_lost_keeps_no_other_from_starting() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    // Large enough to lie in a blob, and the first of the two by name.
    let mut damaged = three_stages();
    damaged["name"] = json!("aaa");
    damaged["variables"] = (0..50).map(|n| json!({"name": format!("v{n}"), "defaultValue": "x".repeat(300)})).collect();
    damaged["pipelineType"] = json!("V2");
    world.create(damaged).await;
    world.create(three_stages()).await;
    world.until_builds(2).await;
    world.lose_blobs();
    world.push("c2").await;
    let started = async || world.executions().await.len() == 2;
    assert!(eventually(started).await, "{:?}", world.statuses().await);
}
