//! `landfall pipeline list`.

use crate::client::{Client, ServerArguments, part};
use aws::codepipeline::MODEL;
use clap::Args;
use comfy_table::{Table, presets};
use kernel::Timestamp;
use serde_json::{Value, json};

/// No table is longer.
const MOST: usize = 1_000;

/// `landfall pipeline list`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    /// As JSON: [{"name", "version", "execution", "status", "startedAt", "trigger"}]
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// A pipeline with its newest execution, in the members of AWS.
pub(crate) struct Pipeline {
    pub(crate) name: String,
    version: i64,
    /// Null where it never ran.
    newest: Value,
}

impl Pipeline {
    /// A pipeline in its first version, for tests of what is shown.
    #[cfg(test)]
    pub(crate) fn of(name: &str, newest: Value) -> Self {
        Self { name: name.to_owned(), version: 1, newest }
    }

    /// The newest execution's status.
    pub(crate) fn status(&self) -> Option<&str> {
        self.newest["status"].as_str()
    }

    /// The newest execution's begin.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.newest["startTime"].as_f64().map(Timestamp::from_epoch_seconds)
    }

    /// As programs get it.
    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "version": self.version,
            "execution": self.newest["pipelineExecutionId"],
            "status": self.newest["status"],
            "startedAt": self.started().map(Timestamp::iso8601),
            "trigger": self.newest["trigger"]["triggerType"],
        })
    }

    fn row(&self) -> [String; 5] {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        [
            self.name.clone(),
            self.status().unwrap_or("never ran").to_owned(),
            self.started().map_or_else(|| "-".to_owned(), Timestamp::iso8601),
            text(&self.newest["trigger"]["triggerType"]),
            text(&self.newest["pipelineExecutionId"]),
        ]
    }
}

/// Prints the pipelines of the region.
pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let pipelines = all(&arguments.server.connect()?).await?;
    if arguments.json {
        let list: Vec<_> = pipelines.iter().map(Pipeline::json).collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    if pipelines.is_empty() {
        eprintln!(
            "There is no pipeline. aws codepipeline create-pipeline --cli-input-json file://pipeline.json makes one."
        );
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["pipeline", "status", "started", "by", "execution"]);
    table.add_rows(pipelines.iter().map(Pipeline::row));
    println!("{}", table.trim_fmt());
    Ok(())
}

/// All pipelines of the client's region.
pub(crate) async fn all(client: &Client) -> anyhow::Result<Vec<Pipeline>> {
    let mut pipelines = Vec::new();
    for found in client.list(&MODEL, "ListPipelines", json!({}), ("pipelines", "nextToken"), MOST).await? {
        let name = found["name"].as_str().unwrap_or_default().to_owned();
        let newest = json!({"pipelineName": name, "maxResults": 1});
        let mut newest = client.call(&MODEL, "ListPipelineExecutions", newest).await?;
        let newest = part(&mut newest, "/pipelineExecutionSummaries/0");
        pipelines.push(Pipeline { name, version: found["version"].as_i64().unwrap_or_default(), newest });
    }
    Ok(pipelines)
}
