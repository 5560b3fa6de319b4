//! Manual approvals: who answers, how often, and when it is too late.

use std::sync::Arc;
use std::time::Duration;

use aws::codepipeline::{ApprovalResult, CodePipeline, PutApprovalResultInput, PutApprovalResultOutput};
use serde_json::{Value, json};

use super::world::{World, action, eventually, three_stages};

/// Source → Gate (an approval) → Deploy.
fn gated(settings: Value) -> Value {
    let mut declaration = three_stages();
    declaration["stages"][1] =
        json!({"name": "Gate", "actions": [action("Ask", "Approval", "Manual", &[], &[], settings)]});
    declaration["stages"][2]["actions"][0]["inputArtifacts"] = json!([{"name": "Code"}]);
    declaration
}

async fn waiting(settings: Value) -> (World, String) {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    world.create(gated(settings)).await;
    let token = token(&world).await;
    (world, token)
}

fn latest(state: &Value) -> Value {
    state["stageStates"][1]["actionStates"][0]["latestExecution"].clone()
}

async fn token(world: &World) -> String {
    let open = async || latest(&world.state().await).get("token").is_some();
    assert!(eventually(open).await, "{}", world.state().await);
    latest(&world.state().await)["token"].as_str().unwrap().to_owned()
}

async fn answer(world: &World, token: &str, status: &str) -> Result<PutApprovalResultOutput, aws::Error> {
    let input = PutApprovalResultInput {
        pipeline_name: Some("app".into()),
        stage_name: Some("Gate".into()),
        action_name: Some("Ask".into()),
        result: Some(ApprovalResult { status: Some(status.into()), summary: Some("looked at it".into()) }),
        token: Some(token.into()),
    };
    world.service.put_approval_result(&world.caller, input).await
}

#[tokio::test]
async fn an_approved_execution_goes_on() {
    let (world, token) = waiting(json!({})).await;
    let approved = answer(&world, &token, "Approved").await.unwrap();
    assert_eq!(approved.approved_at, Some(kernel::Clock::now(&world.clock)));
    world.until_deployments(1).await;
    let latest = latest(&world.state().await);
    assert_eq!((&latest["status"], &latest["summary"]), (&json!("Succeeded"), &json!("looked at it")));
    assert_eq!(latest["lastUpdatedBy"], "arn:aws:iam::000000000000:root");
    assert_eq!(latest.get("token"), None, "there is nothing more to answer");
    let again = answer(&world, &token, "Rejected").await.unwrap_err();
    assert_eq!(again.code, "ApprovalAlreadyCompletedException");
}

#[tokio::test]
async fn a_rejected_execution_has_failed_and_a_retry_asks_anew() {
    let (world, token) = waiting(json!({})).await;
    answer(&world, &token, "Rejected").await.unwrap();
    world.until(&["Failed"]).await;
    let latest = latest(&world.state().await);
    assert!(latest["errorDetails"]["message"].as_str().unwrap().ends_with("root: looked at it"), "{latest}");
    world.retry("Gate", "FAILED_ACTIONS").await.unwrap();
    let fresh = self::token(&world).await;
    assert_ne!(fresh, token);
    assert_eq!(answer(&world, &token, "Approved").await.unwrap_err().code, "ApprovalAlreadyCompletedException");
    answer(&world, &fresh, "Approved").await.unwrap();
    world.until_deployments(1).await;
}

#[tokio::test]
async fn an_unknown_token_or_place_is_refused() {
    let (world, token) = waiting(json!({})).await;
    let foreign = "00000000-0000-0000-0000-00000000abcd";
    assert_eq!(answer(&world, foreign, "Approved").await.unwrap_err().code, "InvalidApprovalTokenException");
    let at = async |pipeline: &str, stage: &str, action: &str| {
        let input = PutApprovalResultInput {
            pipeline_name: Some(pipeline.into()),
            stage_name: Some(stage.into()),
            action_name: Some(action.into()),
            result: None,
            token: Some(token.clone()),
        };
        world.service.put_approval_result(&world.caller, input).await.unwrap_err().code.to_string()
    };
    assert_eq!(at("nope", "Gate", "Ask").await, "PipelineNotFoundException");
    assert_eq!(at("app", "Nope", "Ask").await, "StageNotFoundException");
    assert_eq!(at("app", "Gate", "Nope").await, "ActionNotFoundException");
    assert_eq!(at("app", "Deploy", "Hosts").await, "ActionNotFoundException", "it is no approval");
    assert_eq!(latest(&world.state().await)["status"], "InProgress");
}

