//! Pipeline executions as a client follows them.

use super::account::NAME;
use super::screen::Screen;
use crate::client::Client;
use anyhow::{Context, bail};
use aws::codepipeline::MODEL;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How often the state is asked for, and for how long at most.
const POLL: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(180);

/// One execution, after its end.
pub(super) struct Execution {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) status: String,
    pub(super) trigger: String,
    pub(super) seconds: f64,
    pub(super) actions: Vec<Action>,
}

/// One action execution.
pub(super) struct Action {
    pub(super) stage: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) seconds: f64,
}

/// Waits for an execution that was not seen before, and for its end.
pub(super) async fn follow(screen: &Screen, client: &Client, seen: &[&str], title: &str) -> anyhow::Result<Execution> {
    let begun = Instant::now();
    let running = screen.running();
    running.show(title);
    loop {
        if begun.elapsed() > PATIENCE {
            bail!("{title}: no end after {PATIENCE:?}");
        }
        if let Some(execution) = newest(client, seen, title, begun.elapsed()).await? {
            let line = line(&execution);
            match execution.status.as_str() {
                "InProgress" => running.show(&line),
                "Succeeded" => {
                    running.end('✓', &line);
                    return Ok(execution);
                }
                // Whether it should have failed is the demo's to judge.
                _ => {
                    running.end('•', &line);
                    return Ok(execution);
                }
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn newest(client: &Client, seen: &[&str], title: &str, waited: Duration) -> anyhow::Result<Option<Execution>> {
    let list = client.call(&MODEL, "ListPipelineExecutions", json!({"pipelineName": NAME})).await?;
    let summaries = list["pipelineExecutionSummaries"].as_array().context("no summaries")?;
    let new = summaries.iter().find(|summary| !seen.contains(&text(summary, "pipelineExecutionId")));
    let Some(summary) = new else { return Ok(None) };
    let id = text(summary, "pipelineExecutionId").to_owned();
    let filter = json!({"pipelineName": NAME, "filter": {"pipelineExecutionId": id}});
    let details = client.call(&MODEL, "ListActionExecutions", filter).await?;
    let mut actions: Vec<_> = details["actionExecutionDetails"].as_array().into_iter().flatten().map(action).collect();
    actions.reverse();
    Ok(Some(Execution {
        id,
        title: title.to_owned(),
        status: text(summary, "status").to_owned(),
        trigger: text(&summary["trigger"], "triggerType").to_owned(),
        seconds: seconds(summary).unwrap_or(waited.as_secs_f64()),
        actions,
    }))
}

fn action(details: &Value) -> Action {
    Action {
        stage: text(details, "stageName").to_owned(),
        name: text(details, "actionName").to_owned(),
        status: text(details, "status").to_owned(),
        seconds: seconds(details).unwrap_or_default(),
    }
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_default()
}

fn seconds(value: &Value) -> Option<f64> {
    Some(value["lastUpdateTime"].as_f64()? - value["startTime"].as_f64()?)
}

/// `push 1: version 1.0.0   Source 0.1 s   Build 4.2 s   Deploy …`
fn line(execution: &Execution) -> String {
    let actions = execution.actions.iter().map(|action| match action.status.as_str() {
        "Succeeded" => format!("{} {:.1} s", action.stage, action.seconds),
        "InProgress" => format!("{} …", action.stage),
        status => format!("{} {status}", action.stage),
    });
    format!("{:<24} {}", execution.title, actions.collect::<Vec<_>>().join("   "))
}
