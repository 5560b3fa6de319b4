//! Runs one script of a lifecycle event.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::appspec::HookScript;
use super::diagnostics::{Diagnostics, ErrorCode};
use crate::process::{Processes, Running};
use crate::user;

/// How long a script may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long the outputs of a failed script are still read.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A longer line of output is cut, in bytes.
const LONG_LINE: usize = 4096;
/// Output kept for the diagnostics, in bytes.
const KEPT: usize = 16 * 1024;

/// The script log of a deployment, and its end for the diagnostics.
#[derive(Debug)]
pub(super) struct ScriptLog {
    file: Option<std::fs::File>,
    text: String,
}

impl ScriptLog {
    pub(super) fn open(path: &Path) -> Self {
        let folder = path.parent().map(std::fs::create_dir_all);
        let file = folder.and_then(|_| std::fs::File::options().create(true).append(true).open(path).ok());
        Self { file, text: String::new() }
    }

    pub(super) fn line(&mut self, line: &str) {
        if let Some(file) = &mut self.file {
            // The diagnostics carry what a full disk does not take.
            let _ = writeln!(file, "{} {line}", crate::time::log_time(crate::time::since_epoch()));
        }
        self.text.push_str(line);
        self.text.push('\n');
        if self.text.len() > 2 * KEPT {
            let kept = super::diagnostics::tail(&self.text, KEPT).to_owned();
            self.text = kept;
        }
    }
}

/// How a script ended, where it did not succeed.
enum Trouble {
    Start(io::Error),
    TimedOut,
    Exit(i32),
    OutputsOpen,
}

/// Runs a script of the bundle in `archive` to its end.
///
/// # Errors
/// The diagnostics of the command that fails by it.
pub(super) async fn run(
    processes: &Processes,
    archive: &Path,
    script: &HookScript,
    environment: &[(String, String)],
    log: &mut ScriptLog,
) -> Result<(), Diagnostics> {
    let path = archive.join(script.location.trim_start_matches('/'));
    log.line(&format!("Script - {}", script.location));
    prepare(&path, script).map_err(|(code, message)| failure(code, script, message, log))?;
    let ended = match command(&path, script, environment) {
        Ok(command) => attend(processes, command, script, log).await,
        Err(message) => return Err(failure(ErrorCode::ScriptFailed, script, message, log)),
    };
    ended.map_err(|trouble| {
        let (code, message) = describe(&trouble, script);
        failure(code, script, message, log)
    })
}

fn describe(trouble: &Trouble, script: &HookScript) -> (ErrorCode, String) {
    let at = format!("Script at specified location: {}", script.location);
    let by = script.runas.as_deref().map(|user| format!(" run as user {user}")).unwrap_or_default();
    match trouble {
        Trouble::Start(error) => (ErrorCode::ScriptFailed, format!("{at}{by} could not be started: {error}")),
        Trouble::Exit(code) => (ErrorCode::ScriptFailed, format!("{at}{by} failed with exit code {code}")),
        Trouble::TimedOut => {
            (ErrorCode::ScriptTimedOut, format!("{at}{by} failed to complete in {} seconds", script.timeout))
        }
        Trouble::OutputsOpen => (ErrorCode::OutputsLeftOpen, format!("{at}{by} failed to close STDOUT")),
    }
}

fn failure(error_code: ErrorCode, script: &HookScript, message: String, log: &mut ScriptLog) -> Diagnostics {
    log.line(&format!("[agent]{message}"));
    let log = super::diagnostics::tail(&log.text, super::diagnostics::LOG_TAIL).to_owned();
    Diagnostics { error_code, script_name: script.location.clone(), message, log }
}

fn prepare(path: &PathBuf, script: &HookScript) -> Result<(), (ErrorCode, String)> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).ok_or_else(|| {
        (ErrorCode::ScriptMissing, format!("Script does not exist at specified location: {}", path.display()))
    })?;
    let mode = metadata.permissions().mode();
    if mode & 0o111 == 0o111 {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | 0o111)).map_err(|error| {
        let message = format!("Unable to set script at specified location: {} as executable: {error}", script.location);
        (ErrorCode::ScriptNotExecutable, message)
    })
}