#[tokio::test]
async fn nobody_answers_for_seven_days_or_as_long_as_was_declared() {
    for (minutes, limit) in [(None, 7 * 24 * 60), (Some(30), 30)] {
        let world = World::new();
        world.sisters.set_head("app/main", "c1");
        let mut declaration = gated(json!({}));
        if let Some(minutes) = minutes {
            declaration["stages"][1]["actions"][0]["timeoutInMinutes"] = json!(minutes);
        }
        world.create(declaration).await;
        let token = token(&world).await;
        world.clock.advance(Duration::from_secs((limit - 1) * 60));
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(world.statuses().await, ["InProgress"], "{limit}");
        world.clock.advance(Duration::from_secs(61));
        world.until(&["Failed"]).await;
        let latest = latest(&world.state().await);
        assert!(latest["summary"].as_str().unwrap().starts_with("Nobody approved or rejected"), "{latest}");
        assert_eq!(answer(&world, &token, "Approved").await.unwrap_err().code, "InvalidApprovalTokenException");
    }
}

#[tokio::test]
async fn what_an_approval_asks_is_resolved_and_an_unsent_notification_is_told() {
    let settings = json!({"CustomData": "Ship #{GitVariables.CommitId}?", "NotificationArn": "arn:aws:sns:us-east-1:000000000000:ask"});
    let (world, _) = waiting(settings).await;
    let summary = latest(&world.state().await)["summary"].clone();
    assert!(summary.as_str().unwrap().contains("No notification was sent to arn:aws:sns:"), "{summary}");
    let details = world.action_details().await;
    assert_eq!(details[1]["input"]["resolvedConfiguration"]["CustomData"], "Ship c1?");
}

#[tokio::test]
async fn of_many_answers_at_once_one_counts() {
    for _ in 0..4 {
        let (world, token) = waiting(json!({})).await;
        let world = Arc::new(world);
        let answers: Vec<_> = ["Approved", "Rejected", "Approved", "Rejected"]
            .map(|status| {
                let (world, token) = (Arc::clone(&world), token.clone());
                tokio::spawn(async move { (status, answer(&world, &token, status).await) })
            })
            .into();
        let mut counted = Vec::new();
        for answered in answers {
            match answered.await.unwrap() {
                (status, Ok(_)) => counted.push(status),
                (_, Err(error)) => assert_eq!(error.code, "ApprovalAlreadyCompletedException"),
            }
        }
        assert_eq!(counted.len(), 1);
        let expected = if counted[0] == "Approved" { "Succeeded" } else { "Failed" };
        assert_eq!(latest(&world.state().await)["status"], expected);
    }
}

#[tokio::test]
async fn an_approval_outlives_a_restart_and_an_abandoned_one_is_over() {
    let (world, token) = waiting(json!({})).await;
    let world = world.restart().await;
    assert_eq!(self::token(&world).await, token);
    world.stop(true).await.unwrap();
    assert_eq!(world.actions().await[1], "Gate/Ask Abandoned");
    assert_eq!(answer(&world, &token, "Approved").await.unwrap_err().code, "InvalidApprovalTokenException");
    world.retry("Gate", "FAILED_ACTIONS").await.unwrap();
    assert_eq!(world.executions().await[0].stop_trigger, None, "it is not stopped any more");
    answer(&world, &self::token(&world).await, "Approved").await.unwrap();
    world.until_deployments(1).await;
}

#[tokio::test]
async fn in_parallel_mode_the_token_is_in_the_history() {
    let world = World::new();
    world.sisters.set_head("app/main", "c1");
    let mut declaration = gated(json!({}));
    declaration["executionMode"] = json!("PARALLEL");
    world.create(declaration).await;
    let open = async || world.action_details().await.len() == 2;
    assert!(eventually(open).await);
    let id = async || world.action_details().await[1]["output"]["executionResult"]["externalExecutionId"].clone();
    assert!(eventually(async || id().await.is_string()).await);
    answer(&world, id().await.as_str().unwrap(), "Approved").await.unwrap();
    world.until_deployments(1).await;
}
