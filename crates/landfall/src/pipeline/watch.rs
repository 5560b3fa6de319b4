//! `landfall pipeline watch`: asks twice a second, at most two small calls each time.

use super::picture::Picture;
use super::select::{Wanted, select};
use crate::client::{CallError, Patient, ServerArguments, part};
use crate::exit::{Failed, Interrupted, user_error};
use crate::terminal::Canvas;
use aws::codepipeline::MODEL;
use clap::Args;
use kernel::{Clock as _, SystemClock};
use serde_json::{Value, json};
use std::time::Duration;

/// Between two looks.
const POLL: Duration = Duration::from_millis(400);

/// `landfall pipeline watch`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The pipeline's name
    name: String,
    /// This execution; default: the newest, or the first when there is none yet
    #[arg(long, value_name = "ID")]
    execution: Option<String>,
    /// The execution of this commit, as soon as it has begun, e.g. "$(git rev-parse HEAD)"
    #[arg(long, value_name = "COMMIT", conflicts_with = "execution")]
    commit: Option<String>,
    /// As JSON, a line for each change: {"pipeline", "execution", "status", "actions": [...]}
    #[arg(long, help_heading = "Output")]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// Follows an execution to its end.
pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    tokio::select! {
        ended = follow(arguments) => match ended? {
            status if status == "Succeeded" => Ok(()),
            _ => Err(Failed.into()),
        },
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\nNo longer watched; the execution goes on. aws codepipeline stop-pipeline-execution stops it.");
            Err(Interrupted.into())
        }
    }
}

/// Shows what changes; answers the status at the end.
async fn follow(arguments: &Arguments) -> anyhow::Result<String> {
    let mut client = Patient::connect(&arguments.server)?;
    let name = arguments.name.as_str();
    let id = begun(&mut client, arguments).await?;
    let asked = json!({"pipelineName": name, "pipelineExecutionId": id});
    let mut structure = Value::Null;
    let mut screen = Screen::new(arguments.json);
    loop {
        let mut found =
            client.call(&MODEL, "GetPipelineExecution", &asked).await.map_err(|error| explain(name, error))?;
        let execution = part(&mut found, "/pipelineExecution");
        if structure.is_null() {
            structure = definition(&mut client, name, &execution["pipelineVersion"]).await?;
        }
        let filter = json!({"pipelineName": name, "filter": {"pipelineExecutionId": id}});
        let mut details = client.call(&MODEL, "ListActionExecutions", &filter).await?;
        let details = part(&mut details, "/actionExecutionDetails");
        let picture = Picture::of(&structure, &execution, details.as_array().map_or(&[], Vec::as_slice));
        let (status, ended) = (picture.status.clone(), picture.has_ended());
        screen.show(picture)?;
        if ended {
            return Ok(status);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Waits for the wanted execution.
async fn begun(client: &mut Patient, arguments: &Arguments) -> anyhow::Result<String> {
    let wanted = match (&arguments.execution, &arguments.commit) {
        (Some(id), _) => Wanted::Execution(id),
        (None, Some(commit)) => Wanted::Commit(commit),
        (None, None) => Wanted::Newest,
    };
    let input = json!({"pipelineName": arguments.name, "maxResults": 100});
    let mut told = false;
    loop {
        let mut found = client
            .call(&MODEL, "ListPipelineExecutions", &input)
            .await
            .map_err(|error| explain(&arguments.name, error))?;
        let summaries = part(&mut found, "/pipelineExecutionSummaries");
        if let Some(id) = select(summaries.as_array().map_or(&[], Vec::as_slice), wanted) {
            return Ok(id);
        }
        if !std::mem::replace(&mut told, true) {
            eprintln!("waiting for the execution to begin (Ctrl-C ends the watch)");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The pipeline as it was when the execution began.
async fn definition(client: &mut Patient, name: &str, version: &Value) -> anyhow::Result<Value> {
    let mut input = json!({"name": name});
    if version.is_i64() {
        input["version"] = version.clone();
    }
    let mut found = client.call(&MODEL, "GetPipeline", &input).await?;
    Ok(part(&mut found, "/pipeline"))
}

fn explain(name: &str, error: CallError) -> anyhow::Error {
    match error.code() {
        Some("PipelineNotFoundException") => user_error(format!(
            "there is no pipeline '{name}' in this region; `landfall pipeline list` shows those there are"
        )),
        Some("PipelineExecutionNotFoundException") => user_error(format!(
            "pipeline '{name}' has no such execution; `aws codepipeline list-pipeline-executions --pipeline-name {name}` \
             shows those it has"
        )),
        _ => error.into(),
    }
}

/// Where the pictures go: a terminal's canvas, lines, or JSON lines.
struct Screen {
    json: bool,
    canvas: Option<Canvas>,
    last: Option<Picture>,
}

impl Screen {
    fn new(json: bool) -> Self {
        Self { json, canvas: if json { None } else { Canvas::of_stdout() }, last: None }
    }

    fn show(&mut self, picture: Picture) -> anyhow::Result<()> {
        let now = SystemClock.now();
        let changed = self.last.as_ref() != Some(&picture);
        if let Some(canvas) = &mut self.canvas {
            canvas.draw(&picture.lines(now))?;
        } else if self.json {
            if changed {
                println!("{}", picture.json());
            }
        } else {
            for line in picture.changes(self.last.as_ref(), now) {
                println!("{line}");
            }
        }
        self.last = Some(picture);
        Ok(())
    }
}
