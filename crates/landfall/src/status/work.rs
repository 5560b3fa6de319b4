//! What runs now: builds and deployments.

use crate::client::{CallError, Client};
use crate::span;
use crate::terminal::printable;
use aws::{codebuild, codedeploy};
use kernel::Timestamp;
use serde_json::{Value, json};

/// Most builds and deployments that are looked at; running ones are the newest.
const MOST: usize = 100;
/// Most that are named in a line.
const NAMED: usize = 3;

/// Builds and deployments that have not ended.
#[derive(Default)]
pub(super) struct Work {
    builds: Vec<Running>,
    deployments: Vec<Running>,
}

/// One of them.
struct Running {
    id: String,
    /// A build's phase, a deployment's group.
    detail: String,
    started: Option<Timestamp>,
}

impl Work {
    pub(super) async fn gather(client: &Client) -> Result<Self, CallError> {
        Ok(Self { builds: builds(client).await?, deployments: deployments(client).await? })
    }

    pub(super) fn builds_line(&self, now: Timestamp) -> String {
        line(&self.builds, now)
    }

    pub(super) fn deployments_line(&self, now: Timestamp) -> String {
        line(&self.deployments, now)
    }

    pub(super) fn builds_json(&self) -> Value {
        self.builds.iter().map(|build| build.json("phase")).collect()
    }

    pub(super) fn deployments_json(&self) -> Value {
        self.deployments.iter().map(|deployment| deployment.json("group")).collect()
    }
}

impl Running {
    fn json(&self, detail: &str) -> Value {
        json!({"id": self.id, detail: self.detail, "startedAt": self.started.map(Timestamp::iso8601)})
    }

    fn words(&self, now: Timestamp) -> String {
        let time = self.started.map(|started| format!(" {}", span::said(now.since(started)))).unwrap_or_default();
        format!("{} {}{time}", printable(&self.id), printable(&self.detail))
    }
}

fn line(running: &[Running], now: Timestamp) -> String {
    if running.is_empty() {
        return "none running".to_owned();
    }
    let named: Vec<_> = running.iter().take(NAMED).map(|one| one.words(now)).collect();
    let more = if running.len() > NAMED { ", …" } else { "" };
    format!("{} running: {}{more}", running.len(), named.join(", "))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_f64().map(Timestamp::from_epoch_seconds)
}

async fn builds(client: &Client) -> Result<Vec<Running>, CallError> {
    let input = json!({"sortOrder": "DESCENDING"});
    let ids = client.list(&codebuild::MODEL, "ListBuilds", input, ("ids", "nextToken"), MOST).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = client.call(&codebuild::MODEL, "BatchGetBuilds", json!({"ids": ids})).await?;
    let found = found["builds"].as_array().into_iter().flatten();
    let running = found.filter(|build| build["buildStatus"] == "IN_PROGRESS");
    Ok(running
        .map(|build| Running {
            id: text(&build["id"]),
            detail: text(&build["currentPhase"]),
            started: time(&build["startTime"]),
        })
        .collect())
}

async fn deployments(client: &Client) -> Result<Vec<Running>, CallError> {
    let input = json!({"includeOnlyStatuses": ["Created", "Queued", "InProgress", "Ready"]});
    let ids = client.list(&codedeploy::MODEL, "ListDeployments", input, ("deployments", "nextToken"), MOST).await?;
    let mut running = Vec::new();
    for some in ids.chunks(25) {
        let found = client.call(&codedeploy::MODEL, "BatchGetDeployments", json!({"deploymentIds": some})).await?;
        let found = found["deploymentsInfo"].as_array().into_iter().flatten();
        running.extend(found.map(|deployment| Running {
            id: text(&deployment["deploymentId"]),
            detail: format!("{}/{}", text(&deployment["applicationName"]), text(&deployment["deploymentGroupName"])),
            started: time(&deployment["createTime"]),
        }));
    }
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_named_and_the_rest_counted() {
        let now = Timestamp::from_seconds(100);
        let one = |id: &str| Running {
            id: id.to_owned(),
            detail: "BUILD".to_owned(),
            started: Some(Timestamp::from_seconds(90)),
        };
        assert_eq!(line(&[], now), "none running");
        assert_eq!(line(&[one("app:1")], now), "1 running: app:1 BUILD 10.0 s");
        let four = ["a:1", "b:1", "c:1", "d:1"].map(one);
        assert_eq!(line(&four, now), "4 running: a:1 BUILD 10.0 s, b:1 BUILD 10.0 s, c:1 BUILD 10.0 s, …");
    }
}
