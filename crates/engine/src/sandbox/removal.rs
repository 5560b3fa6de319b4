use std::fs;
use std::process::{Command, Stdio};

use agent::shim::{Bundle, network};

use super::machine::Machine;
use crate::EngineError;

/// Deletes a bundle in which nothing runs any more.
pub(super) fn delete(bundle: &Bundle, machine: &Machine) -> Result<(), EngineError> {
    let path = bundle.path();
    network::clear(path).map_err(EngineError::io("cannot clear the network of", path))?;
    // Files in an ordinary user's container may be other users', who are this one's only in a user namespace.
    if machine.rootless() && bundle.shim_config().exists() {
        let output = Command::new(&machine.agent).args(["shim", "--remove"]).arg(path).stdin(Stdio::null()).output();
        let output = output.map_err(EngineError::io("cannot run", &machine.agent))?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(EngineError::io("cannot remove", path)(std::io::Error::other(words)));
    }
    fs::remove_dir_all(path).map_err(EngineError::io("cannot remove", path))
}
