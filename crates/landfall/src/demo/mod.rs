//! `landfall demo`: the product in less than a minute, with nothing prepared.
//!
//! A server on an empty data folder, a repository, a pipeline and two hosts; three
//! pushes; and a check of everything that is claimed. All calls go over HTTP as any
//! client's do.

mod account;
mod example;
mod executions;
mod hosts;
mod report;
mod screen;
mod server;

use crate::exit::{Interrupted, user_error};
use account::Account;
use anyhow::{Context, ensure};
use clap::Args;
use example::Example;
use executions::Execution;
use hosts::Hosts;
use screen::Screen;
use server::Server;
use std::path::PathBuf;
use std::time::Instant;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How the demo runs.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave everything running until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// The Rust toolchain for the builds; default: that of rustc on PATH
    #[arg(long, value_name = "SYSROOT")]
    rust: Option<PathBuf>,
    /// Where to keep everything; default: a temporary folder, removed at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Runs the demo.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let asked = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let asked = asked_to_end(asked);
    tokio::pin!(asked);
    let rust = options.rust.clone().map_or_else(sysroot, Ok)?;
    let folder = Folder::new(options.data_dir.clone())?;
    let screen = Screen::new();
    let server = Server::start(&folder.path, &rust).await?;
    screen.done(&format!("server at {}, data in {}", server.endpoint, folder.path.display()));
    let hosts = Hosts::open(&folder.path, &server).await?;
    let shown = tokio::select! {
        shown = show(&screen, &server, &hosts) => shown,
        () = asked.as_mut() => Err(Interrupted.into()),
    };
    let interrupted = shown.as_ref().is_err_and(|error| error.is::<Interrupted>());
    if let Err(error) = &shown {
        screen.say(&format!("  ✗ {error:#}"));
    }
    if !interrupted {
        report::next(&screen, options.keep.then_some(folder.path.join("data").as_path()));
        if options.keep {
            asked.await;
        }
    }
    hosts.stop().await;
    let log = server.stop().await;
    if shown.is_err() && !interrupted {
        folder.keep();
        screen.say(&format!("The server's log is {}", log.display()));
    }
    shown
}

/// Until Ctrl-C or SIGTERM: then the sandboxes of the hosts go too.
async fn asked_to_end([mut terminate, mut interrupt]: [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// The journey: three pushes, each with what must have come of it.
async fn show(screen: &Screen, server: &Server, hosts: &Hosts) -> anyhow::Result<()> {
    let begun = Instant::now();
    let account = Account::new(server.client()?);
    account.prepare().await?;
    screen.done("repository, build project, deployment group");
    for name in hosts::NAMES {
        let key = account.register_host(name).await?;
        hosts.start(name, &key).await?;
    }
    screen.done("two hosts, each its own sandbox with landfall-agent as its first process");

    let example = Example::new(server.folder().join("hello-service"), &server.clone_url(account::NAME)).await?;
    let mut executions = Vec::new();
    example.push("1.0.0", "First release").await?;
    account.create_pipeline().await?;
    executions.push(follow(screen, &account, &executions, "push 1: version 1.0.0").await?);
    serves(screen, hosts, "1.0.0").await?;

    example.push("2.0.0", "Second release").await?;
    executions.push(follow(screen, &account, &executions, "push 2: version 2.0.0").await?);
    serves(screen, hosts, "2.0.0").await?;

    // A version that is no number fails the example's own tests.
    example.push("three", "A commit whose test fails").await?;
    executions.push(follow(screen, &account, &executions, "push 3: a failing test").await?);
    serves(screen, hosts, "2.0.0").await?;

    check(&executions)?;
    report::print(screen, &executions, begun.elapsed());
    Ok(())
}

async fn follow(screen: &Screen, account: &Account, before: &[Execution], title: &str) -> anyhow::Result<Execution> {
    let seen: Vec<&str> = before.iter().map(|execution| execution.id.as_str()).collect();
    executions::follow(screen, account.client(), &seen, title).await
}

/// Fetches the page from inside both hosts.
async fn serves(screen: &Screen, hosts: &Hosts, version: &str) -> anyhow::Result<()> {
    for name in hosts::NAMES {
        let page = hosts.fetch(name).await?;
        ensure!(
            page.contains(&format!("version {version}")),
            "{name} should serve version {version}, but serves: {page}"
        );
    }
    screen.done(&format!("both hosts serve version {version}"));
    Ok(())
}

/// What must have happened, told by the API.
fn check(executions: &[Execution]) -> anyhow::Result<()> {
    let statuses: Vec<_> = executions.iter().map(|execution| execution.status.as_str()).collect();
    ensure!(statuses == ["Succeeded", "Succeeded", "Failed"], "the executions ended as {statuses:?}");
    let failed = executions.last().context("an execution")?;
    let build = failed.actions.iter().find(|action| action.stage == "Build").context("no Build action")?;
    ensure!(build.status == "Failed", "the failing test should stop the pipeline at Build, which is {}", build.status);
    ensure!(!failed.actions.iter().any(|action| action.stage == "Deploy"), "a failed build was deployed");
    Ok(())
}

fn sysroot() -> anyhow::Result<PathBuf> {
    let missing =
        || user_error("the demo compiles a Rust program: install Rust (https://rustup.rs), or give --rust SYSROOT");
    let output = std::process::Command::new("rustc").args(["--print", "sysroot"]).output().map_err(|_| missing())?;
    if !output.status.success() {
        return Err(missing());
    }
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// The demo's folder; removed at the end unless it was named or is to be kept.
struct Folder {
    path: PathBuf,
    temporary: std::cell::RefCell<Option<tempfile::TempDir>>,
}

impl Folder {
    fn new(named: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = named {
            std::fs::create_dir_all(&path)?;
            return Ok(Self { path: path.canonicalize()?, temporary: None.into() });
        }
        // Not /tmp: it may be a tmpfs, and Unix sockets need a short path.
        let temporary = tempfile::Builder::new().prefix("landfall-demo-").tempdir_in("/var/tmp")?;
        Ok(Self { path: temporary.path().to_owned(), temporary: Some(temporary).into() })
    }

    fn keep(&self) {
        if let Some(temporary) = self.temporary.take() {
            let _ = temporary.keep();
        }
    }
}
