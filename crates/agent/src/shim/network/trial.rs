//! Trying a way out, without a container: whether it works here shows best by making one.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use nix::sched::{CloneFlags, unshare};
use serde::{Deserialize, Serialize};

use super::Config;
use crate::shim::Identities;

/// The shim's flag that makes a process a trial.
pub(in crate::shim) const FLAG: &str = "--try-network";
const FILE: &str = "trial.json";

/// What is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The network, as of a container.
    pub network: Config,
    /// The user namespace where Landfall does not run as root.
    pub identities: Option<Identities>,
}

/// Has a process of its own, the program `agent`, make and end the network; `folder`, which must be empty, gets its files.
///
/// # Errors
/// It does not work; the reason in words.
pub fn run(agent: &Path, trial: &Trial, folder: &Path) -> io::Result<()> {
    fs::write(folder.join(FILE), serde_json::to_vec(trial)?)?;
    let command = Command::new(agent).args(["shim", FLAG]).arg(folder).stdin(Stdio::null()).output();
    let output = command?;
    super::clear(folder)?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(words.trim().trim_start_matches("landfall-agent: ").to_owned()))
}

/// `landfall-agent shim --try-network DIR`.
pub(in crate::shim) fn main(folder: OsString) -> ExitCode {
    match attempt(&PathBuf::from(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landfall-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn attempt(folder: &Path) -> io::Result<()> {
    let trial: Trial = serde_json::from_slice(&fs::read(folder.join(FILE))?)?;
    let before = super::before(&trial.network, trial.identities.is_some(), folder)?;
    if let Some(identities) = &trial.identities {
        identities.enter()?;
    }
    unshare(CloneFlags::CLONE_NEWNET)?;
    super::attach(before, &trial.network, folder)?.ready()?.detach()
}
