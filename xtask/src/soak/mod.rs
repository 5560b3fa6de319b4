//! `cargo xtask soak`: ten pipelines, a user for each, and a killer.
//!
//! Users push, start, stop, approve, retry, roll back, close and open, by real clients of the built server, while the server,
//! the agents of hosts, the shims of containers and the agents in them get SIGKILL every 50 to 500 ms. What is killed is
//! started again at once. What was acknowledged goes into a ledger; after each restart some of it is looked up. When the
//! kills are over, everything must come to its end in bounded time, and all invariants are checked.
//!
//! The seed decides the killer's strokes and each user's wishes ([`schedule`]). What they meet is not decided by it: how far
//! the server is, and what there is to approve, depends on the machine. So a seed is not a recording, but with it the same
//! mixture comes again.

mod api;
mod data;
mod facts;
mod hosts;
mod invariants;
mod killer;
mod ledger;
mod plan;
mod promises;
mod push;
mod remains;
mod report;
mod rest;
mod revision;
mod run;
mod schedule;
mod user;
mod victims;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

/// `cargo xtask soak`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How long the kills go on; what was begun then comes to its end.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Decides kills and wishes; default: one from the clock, which is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// The program, with landfall-agent beside it; default: the one that cargo build has made.
    #[arg(long, value_name = "PATH", env = "LANDFALL", default_value = "target/debug/landfall")]
    landfall: PathBuf,
    /// What runs builds.
    #[arg(long, value_enum, default_value_t = Engine::Sandbox)]
    engine: Engine,
    /// Where the run's folder is made.
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    place: PathBuf,
    /// How long everything may take to come to its end after the kills, in seconds.
    #[arg(long, default_value_t = 600)]
    patience: u64,
    /// Keep the folder also where nothing is wrong.
    #[arg(long)]
    keep: bool,
    /// The summary as JSON.
    #[arg(long)]
    json: bool,
}

/// What runs builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Containers of this machine's own files.
    Sandbox,
    /// Nothing: the agent is played.
    Dummy,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Dummy => "dummy",
        }
    }
}

/// Runs it; exit code 1 where something is violated.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let report = run::run(arguments)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.table());
    }
    if report.violations.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprint!("{}", report.indictment());
    Ok(ExitCode::FAILURE)
}
