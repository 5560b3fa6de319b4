//! Landfall: AWS's CI/CD suite ashore. One program that speaks AWS's APIs and does
//! the work. `landfall serve` is the server, `landfall demo` shows it.

#![forbid(unsafe_code)]

mod agent_binary;
mod client;
mod coverage;
mod demo;
mod exit;
mod listener;
mod log;
mod operator;
mod serve;
mod tls;

use clap::{Args, Parser, Subcommand};
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
    Serve(serve::Options),
    /// Show it: a server, a pipeline, two hosts, three pushes
    Demo(demo::Options),
    /// The certificate authority behind `serve --tls`: print it, trust it
    Tls(tls::Options),
    /// What the API of this version has
    Api(Api),
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
    let done = match Landfall::parse().command {
        Command::Serve(options) => serve::run(options).await,
        Command::Demo(options) => demo::run(options).await,
        Command::Tls(options) => tls::run(options),
        Command::Api(Api { command: ApiCommand::Coverage { json } }) => coverage::print(json),
    };
    exit::code(done)
}
