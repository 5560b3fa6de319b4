//! One shell that lives through many commands.
//!
//! The shell reads its script from standard input. For each command the agent writes
//!
//! ```sh
//! eval 'the command' </dev/null 9>&-
//! { command echo "$?" && '/landfall/bin/landfall-agent' mark || command echo -; } 2>/dev/null >&9
//! ```
//!
//! so `cd`, `export` and functions carry over, a command can neither read the script nor see the private
//! descriptor, and a syntax error stays inside its `eval`. A command that ends the shell itself (`exit 3`,
//! `set -e`, `exec`, a signal) is seen by the shell's own exit.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{dup2_raw, setsid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

use super::mark::{self, Mark, Snapshot};
use super::rules::quoted;
use crate::process::{Processes, Running};
use crate::protocol::Shell;
use crate::user::{self, User};

/// The private descriptor; `dash` knows only those of one digit.
const MARKS: i32 = 9;
/// How long the shell's own `trap … EXIT` may take.
const LEAVE: Duration = Duration::from_secs(5);

/// What a shell is started with.
#[derive(Debug)]
pub(super) struct Start<'a> {
    pub(super) program: Shell,
    pub(super) state: &'a Snapshot,
    pub(super) user: Option<&'a User>,
    pub(super) output: [Stdio; 2],
    /// The agent's own program.
    pub(super) agent: &'a Path,
}

/// A running shell.
#[derive(Debug)]
pub(super) struct Session {
    running: Running,
    script: pipe::Sender,
    marks: pipe::Receiver,
    buffer: Vec<u8>,
    agent: String,
}

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The shell lives on.
    Mark(Mark),
    /// The shell ended with this exit code.
    Exit(i32),
}

impl Session {
    pub(super) fn start(processes: &Processes, start: Start<'_>) -> io::Result<Self> {
        let (script_end, script) = io::pipe()?;
        let (marks, marks_end) = io::pipe()?;
        let mut command = Command::new(start.program.program());
        let [stdout, stderr] = start.output;
        command.arg("-s").env_clear().envs(&start.state.environment).current_dir(&start.state.directory);
        command.stdin(script_end).stdout(stdout).stderr(stderr);
        pass_marks(&mut command, marks_end.into())?;
        if let Some(user) = start.user {
            user::run_as(&mut command, user);
        }
        Ok(Self {
            running: processes.spawn(&mut command)?,
            script: pipe::Sender::from_owned_fd(script.into())?,
            marks: pipe::Receiver::from_owned_fd(marks.into())?,
            buffer: vec![],
            agent: quoted(&start.agent.to_string_lossy()),
        })
    }

    /// Gives the shell a command. A shell that is gone already is seen by [`Session::ending`].
    pub(super) async fn give(&mut self, command: &str) {
        self.write(&format!("eval {} </dev/null {MARKS}>&-\n", quoted(command))).await;
        self.ask_for_mark().await;
    }

    /// Asks for the value of a word between double quotes.
    pub(super) async fn ask(&mut self, word: &str) {
        let command = format!("{} mark \"{word}\"", self.agent);
        self.write(&format!("eval {} </dev/null >&{MARKS} {MARKS}>&-\n", quoted(&command))).await;
        self.ask_for_mark().await;
    }

    /// Sets an exported variable.
    pub(super) async fn export(&mut self, name: &str, value: &str) {
        self.write(&format!("export {name}={}\n", quoted(value))).await;
    }

    async fn ask_for_mark(&mut self) {
        let agent = &self.agent;
        let script = format!("{{ command echo \"$?\" && {agent} mark || command echo -; }} 2>/dev/null >&{MARKS}\n");
        self.write(&script).await;
    }

    async fn write(&mut self, script: &str) {
        // EPIPE: the shell has gone; `ending` says how.
        let _ = self.script.write_all(script.as_bytes()).await;
    }

    /// Waits for the end of what was given. May be dropped at any time without loss.
    pub(super) async fn ending(&mut self) -> Ending {
        loop {
            if let Some(mark) = mark::take(&mut self.buffer) {
                return Ending::Mark(mark);
            }
            tokio::select! {
                biased;
                Ok(1..) = self.marks.read_buf(&mut self.buffer) => {}
                code = &mut self.running.exit => return self.last_words(code.unwrap_or(128)),
            }
        }
    }

    /// The shell has ended, perhaps after it said what became of the command.
    fn last_words(&mut self, exit_code: i32) -> Ending {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = nix::unistd::read(self.marks.as_fd(), &mut piece) {
            self.buffer.extend_from_slice(&piece[..length]);
        }
        mark::take(&mut self.buffer).map_or(Ending::Exit(exit_code), Ending::Mark)
    }

    /// Waits for the shell's end after everything was killed.
    pub(super) async fn gone(self) {
        // An error means that the process was reaped: gone as well.
        let _ = self.running.exit.await;
    }

    /// Ends the script; the shell runs its `trap … EXIT` and leaves.
    pub(super) async fn leave(self) {
        let Self { running: Running { pid, exit }, script, .. } = self;
        drop(script);
        if tokio::time::timeout(LEAVE, exit).await.is_err() {
            // ESRCH: it left in this moment.
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// Makes `end` the child's private descriptor, in a session of its own.
fn pass_marks(command: &mut Command, end: OwnedFd) -> io::Result<()> {
    // The first takes the number itself where it is free, lest the start's own pipe gets it; the second is above it.
    let reserve = duplicate(&end, MARKS)?;
    let high = duplicate(&end, MARKS + 1)?;
    let place = move || {
        let _ = &reserve;
        setsid()?;
        // SAFETY: the child was just forked and runs nothing else, so nobody there uses descriptor 9.
        std::mem::forget(unsafe { dup2_raw(&high, MARKS) }?);
        Ok(())
    };
    // SAFETY: between fork and exec it makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(place);
    }
    Ok(())
}

fn duplicate(of: &OwnedFd, from: RawFd) -> io::Result<OwnedFd> {
    let copy = fcntl(of, FcntlArg::F_DUPFD_CLOEXEC(from))?;
    // SAFETY: the line above made the descriptor, so nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
