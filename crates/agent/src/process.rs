//! Child processes of the agent, and the orphans that it inherits as a first process.
//!
//! One task reaps: as PID 1 (or as a subreaper) the agent gets the zombies of processes that it never
//! started, so `waitpid(-1)` must run in one place that knows which ones are its own.

use std::collections::HashMap;
use std::io;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// Between two looks at the process table: nobody tells of the end of another's children.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Which zombies are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reap {
    /// Every child, known or inherited: for a program that is the agent and nothing else.
    All,
    /// Only those started through [`Processes::spawn`].
    Known,
}

/// The table of running children. Clones share it.
#[derive(Debug, Clone)]
pub struct Processes(Arc<Table>);

#[derive(Debug)]
struct Table {
    reap: Reap,
    running: Mutex<HashMap<Pid, oneshot::Sender<i32>>>,
}

/// A started child.
#[derive(Debug)]
pub struct Running {
    /// Its process id; also its group's, where the command made one.
    pub pid: Pid,
    /// Becomes its exit code: 128 + N where signal N ended it.
    pub exit: oneshot::Receiver<i32>,
}

impl Processes {
    /// Starts reaping on the current Tokio runtime.
    ///
    /// # Errors
    /// Where SIGCHLD cannot be subscribed to.
    pub fn start(reap: Reap) -> io::Result<Self> {
        if reap == Reap::All && getpid().as_raw() != 1 {
            nix::sys::prctl::set_child_subreaper(true)?;
        }
        let mut children = signal(SignalKind::child())?;
        let processes = Self(Arc::new(Table { reap, running: Mutex::default() }));
        let table = Arc::downgrade(&processes.0);
        tokio::spawn(async move {
            while children.recv().await.is_some() {
                let Some(table) = table.upgrade() else { return };
                table.reap_all();
            }
        });
        Ok(processes)
    }

    /// Starts a child.
    ///
    /// # Errors
    /// Where the program cannot be run.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Running> {
        // The lock is held over the start: the reaper must not see a child that is not in the table yet.
        let mut running = self.0.running();
        let child = command.spawn()?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let (sender, exit) = oneshot::channel();
        running.insert(pid, sender);
        Ok(Running { pid, exit })
    }
}

impl Table {
    fn running(&self) -> MutexGuard<'_, HashMap<Pid, oneshot::Sender<i32>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reap_all(&self) {
        let mut running = self.running();
        match self.reap {
            Reap::All => while reap_one(None, &mut running) {},
            Reap::Known => {
                for pid in running.keys().copied().collect::<Vec<_>>() {
                    reap_one(Some(pid), &mut running);
                }
            }
        }
    }
}

/// True where a zombie was taken, so that another may wait.
fn reap_one(pid: Option<Pid>, running: &mut HashMap<Pid, oneshot::Sender<i32>>) -> bool {
    let (pid, code) = match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(pid, code)) => (pid, code),
        Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
        Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return false,
        Ok(_) | Err(_) => return pid.is_none(),
    };
    if let Some(exit) = running.remove(&pid) {
        // Nobody may be waiting any more.
        let _ = exit.send(code);
    }
    true
}

/// Sends a signal to every process below this one: in a container of its own, to all but itself.
pub fn signal_all(signal: Signal) {
    if getpid().as_raw() == 1 {
        // ESRCH: there is none.
        let _ = kill(Pid::from_raw(-1), signal);
        return;
    }
    for pid in descendants(getpid()) {
        let _ = kill(pid, signal);
    }
}

/// Waits until nothing runs below this process, for a bounded time.
pub async fn all_gone(within: Duration) {
    let look = async {
        while !descendants(getpid()).is_empty() {
            sleep(LOOK_AGAIN).await;
        }
    };
    // What not even SIGKILL ends hangs in the kernel; waiting longer does not help.
    let _ = timeout(within, look).await;
}

fn descendants(of: Pid) -> Vec<Pid> {
    let parents: Vec<(Pid, Pid)> = std::fs::read_dir("/proc").map_or_else(
        |_| vec![],
        |entries| entries.flatten().filter_map(|entry| with_parent(&entry.file_name().to_string_lossy())).collect(),
    );
    let mut found = vec![of];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(parents.iter().filter(|(_, its)| *its == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

fn with_parent(name: &str) -> Option<(Pid, Pid)> {
    let pid: i32 = name.parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may hold any character; the parent is the second field after it.
    let parent = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((Pid::from_raw(pid), Pid::from_raw(parent)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::iter;

    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn exit_codes_and_signals_come_back() {
        let processes = Processes::start(Reap::Known).unwrap();
        for (script, code) in [("exit 3", 3), ("kill -9 $$", 137), (":", 0)] {
            let running = processes.spawn(&mut sh(script)).unwrap();
            assert_eq!(running.exit.await.unwrap(), code, "{script}");
        }
        assert!(processes.spawn(&mut Command::new("/no/such/program")).is_err());
    }

    #[tokio::test]
    async fn descendants_include_grandchildren() {
        let processes = Processes::start(Reap::Known).unwrap();
        let running = processes.spawn(&mut sh("sleep 60 & sleep 60 & wait")).unwrap();
        let below = loop {
            let below = descendants(running.pid);
            if below.len() == 2 {
                break below;
            }
            tokio::task::yield_now().await;
        };
        assert!(descendants(getpid()).contains(&below[0]));
        // The shell first: it would end by itself once its children have.
        for pid in iter::once(running.pid).chain(below) {
            kill(pid, Signal::SIGKILL).unwrap();
        }
        assert_eq!(running.exit.await.unwrap(), 137);
    }
}
