//! Landfall: AWS's CI/CD suite ashore. One program that speaks AWS's APIs and does
//! the work. `landfall serve` is the server, `landfall demo` shows it.

#![forbid(unsafe_code)]

mod agent_binary;
mod client;
mod completions;
mod config;
mod console;
mod coverage;
mod data;
mod demo;
mod doctor;
mod environment;
mod exit;
mod help;
mod images;
mod listener;
mod log;
mod logs;
mod operator;
mod pipeline;
mod run;
mod running;
mod serve;
mod span;
mod status;
mod terminal;
mod tls;
mod version;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use std::process::ExitCode;

/// AWS's CI/CD suite ashore: CodePipeline, CodeBuild, CodeDeploy, CodeCommit and what
/// they stand on, in one program that really does the work.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
struct Landfall {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Arguments),
    /// Build a folder, or run a pipeline on folders, here and now, without a server
    Run(run::Arguments),
    /// Show it: a server, a pipeline, two hosts, three pushes
    Demo(demo::Options),
    /// What this machine lacks for the server, with the command that mends it
    Doctor(doctor::Arguments),
    /// How the server is, its pipelines, and what runs now
    Status(status::Arguments),
    /// Pipelines: which there are, and an execution live
    Pipeline(pipeline::Arguments),
    /// What a build, a log group or a stream has logged
    Logs(logs::Arguments),
    /// The images that builds run on: pull, load, make, list and remove them
    Images(images::Arguments),
    /// A link that signs a browser in to the web pages, once
    Console(console::Arguments),
    /// What clients need in their environment: eval "$(landfall env)"
    Env(environment::Arguments),
    /// How the server is configured, and where each value comes from
    Config(config::Arguments),
    /// The certificate authority behind `serve --tls`: print it, trust it
    Tls(tls::Options),
    /// Copy the data folder, also while the server runs; or check a copy
    Backup(data::backup::Arguments),
    /// Make a data folder out of a backup
    Restore(data::restore::Arguments),
    /// Let the server remove what is past its time
    Gc(data::gc::Arguments),
    /// What the API of this version has
    Api(Api),
    /// A script that completes commands and flags
    Completions(completions::Arguments),
    /// This program's version
    Version(version::Arguments),
}

#[derive(Args)]
struct Api {
    #[command(subcommand)]
    command: ApiCommand,
}

#[derive(Subcommand)]
enum ApiCommand {
    /// The operations that are built, of those that AWS's models have
    Coverage {
        /// As JSON: {service: {"model": N, "built": [...]}}
        #[arg(long)]
        json: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    match config::line::<Landfall>(help::grouped(Landfall::command()), &arguments, &config::variable) {
        Ok(line) => exit::code(run(line).await),
        Err(error) => exit::code(Err(error)),
    }
}

async fn run(line: config::Line<Landfall>) -> anyhow::Result<()> {
    match line.command.command {
        Command::Serve(arguments) => serve::run(arguments.options).await,
        Command::Config(arguments) => config::run(&arguments, &line.settings),
        Command::Run(arguments) => run::run(arguments).await,
        Command::Demo(options) => demo::run(options).await,
        Command::Tls(options) => tls::run(options),
        Command::Backup(arguments) => data::backup::run(arguments).await,
        Command::Restore(arguments) => data::restore::run(arguments).await,
        Command::Gc(arguments) => data::gc::run(arguments).await,
        Command::Api(Api { command: ApiCommand::Coverage { json } }) => coverage::print(json),
        Command::Console(arguments) => console::run(&arguments).await,
        Command::Doctor(arguments) => doctor::run(&arguments).await,
        Command::Env(arguments) => environment::run(&arguments),
        Command::Status(arguments) => status::run(&arguments).await,
        Command::Pipeline(arguments) => pipeline::run(arguments).await,
        Command::Logs(arguments) => logs::run(arguments).await,
        Command::Images(arguments) => images::run(arguments).await,
        Command::Completions(arguments) => {
            completions::run::<Landfall>(&arguments);
            Ok(())
        }
        Command::Version(arguments) => {
            version::run(&arguments);
            Ok(())
        }
    }
}
