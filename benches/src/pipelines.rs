//! From the answered push to the first build command, and to the end of a pipeline of three trivial stages.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Options;
use crate::reads::{action, role};
use crate::report::{Budget, Figure, median, millis};
use crate::syncs;
use testbed::client::Connection;
use testbed::process::Server;

const PUSHES: usize = 20;
const FIRST_COMMAND: Duration = Duration::from_millis(150);
const WHOLE: Duration = Duration::from_secs(1);
const MOST_SYNCS: usize = 12;
/// How long one execution may take.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);
/// The server's default.
const PREPARED: &str = "2";
/// The agents of prepared containers greet within this time.
const GREETING: Duration = Duration::from_millis(200);
/// Prints the time at which it runs, in nanoseconds.
const BUILDSPEC: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - date +%s%N\n";

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let alone = pushes(options, "0", "info").await?;
    let pooled = pushes(options, PREPARED, "info").await?;
    let counted = pushes(options, PREPARED, syncs::LOG).await?;
    let bare = bare(&options.folder)?;
    let figure = |what: &str, time: Duration, text, budget| Figure {
        what: format!("{what} (median of {PUSHES}, image `host`)"),
        landfall: millis(time),
        beside: format!("the two commands in a shell {}", millis(bare)),
        ratio: time.as_secs_f64() / bare.as_secs_f64(),
        budget: Budget::new(text, time <= budget),
    };
    let (first, whole) =
        ("`git push` answered to first build command", "`git push` answered to Succeeded: Source, Build, Test");
    let commands = crate::gitlab::measure(options)?;
    let whole_beside = |what: String, time: Duration, beside: &str, peer: Duration| Figure {
        what,
        landfall: millis(time),
        beside: format!("{beside} {}", millis(peer)),
        ratio: time.as_secs_f64() / peer.as_secs_f64(),
        budget: None,
    };
    let mut figures = vec![
        figure(&format!("{first}, containers prepared"), pooled.first, "≤ 150 ms", FIRST_COMMAND),
        figure(&format!("{first}, `--pool 0`"), alone.first, "≤ 150 ms", FIRST_COMMAND),
        figure(&format!("{whole}, containers prepared"), pooled.whole, "≤ 1 s", WHOLE),
        figure(&format!("{whole}, `--pool 0`"), alone.whole, "≤ 1 s", WHOLE),
    ];
    figures.push(Figure {
        what: format!(
            "times that the store syncs between the answered push and the first build command ({PUSHES} pushes)"
        ),
        landfall: counted.syncs.to_string(),
        beside: "one for each commit that must be durable".to_owned(),
        ratio: 1.0,
        budget: Budget::new("≤ 12", counted.syncs <= MOST_SYNCS),
    });
    match commands.theirs {
        Ok(theirs) => {
            let beside = "gitlab-ci-local, shell executor, nothing kept,";
            let run = "`landfall run --pipeline`: the same three stages, in containers".to_owned();
            figures.push(whole_beside(format!("{whole}, containers prepared"), pooled.whole, beside, theirs));
            figures.push(whole_beside(run, commands.ours, beside, theirs));
        }
        Err(error) => eprintln!("gitlab-ci-local is not measured: {error:#}"),
    }
    Ok(figures)
}

/// Medians over the pushes to one server.
struct Times {
    /// From the answered push to the first command.
    first: Duration,
    /// From the answered push to the pipeline's end.
    whole: Duration,
    /// How often the store synced until the first command, if the log told.
    syncs: usize,
}

/// Pushes one after the other; each finds the pool full, as after the pause that people make between pushes.
async fn pushes(options: &Options, pool: &str, log: &str) -> anyhow::Result<Times> {
    let arguments = ["--auth", "open", "--engine", "sandbox", "--image-map", "*=host", "--pool", pool, "--log", log];
    let server = Server::landfall(&options.landfall, &options.folder, &arguments)?;
    let mut connection = server.client.connection();
    prepare(&mut connection).await?;
    let url = format!("http://test:test@{}/v1/repos/benchmark", server.client.authority);
    let copy = WorkingCopy::new(&options.folder, &url)?;
    copy.push(0)?;
    create_pipeline(&mut connection).await?;
    ended(&mut connection, 1).await?;
    let (mut answered, mut wholes) = (Vec::new(), Vec::new());
    for number in 1..=PUSHES {
        filled(&server, pool.parse()?).await?;
        answered.push(copy.push(number)?);
        let begin = Instant::now();
        ended(&mut connection, number + 1).await?;
        wholes.push(begin.elapsed());
    }
    let commands = first_commands(&mut connection).await?;
    ensure!(commands.len() == PUSHES + 1, "{} builds logged their time, not {}", commands.len(), PUSHES + 1);
    let waits = commands.iter().skip(1).zip(&answered).map(|(ran, pushed)| ran.saturating_sub(*pushed)).collect();
    let log = std::fs::read_to_string(server.folder.path().join("log"))?;
    let spans = commands.iter().skip(1).zip(&answered);
    let mut syncs: Vec<usize> = spans.map(|(ran, pushed)| syncs::between(&log, *pushed, *ran)).collect();
    syncs.sort_unstable();
    Ok(Times { first: median(waits), whole: median(wholes), syncs: syncs.get(syncs.len() / 2).copied().unwrap_or(0) })
}

