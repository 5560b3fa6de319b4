//! `DIR/server.json`: how the server that runs on a data folder is reached. Written once it listens, removed when it
//! stops; of one that was killed it stays behind, which its process's start time tells.

use serde::{Deserialize, Serialize};
use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const FILE: &str = "server.json";

/// A running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunningServer {
    /// Where it is reached, e.g. `http://127.0.0.1:4566`.
    pub(crate) url: String,
    pub(crate) pid: u32,
    /// When its process began, in clock ticks since the machine did (`/proc/PID/stat`): another process with the same
    /// number began at another time.
    pub(crate) process_start: Option<u64>,
    /// `open` or `enforce`.
    pub(crate) auth: String,
    pub(crate) region: String,
    pub(crate) account: String,
    /// The certificate that signs the server's own, under TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_bundle: Option<PathBuf>,
}

impl RunningServer {
    /// Whether the process that wrote it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.process_start.is_none() || process_start(self.pid) == self.process_start
    }

    /// Writes it for the owner alone, at once whole.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<Left> {
        // Under one name: what a server that was killed has left is written over, as there is one server at a time.
        let fresh = dir.join(".server.json.new");
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        kernel::crash_point!("serve_before_server_file");
        let path = dir.join(FILE);
        std::fs::rename(fresh, &path)?;
        Ok(Left(path))
    }

    /// Reads what the server on `dir` has left.
    ///
    /// # Errors
    /// `NotFound` where none has; or it is not for our eyes, or damaged.
    pub(crate) fn read(dir: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(dir.join(FILE))?)?)
    }
}

/// The written file; removed when this is dropped.
pub(crate) struct Left(PathBuf);

impl Drop for Left {
    fn drop(&mut self) {
        // What stays is known to be stale.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// When a process began: field 22 of `/proc/PID/stat`; its second one, the name, may hold spaces and brackets.
pub(crate) fn process_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn server() -> RunningServer {
        let pid = std::process::id();
        RunningServer {
            url: "http://127.0.0.1:4566".to_owned(),
            pid,
            process_start: process_start(pid),
            auth: "enforce".to_owned(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            ca_bundle: None,
        }
    }

    #[test]
    fn what_is_written_reads_back_for_the_owner_alone_and_goes_with_the_server() {
        let folder = tempfile::tempdir().unwrap();
        // What one that was killed has left is written over.
        std::fs::write(folder.path().join(".server.json.new"), "half").unwrap();
        let left = server().write(folder.path()).unwrap();
        assert_eq!(RunningServer::read(folder.path()).unwrap(), server());
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(left);
        assert_eq!(RunningServer::read(folder.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_process_with_the_same_number_is_another() {
        assert!(server().is_alive());
        assert!(!RunningServer { process_start: Some(1), ..server() }.is_alive());
        assert!(!RunningServer { pid: u32::MAX, ..server() }.is_alive());
    }
}