fn command(path: &Path, script: &HookScript, environment: &[(String, String)]) -> Result<Command, String> {
    let mut words = vec![path.as_os_str()];
    if needs_sh(path) {
        words.insert(0, OsStr::new("sh"));
    }
    if script.sudo {
        words.insert(0, OsStr::new("sudo"));
    }
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command.envs(environment.iter().map(|(name, value)| (name, value))).process_group(0);
    if let Some(name) = &script.runas {
        let user = user::find(Path::new("/"), name)?;
        command.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name);
        user::run_as(&mut command, &user);
    }
    Ok(command)
}

/// A file that the kernel does not run by itself is a script of `sh`, as other agents take it.
fn needs_sh(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut start));
    read.is_ok() && !start.starts_with(b"#!") && start != *b"\x7fELF"
}

/// Starts the script and reads its output until it and its outputs have ended.
async fn attend(
    processes: &Processes,
    command: Command,
    script: &HookScript,
    log: &mut ScriptLog,
) -> Result<(), Trouble> {
    let (running, mut outputs) = start(processes, command).map_err(Trouble::Start)?;
    let Running { pid, mut exit } = running;
    let mut deadline = Instant::now() + Duration::from_secs(script.timeout);
    let mut ended = None;
    while ended.is_none() || outputs.iter().any(|output| output.reader.is_some()) {
        let [stdout, stderr] = &mut outputs;
        tokio::select! {
            piece = stdout.piece(), if stdout.reader.is_some() => stdout.take(&piece, log),
            piece = stderr.piece(), if stderr.reader.is_some() => stderr.take(&piece, log),
            code = &mut exit, if ended.is_none() => {
                ended = Some(code.unwrap_or(128));
                if ended != Some(0) {
                    // It has failed whatever else it left running: only its last words are awaited.
                    deadline = deadline.min(Instant::now() + LAST_WORDS);
                }
            }
            () = sleep_until(deadline) => break,
        }
    }
    let still_open = outputs.iter().any(|output| output.reader.is_some());
    match ended {
        None => {
            end_group(pid, &mut exit).await;
            Err(Trouble::TimedOut)
        }
        Some(0) if still_open => Err(Trouble::OutputsOpen),
        Some(0) => Ok(()),
        Some(code) => Err(Trouble::Exit(code)),
    }
}

async fn end_group(group: Pid, exit: &mut oneshot::Receiver<i32>) {
    // ESRCH: it ended in this moment.
    let _ = killpg(group, Signal::SIGTERM);
    let _ = timeout(GRACE, exit).await;
    let _ = killpg(group, Signal::SIGKILL);
}

fn start(processes: &Processes, mut command: Command) -> io::Result<(Running, [OutputLines; 2])> {
    let (stdout, stdout_end) = io::pipe()?;
    let (stderr, stderr_end) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(stdout_end).stderr(stderr_end);
    let outputs = [OutputLines::new("[stdout]", stdout)?, OutputLines::new("[stderr]", stderr)?];
    Ok((processes.spawn(&mut command)?, outputs))
}

/// One output of a script, line by line.
struct OutputLines {
    tag: &'static str,
    /// Gone after its end.
    reader: Option<pipe::Receiver>,
    line: Vec<u8>,
}

impl OutputLines {
    fn new(tag: &'static str, reader: io::PipeReader) -> io::Result<Self> {
        Ok(Self { tag, reader: Some(pipe::Receiver::from_owned_fd(reader.into())?), line: vec![] })
    }

    /// Waits for output; nothing is its end. May be dropped at any time without loss.
    async fn piece(&mut self) -> Vec<u8> {
        let mut piece = Vec::with_capacity(4096);
        if let Some(reader) = &mut self.reader {
            // A broken pipe has ended as well.
            let _ = reader.read_buf(&mut piece).await;
        }
        piece
    }

