use std::process::{Command, Stdio};

use agent::shim::{self, Bundle, network};

use super::machine::Machine;
use crate::EngineError;

/// Deletes a bundle in which nothing runs any more.
pub(super) fn delete(bundle: &Bundle, machine: &Machine) -> Result<(), EngineError> {
    let path = bundle.path();
    network::clear(path).map_err(EngineError::io("cannot clear the network of", path))?;
    // Files in an ordinary user's container may be other users', who are this one's only in a user namespace. A bundle whose
    // orders were not written to their end (the disk was full) never had a shim that could make such files.
    if machine.rootless() && bundle.read_config().is_ok() {
        let output = Command::new(&machine.agent).args(["shim", "--remove"]).arg(path).stdin(Stdio::null()).output();
        let output = output.map_err(EngineError::io("cannot run", &machine.agent))?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(EngineError::io("cannot remove", path)(std::io::Error::other(words)));
    }
    shim::remove_tree(path).map_err(EngineError::io("cannot remove", path))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use agent::shim::{IdRange, Identities};

    use super::*;

    #[test]
    fn what_a_full_disk_cut_off_is_deleted_without_a_shim() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::new(folder.path().join("a"));
        fs::create_dir(bundle.path()).unwrap();
        fs::write(bundle.shim_config(), r#"{"container":"#).unwrap();
        let root = IdRange { inside: 0, outside: 1000, count: 1 };
        let identities = Identities { users: vec![root], groups: vec![root], programs: None };
        let machine = Machine { identities: Some(identities), agent: "/bin/false".into(), ..Machine::fake() };
        delete(&bundle, &machine).unwrap();
        assert!(!bundle.path().exists());
    }
}
