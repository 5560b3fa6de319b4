//! `landfall status`: the server, its pipelines, and what runs now.

mod folder;
mod work;

use crate::client::{CallError, Client, ServerArguments};
use crate::pipeline::{Pipeline, pipelines};
use crate::span;
use crate::terminal::mark;
use clap::Args;
use comfy_table::{Table, presets};
use kernel::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use work::Work;

/// `landfall status`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    /// As JSON: {"server", "pipelines", "builds", "deployments"}
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Everything that is shown.
struct Status {
    endpoint: String,
    /// `DescribeServer`'s answer; null for those who may not ask.
    server: Value,
    /// How much the data folder holds, where this machine can look into it.
    data: Option<folder::Size>,
    pipelines: Vec<(Pipeline, Vec<Stage>)>,
    work: Work,
}

/// A stage with the status of its latest execution.
struct Stage {
    name: String,
    status: Option<String>,
}

/// Prints how the server is.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let status = Status::gather(&arguments.server.connect()?).await?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&status.json())?);
    } else {
        println!("{}", status.lines(SystemClock.now()).join("\n"));
    }
    Ok(())
}

impl Status {
    async fn gather(client: &Client) -> anyhow::Result<Self> {
        let server = match client.operator("DescribeServer", json!({})).await {
            Err(CallError::Refused { status: 403, .. }) => Value::Null,
            answered => answered?,
        };
        let data = server["dataDir"].as_str().and_then(|dir| folder::size(dir.as_ref()));
        let mut shown = Vec::new();
        for pipeline in pipelines(client).await? {
            let stages = stages(client, &pipeline.name).await?;
            shown.push((pipeline, stages));
        }
        let work = Work::gather(client).await?;
        Ok(Self { endpoint: client.endpoint().to_owned(), server, data, pipelines: shown, work })
    }

    fn json(&self) -> Value {
        let stage = |stage: &Stage| json!({"name": stage.name, "status": stage.status});
        let pipelines = self.pipelines.iter().map(|(pipeline, stages)| {
            let mut shown = pipeline.json();
            shown["stages"] = stages.iter().map(stage).collect();
            shown
        });
        let mut server = self.server.clone();
        server["endpoint"] = self.endpoint.clone().into();
        if let Some(data) = &self.data {
            server["dataBytes"] = data.bytes.into();
        }
        json!({
            "server": server,
            "pipelines": pipelines.collect::<Vec<_>>(),
            "builds": self.work.builds_json(),
            "deployments": self.work.deployments_json(),
        })
    }

    fn lines(&self, now: Timestamp) -> Vec<String> {
        let mut lines = vec![format!("server       {}{}", self.endpoint, self.about(now))];
        if let Some(dir) = self.server["dataDir"].as_str() {
            let data = self.data.as_ref().map(|data| format!(", {data}")).unwrap_or_default();
            lines.push(format!("data         {dir}{data}"));
        }
        lines.push(format!("pipelines    {}", counted(self.pipelines.len())));
        if !self.pipelines.is_empty() {
            let mut table = Table::new();
            table.load_style(presets::NOTHING);
            table.add_rows(self.pipelines.iter().map(|(pipeline, stages)| row(pipeline, stages)));
            lines.extend(table.trim_fmt().lines().map(|line| format!("            {line}")));
        }
        lines.push(format!("builds       {}", self.work.builds_line(now)));
        lines.push(format!("deployments  {}", self.work.deployments_line(now)));
        lines
    }

    /// Version, mode, engine and uptime.
    fn about(&self, now: Timestamp) -> String {
        let Some(version) = self.server["version"].as_str() else { return String::new() };
        let text = |member: &str| self.server[member].as_str().unwrap_or_default();
        let started: Option<jiff::Timestamp> = text("startedAt").parse().ok();
        let up = started.map(|started| now.since(Timestamp::from_millis(started.as_millisecond())));
        let up = up.map(|up| format!(", up {}", span::said(up))).unwrap_or_default();
        format!(", version {version}, auth {}, engine {}{up}", text("auth"), text("engine"))
    }
}

fn counted(count: usize) -> String {
    if count == 0 { "none".to_owned() } else { count.to_string() }
}

fn row(pipeline: &Pipeline, stages: &[Stage]) -> [String; 3] {
    let shown = stages.iter().map(|stage| format!("{} {}", mark(stage.status.as_deref()), stage.name));
    let status = pipeline.status().unwrap_or("never ran").to_owned();
    [pipeline.name.clone(), status, shown.collect::<Vec<_>>().join("  ")]
}

async fn stages(client: &Client, name: &str) -> Result<Vec<Stage>, CallError> {
    let state = client.call(&aws::codepipeline::MODEL, "GetPipelineState", json!({"name": name})).await?;
    let stages = state["stageStates"].as_array().into_iter().flatten();
    Ok(stages
        .map(|stage| Stage {
            name: stage["stageName"].as_str().unwrap_or_default().to_owned(),
            status: stage["latestExecution"]["status"].as_str().map(str::to_owned),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(server: Value) -> Status {
        let stage = |name: &str, status: Option<&str>| Stage { name: name.into(), status: status.map(str::to_owned) };
        let ran = Pipeline::of("app", json!({"status": "InProgress", "startTime": 60.0, "pipelineExecutionId": "e-1"}));
        Status {
            endpoint: "http://127.0.0.1:4566".to_owned(),
            server,
            data: Some(folder::Size { bytes: 3_500_000, whole: true }),
            pipelines: vec![
                (
                    ran,
                    vec![stage("Source", Some("Succeeded")), stage("Build", Some("InProgress")), stage("Deploy", None)],
                ),
                (Pipeline::of("other", Value::Null), vec![stage("Source", None)]),
            ],
            work: Work::default(),
        }
    }

    #[test]
    fn it_is_calm_and_aligned() {
        let server = json!({
            "version": "0.1.0", "auth": "open", "engine": "sandbox", "startedAt": "1970-01-01T00:00:00Z", "dataDir": "/data",
        });
        assert_eq!(
            status(server).lines(Timestamp::from_seconds(65)),
            [
                "server       http://127.0.0.1:4566, version 0.1.0, auth open, engine sandbox, up 1 min 05 s",
                "data         /data, 3.5 MB",
                "pipelines    2",
                "             app    InProgress  ✓ Source  ▸ Build  · Deploy",
                "             other  never ran   · Source",
                "builds       none running",
                "deployments  none running",
            ]
        );
    }

    #[test]
    fn who_may_not_ask_the_server_sees_the_rest() {
        let lines = status(Value::Null).lines(Timestamp::from_seconds(65));
        assert_eq!(lines[..2], ["server       http://127.0.0.1:4566", "pipelines    2"]);
        let json = status(Value::Null).json();
        assert_eq!(json["server"]["endpoint"], "http://127.0.0.1:4566");
        assert_eq!(json["pipelines"][0]["stages"][1], json!({"name": "Build", "status": "InProgress"}));
        assert_eq!(json["pipelines"][1]["status"], Value::Null);
    }
}