/// Waits until so many prepared containers are there and a moment longer, for their agents' greetings.
async fn filled(server: &Server, count: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let folder = server.folder.path().join("data/containers");
    let prepared = || -> anyhow::Result<usize> {
        let names = std::fs::read_dir(&folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter(|name| name.starts_with("p-")).count())
    };
    while prepared()? < count {
        ensure!(Instant::now() < deadline, "{count} containers are not prepared after {PATIENCE:?}");
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(GREETING).await;
    Ok(())
}

async fn prepare(connection: &mut Connection) -> anyhow::Result<()> {
    connection.bucket("benchmark-artifacts").await?;
    let input = json!({"repositoryName": "benchmark"});
    connection.json("codecommit", "CodeCommit_20150413.CreateRepository", &input).await?;
    let role = role(connection, "codebuild").await?;
    for name in ["build", "test"] {
        let input = json!({
            "name": name, "serviceRole": role,
            "source": {"type": "CODEPIPELINE"}, "artifacts": {"type": "CODEPIPELINE"},
            "environment": {"type": "LINUX_CONTAINER", "image": "host", "computeType": "BUILD_GENERAL1_SMALL"},
        });
        connection.json("codebuild", "CodeBuild_20161006.CreateProject", &input).await?;
    }
    Ok(())
}

async fn create_pipeline(connection: &mut Connection) -> anyhow::Result<()> {
    let role = role(connection, "codepipeline").await?;
    let stage = |action: Value| json!({"name": action["name"], "actions": [action]});
    let source = json!({"RepositoryName": "benchmark", "BranchName": "main"});
    let input = json!({"pipeline": {
        "name": "benchmark", "roleArn": role,
        "artifactStore": {"type": "S3", "location": "benchmark-artifacts"},
        "stages": [
            stage(action("Source", "Source", "CodeCommit", source)),
            stage(action("Build", "Build", "CodeBuild", json!({"ProjectName": "build"}))),
            stage(action("Test", "Test", "CodeBuild", json!({"ProjectName": "test"}))),
        ],
    }});
    connection.json("codepipeline", "CodePipeline_20150709.CreatePipeline", &input).await.map(drop)
}

/// Waits until there are `count` executions and the newest has succeeded.
async fn ended(connection: &mut Connection, count: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let input = json!({"pipelineName": "benchmark"});
        let found = connection.json("codepipeline", "CodePipeline_20150709.ListPipelineExecutions", &input).await?;
        let executions = found["pipelineExecutionSummaries"].as_array().context("no list of executions")?;
        match executions.first().and_then(|execution| execution["status"].as_str()) {
            Some("Succeeded") if executions.len() >= count => return Ok(()),
            Some("InProgress" | "Succeeded") | None if Instant::now() < deadline => tokio::time::sleep(LOOK).await,
            status => bail!("execution {count} is {status:?} after {PATIENCE:?}"),
        }
    }
}

/// When each build of the project `build` ran its first command, since the epoch, oldest first.
async fn first_commands(connection: &mut Connection) -> anyhow::Result<Vec<Duration>> {
    let input = json!({"logGroupName": "/aws/codebuild/build"});
    let found = connection.json("logs", "Logs_20140328.FilterLogEvents", &input).await?;
    let events = found["events"].as_array().context("no log events")?;
    let times = events.iter().filter_map(|event| event["message"].as_str()?.trim().parse::<u64>().ok());
    let mut times: Vec<Duration> = times.map(Duration::from_nanos).collect();
    times.sort_unstable();
    Ok(times)
}

/// A working copy whose every push is a new commit.
struct WorkingCopy {
    folder: TempDir,
    url: String,
}

impl WorkingCopy {
    fn new(parent: &Path, url: &str) -> anyhow::Result<Self> {
        let copy = Self { folder: TempDir::with_prefix_in("landfall-bench-", parent)?, url: url.to_owned() };
        copy.git(&["init", "--quiet", "--initial-branch=main"])?;
        std::fs::write(copy.folder.path().join("buildspec.yml"), BUILDSPEC)?;
        Ok(copy)
    }

    /// Answers when git had its answer, since the epoch.
    fn push(&self, number: usize) -> anyhow::Result<Duration> {
        std::fs::write(self.folder.path().join("number"), number.to_string())?;
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", "change"])?;
        self.git(&["push", "--quiet", &self.url, "main"])?;
        testbed::now()
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let status = Command::new("git")
            .args(["-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.org", "-C"])
            .arg(self.folder.path())
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "git {arguments:?} failed");
        Ok(())
    }
}

/// What the machine itself needs for two builds: a shell each, with the build's command.
fn bare(folder: &Path) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..PUSHES {
        let begin = Instant::now();
        for _ in ["build", "test"] {
            let mut shell = Command::new("sh");
            shell.args(["-c", "date +%s%N"]).current_dir(folder).stdout(Stdio::null());
            ensure!(shell.status()?.success(), "the shell failed");
        }
        times.push(begin.elapsed());
    }
    Ok(median(times))
}
