//! `landfall images`: the images of a data folder, with or without a server on it.
//!
//! The store (`images::Images`) may be open in several processes at once, so these commands work on it directly.

mod build;
mod gc;
mod load;
mod ls;
mod progress;
mod pull;
mod rm;
mod show;
mod store;

use clap::{Args, Subcommand};

/// `landfall images`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The images that are here
    Ls(ls::Arguments),
    /// Get an image from its registry
    Pull(pull::Arguments),
    /// Take images out of a file: a docker archive or an OCI layout
    Load(load::Arguments),
    /// Remove images, or names of them
    Rm(rm::Arguments),
    /// Remove the images that were not used for a while
    Gc(gc::Arguments),
    /// Make an image here, out of Debian's packages
    Build(build::Arguments),
}

/// Runs one of them.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Ls(arguments) => ls::run(&arguments),
        Command::Pull(arguments) => pull::run(arguments).await,
        Command::Load(arguments) => blocking(move || load::run(&arguments)).await,
        Command::Rm(arguments) => rm::run(&arguments),
        Command::Gc(arguments) => blocking(move || gc::run(&arguments)).await,
        Command::Build(arguments) => blocking(move || build::run(&arguments)).await,
    }
}

/// Work on files, which may take a while.
async fn blocking(work: impl FnOnce() -> anyhow::Result<()> + Send + 'static) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(work).await?
}
