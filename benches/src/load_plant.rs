//! Many pipelines whose builds the dummy plays, for measurements of load: made, started, awaited.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rusqlite::{Connection as Database, OpenFlags};
use serde_json::{Value, json};
use testbed::client::Connection;
use testbed::process::Server;
use tokio::task::JoinSet;

use crate::Options;
use crate::reads::{action, role};

/// How many ask at the same time.
const CLIENTS: usize = 16;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(5);
/// The service whose pipelines these are, as targets of its JSON protocol begin.
const CODEPIPELINE: &str = "CodePipeline_20150709";
/// A zip without files: what builds get is not what is measured.
const EMPTY_ZIP: &[u8; 22] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A server with all that its pipelines need. Its store is looked at from outside, so that waiting costs it nothing.
pub(crate) struct Plant {
    pub(crate) server: Server,
    database: Database,
    role: String,
}

/// What some work has taken of a server.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) cpu: Duration,
    /// Changes of the store: commits, claims of due work and their ends.
    pub(crate) changes: u64,
}

impl Plant {
    /// Starts it. Its source is an object, its project `build` takes `work` in the dummy.
    pub(crate) async fn start(options: &Options, work: Duration) -> anyhow::Result<Self> {
        let arguments = ["--engine", "dummy", "--image-map", "*=dummy", "--builds-at-once", "1024", "--log", "warn"];
        let server = Server::landfall(&options.landfall, &options.folder, &arguments)?;
        server.answer().await?;
        let mut connection = server.client.connection();
        for bucket in ["load-sources", "load-artifacts"] {
            connection.bucket(bucket).await?;
        }
        let versioned = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        connection.s3("PUT", "/load-sources?versioning", versioned).await?;
        connection.s3("PUT", "/load-sources/source.zip", EMPTY_ZIP).await?;
        create_project(&mut connection, work).await?;
        let role = role(&mut connection, "codepipeline").await?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Database::open_with_flags(server.data().join("landfall.db"), flags)?;
        Ok(Self { server, database, role })
    }

    /// Makes pipelines of these names; the creation starts the first execution of each.
    pub(crate) async fn create(&self, names: Vec<String>, mode: &str) -> anyhow::Result<()> {
        let (role, mode) = (self.role.clone(), mode.to_owned());
        self.each(names, "CreatePipeline", move |name| json!({"pipeline": pipeline(name, &role, &mode)})).await
    }

    /// Starts one execution of each named pipeline; a name may come more than once.
    pub(crate) async fn begin(&self, names: Vec<String>) -> anyhow::Result<()> {
        self.each(names, "StartPipelineExecution", |name| json!({"name": name})).await
    }

    async fn each(
        &self,
        names: Vec<String>,
        operation: &'static str,
        input: impl Fn(&str) -> Value + Clone + Send + 'static,
    ) -> anyhow::Result<()> {
        let mut asking = JoinSet::new();
        for client in 0..CLIENTS {
            let (mut connection, input) = (self.server.client.connection(), input.clone());
            let names: Vec<String> = names.iter().skip(client).step_by(CLIENTS).cloned().collect();
            asking.spawn(async move {
                for name in names {
                    let target = format!("{CODEPIPELINE}.{operation}");
                    connection.json("codepipeline", &target, &input(&name)).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = asking.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Waits until no action is on its way.
    pub(crate) async fn rest(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.due("codepipeline.action")? > 0 {
            ensure!(Instant::now() < deadline, "executions are still in progress after {PATIENCE:?}");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The most executions whose builds are in progress at the same time, watched until nothing is.
    pub(crate) async fn most_at_once(&self) -> anyhow::Result<usize> {
        let (mut most, deadline) = (0, Instant::now() + PATIENCE);
        while self.due("codepipeline.action")? > 0 {
            most = most.max(self.due("codebuild.build")?);
            ensure!(Instant::now() < deadline, "executions are still in progress after {PATIENCE:?}");
            tokio::time::sleep(LOOK).await;
        }
        Ok(most)
    }

    /// How many documents of a kind are on their way.
    fn due(&self, kind: &str) -> anyhow::Result<usize> {
        let sql = "SELECT count(*) FROM documents WHERE kind = ?1 AND due IS NOT NULL";
        Ok(self.database.prepare_cached(sql)?.query_row([kind], |row| row.get(0))?)
    }

    /// What the server has used since its start.
    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        let changes = self.database.query_row("SELECT max(version) FROM documents", [], |row| row.get(0))?;
        Ok(Used { cpu: self.server.cpu()?, changes })
    }

    /// How many executions of these pipelines ended as they should; an error where one did not.
    pub(crate) async fn succeeded(&self, names: &[String]) -> anyhow::Result<usize> {
        let (mut connection, mut succeeded) = (self.server.client.connection(), 0);
        for name in names {
            let mut input = json!({"pipelineName": name});
            loop {
                let target = format!("{CODEPIPELINE}.ListPipelineExecutions");
                let mut page = connection.json("codepipeline", &target, &input).await?;
                let summaries = page["pipelineExecutionSummaries"].as_array().context("no executions")?;
                let failed = summaries.iter().find(|summary| summary["status"] != "Succeeded");
                ensure!(failed.is_none(), "an execution of {name} did not succeed: {failed:?}");
                succeeded += summaries.len();
                match page["nextToken"].take() {
                    Value::Null => break,
                    token => input["nextToken"] = token,
                }
            }
        }
        Ok(succeeded)
    }
}

impl Used {
    /// What was used since `before`, for each of `count`.
    pub(crate) fn each(self, before: Self, count: usize) -> anyhow::Result<(Duration, f64)> {
        let cpu = self.cpu.saturating_sub(before.cpu) / u32::try_from(count)?.max(1);
        Ok((cpu, self.changes.saturating_sub(before.changes) as f64 / count.max(1) as f64))
    }
}

/// Names of so many pipelines.
pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number:05}")).collect()
}

async fn create_project(connection: &mut Connection, work: Duration) -> anyhow::Result<()> {
    let input = json!({
        "name": "build", "serviceRole": role(connection, "codebuild").await?,
        "source": {"type": "CODEPIPELINE", "buildspec": r#"{"version": 0.2, "phases": {"build": {"commands": ["true"]}}}"#},
        "artifacts": {"type": "CODEPIPELINE"},
        "environment": {
            "type": "LINUX_CONTAINER", "image": "dummy", "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "LANDFALL_DUMMY_SLEEP_MS", "value": work.as_millis().to_string()}],
        },
        "logsConfig": {"cloudWatchLogs": {"status": "DISABLED"}},
    });
    connection.json("codebuild", "CodeBuild_20161006.CreateProject", &input).await.map(drop)
}

/// A source and a build.
fn pipeline(name: &str, role: &str, mode: &str) -> Value {
    let object = json!({"S3Bucket": "load-sources", "S3ObjectKey": "source.zip", "PollForSourceChanges": "false"});
    json!({
        "name": name, "roleArn": role, "pipelineType": "V2", "executionMode": mode,
        "artifactStore": {"type": "S3", "location": "load-artifacts"},
        "stages": [
            {"name": "Source", "actions": [action("Source", "Source", "S3", object)]},
            {"name": "Build", "actions": [action("Build", "Build", "CodeBuild", json!({"ProjectName": "build"}))]},
        ],
    })
}
