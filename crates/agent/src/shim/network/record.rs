//! What a container's way out has put on the machine, in the bundle's `network.json`: written before it is there, removed
//! after it is gone, so that whoever comes later finds what a killed shim left.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::{Filter, filter};

/// See the module's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    /// A process.
    Helper {
        /// Its id.
        pid: u32,
        /// When it was started, as the kernel counts: another process that gets the id later was not.
        started: u64,
    },
    /// Rules of the packet filter with this mark.
    Rules {
        /// What changes them.
        filter: Filter,
        mark: String,
    },
}

fn path(folder: &Path) -> PathBuf {
    folder.join("network.json")
}

impl Record {
    /// A record of a process that is a child of this one.
    pub(super) fn helper(pid: u32) -> io::Result<Self> {
        let started = started(pid).ok_or_else(|| io::Error::other(format!("process {pid} is gone")))?;
        Ok(Self::Helper { pid, started })
    }

    /// Writes it. Not to the disk: what it names is gone after a crash of the machine, as is what was not written out.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path(folder))?;
        file.write_all(&serde_json::to_vec(self)?)
    }

    /// Forgets it: nothing of it is there any more.
    pub(super) fn forget(folder: &Path) -> io::Result<()> {
        match fs::remove_file(path(folder)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Ends and removes what is recorded in a bundle's folder, if anything. Its shim must be gone.
///
/// # Errors
/// A process that does not end, or rules that cannot be removed; it may be tried again.
pub fn clear(folder: &Path) -> io::Result<()> {
    let text = match fs::read(path(folder)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // What was not written to its end was not begun.
    match serde_json::from_slice(&text) {
        Ok(Record::Helper { pid, started }) => end(pid, started)?,
        Ok(Record::Rules { filter, mark }) => filter::remove(&filter, &mark)?,
        Err(_) => {}
    }
    Record::forget(folder)
}

/// Ends a process that is not this one's child, and waits a second at most until it is gone.
fn end(pid: u32, since: u64) -> io::Result<()> {
    for _ in 0..100 {
        if started(pid) != Some(since) {
            return Ok(());
        }
        let number = i32::try_from(pid).map_err(io::Error::other)?;
        // It may have ended just now.
        let _ = kill(Pid::from_raw(number), Signal::SIGKILL);
        thread::sleep(Duration::from_millis(10));
    }
    Err(io::Error::other(format!("process {pid} of a container's network does not end")))
}

/// When a process was started, in the kernel's ticks since its own start; none if it is not there, or dead.
fn started(pid: u32) -> Option<u64> {
    parse_started(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The 22nd field of proc(5)'s `/proc/PID/stat`; the second, a name in parentheses, may have anything in it.
fn parse_started(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let dead = fields.next().is_none_or(|state| state == "Z" || state == "X");
    fields.nth(18).and_then(|ticks| ticks.parse().ok()).filter(|_| !dead)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn reads_the_start_of_living_processes() {
        let line = |state: &str| format!("7 (a) b (c) {state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20");
        assert_eq!(parse_started(&line("S")), Some(4242));
        assert_eq!(parse_started(&line("Z")), None);
        assert_eq!(parse_started("7 (x"), None);
        assert!(started(std::process::id()).is_some());
    }

    #[test]
    fn clears_the_recorded_process_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        clear(folder.path()).unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let record = Record::helper(child.id()).unwrap();
        let Record::Helper { pid, started } = record.clone() else { unreachable!() };
        Record::Helper { pid, started: started + 1 }.write(folder.path()).unwrap();
        clear(folder.path()).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "another process of the same number was ended");
        record.write(folder.path()).unwrap();
        clear(folder.path()).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!path(folder.path()).exists());
        fs::write(path(folder.path()), "{\"hel").unwrap();
        clear(folder.path()).unwrap();
    }
}