    fn take(&mut self, piece: &[u8], log: &mut ScriptLog) {
        for byte in piece {
            if *byte == b'\n' || self.line.len() == LONG_LINE {
                self.flush(log);
            }
            if *byte != b'\n' {
                self.line.push(*byte);
            }
        }
        if piece.is_empty() {
            self.reader = None;
            if !self.line.is_empty() {
                self.flush(log);
            }
        }
    }

    fn flush(&mut self, log: &mut ScriptLog) {
        log.line(&format!("{}{}", self.tag, String::from_utf8_lossy(&self.line)));
        self.line.clear();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::process::Reap;

    struct Bench {
        folder: tempfile::TempDir,
        processes: Processes,
        log: ScriptLog,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let log = ScriptLog::open(&folder.path().join("logs/scripts.log"));
            Self { folder, processes: Processes::start(Reap::Known).unwrap(), log }
        }

        async fn run(&mut self, content: &str, timeout: u64) -> Result<(), Diagnostics> {
            std::fs::write(self.folder.path().join("script.sh"), content).unwrap();
            let script = HookScript { location: "script.sh".into(), timeout, runas: None, sudo: false };
            let environment = [("LIFECYCLE_EVENT".to_owned(), "AfterInstall".to_owned())];
            run(&self.processes, self.folder.path(), &script, &environment, &mut self.log).await
        }
    }

    #[tokio::test]
    async fn output_is_logged_and_the_exit_code_told() {
        let mut bench = Bench::new();
        bench.run("#!/bin/sh\necho $LIFECYCLE_EVENT\n", 60).await.unwrap();
        let failed = bench.run("#!/bin/sh\necho out; echo err >&2; exit 7\n", 60).await.unwrap_err();
        assert_eq!((failed.error_code, failed.script_name.as_str()), (ErrorCode::ScriptFailed, "script.sh"));
        assert_eq!(failed.message, "Script at specified location: script.sh failed with exit code 7");
        for line in ["Script - script.sh", "[stdout]AfterInstall", "[stdout]out", "[stderr]err"] {
            assert!(failed.log.contains(line), "{}", failed.log);
        }
        let file = std::fs::read_to_string(bench.folder.path().join("logs/scripts.log")).unwrap();
        assert!(file.contains("[stderr]err"), "{file}");
    }

    #[tokio::test]
    async fn a_script_without_an_interpreter_line_is_run_by_sh() {
        let failed = Bench::new().run("exit 3\n", 60).await.unwrap_err();
        assert!(failed.message.ends_with("exit code 3"), "{}", failed.message);
    }

    #[tokio::test]
    async fn a_missing_script_is_named() {
        let bench = Bench::new();
        let script = HookScript { location: "/none.sh".into(), timeout: 1, runas: None, sudo: false };
        let mut log = ScriptLog::open(&bench.folder.path().join("log"));
        let failed = run(&bench.processes, bench.folder.path(), &script, &[], &mut log).await.unwrap_err();
        assert_eq!(failed.error_code, ErrorCode::ScriptMissing);
        assert!(failed.message.ends_with("/none.sh"), "{}", failed.message);
    }

    #[tokio::test]
    async fn time_runs_out_and_the_whole_group_ends() {
        let started = Instant::now();
        let failed = Bench::new().run("#!/bin/sh\nsleep 60 & sleep 60\n", 1).await.unwrap_err();
        assert_eq!(failed.error_code, ErrorCode::ScriptTimedOut);
        assert_eq!(failed.message, "Script at specified location: script.sh failed to complete in 1 seconds");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn daemons_live_on_if_they_leave_the_outputs_alone() {
        let mut bench = Bench::new();
        let pid = bench.folder.path().join("pid");
        bench.run(&format!("#!/bin/sh\nsleep 60 > /dev/null 2>&1 &\necho $! > {}\n", pid.display()), 60).await.unwrap();
        let daemon: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();

        let failed = bench.run("#!/bin/sh\nsleep 2 &\n", 1).await.unwrap_err();
        assert_eq!(failed.error_code, ErrorCode::OutputsLeftOpen);
    }
}
