//! One server per data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::OpenError;

/// How long a lock may be held after its owner's death: a child that the owner was just starting has it, too, until it
/// becomes another program. That takes some milliseconds, and longer on a busy machine.
const ORPHANED: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(2);

/// An exclusive lock on `DIR/lock`, which holds the owner's process id; freed by the kernel when the
/// process ends in whatever way.
pub(super) struct FolderLock(#[cfg_attr(not(test), expect(dead_code, reason = "held open for its lock"))] File);

impl FolderLock {
    pub(super) fn take(dir: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Folder { dir: dir.to_owned(), source };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(dir.join("lock")).map_err(failed)?;
        let deadline = Instant::now() + ORPHANED;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) => {
                    let pid = read_pid(&mut file);
                    if is_alive(&pid) || Instant::now() > deadline {
                        return Err(OpenError::InUse { dir: dir.to_owned(), pid });
                    }
                    sleep(LOOK);
                }
            }
        }
        write_pid(&mut file).map_err(failed)?;
        Ok(Self(file))
    }
}

/// Whether a process of this id runs, or it cannot be told.
fn is_alive(pid: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name in brackets may hold anything. One that has ended and waits for its parent holds nothing any more.
        Ok(stat) => stat.rsplit_once(") ").is_none_or(|(_, state)| !state.starts_with(['Z', 'X'])),
        Err(_) => pid.parse::<u32>().is_err(),
    }
}

fn read_pid(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().is_ok() && file.take(20).read_to_string(&mut text).is_ok();
    let pid = text.trim();
    if read && !pid.is_empty() { pid.to_owned() } else { "unknown".to_owned() }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_dead_servers_child_that_has_not_become_its_program_yet_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(dir.path()).unwrap();
        let mut child =
            Command::new("sleep").arg("0.2").stdin(Stdio::from(lock.0.try_clone().unwrap())).spawn().unwrap();
        let mut dead = Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        std::fs::write(dir.path().join("lock"), format!("{}\n", dead.id())).unwrap();
        drop(lock);
        FolderLock::take(dir.path()).unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_living_servers_lock_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let _lock = FolderLock::take(dir.path()).unwrap();
        let begun = Instant::now();
        let refused = FolderLock::take(dir.path()).map(drop).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()) && begun.elapsed() < ORPHANED, "{refused}");
    }
}
