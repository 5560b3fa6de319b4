//! `landfall pipeline`: which pipelines there are, and one of their executions live.

mod list;
mod picture;
mod select;
mod watch;

pub(crate) use list::{Pipeline, all as pipelines};

use clap::{Args, Subcommand};

/// `landfall pipeline`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every pipeline with its newest execution
    List(list::Arguments),
    /// An execution live, until it ends: exits 0 when it succeeded, else 1
    Watch(watch::Arguments),
}

/// Runs the subcommand.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments).await,
        Command::Watch(arguments) => watch::run(&arguments).await,
    }
}
