//! `landfall-agent host`: the CodeDeploy agent of a host.
//!
//! It asks the server for commands ([`poll`]), checks the signed specification of the deployment
//! ([`envelope`], [`specification`]), and does what the command says ([`executor`]): fetch the bundle
//! ([`bundle`]), install its files ([`install`]), run its hooks ([`hooks`]) as the bundle's [`appspec`] wants.
//! The order of commands is the server's business. Folders and files of state are those of the stock agent
//! ([`state`]), so that a host may change from one to the other.

mod appspec;
mod aws_client;
mod bundle;
mod commands;
mod config;
mod diagnostics;
mod envelope;
mod executor;
#[doc(hidden)]
pub mod fuzz;
mod hooks;
mod install;
mod poll;
mod script;
mod specification;
mod state;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::forward;
use crate::process::{Processes, Reap};

/// Runs a host's agent until SIGTERM; what was begun by then is finished.
///
/// # Errors
/// Wrong arguments, a configuration that cannot be used, or surroundings that cannot be set up.
pub async fn run(arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let config = config::Config::load(&config_file(arguments)?).map_err(io::Error::other)?;
    forward::forward_aws(&crate::build::sockets()).await;
    let processes = Processes::start(Reap::All)?;
    poll::run(config, processes).await
}

fn config_file(mut arguments: impl Iterator<Item = OsString>) -> io::Result<PathBuf> {
    match (arguments.next(), arguments.next()) {
        (None, _) => Ok(config::DEFAULT_FILE.into()),
        (Some(option), Some(file)) if option == "--config" => Ok(file.into()),
        _ => Err(io::Error::other("usage: landfall-agent host [--config FILE]")),
    }
}
