//! Running `git` so that neither the machine's settings nor a user's names can change what it does.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::Git;

/// What every `git` of ours is told: limits, checks of what comes in, no automatic housekeeping, no hooks, and
/// everything on disk before it is acknowledged.
const SETTINGS: &[&str] = &[
    "safe.directory=*",
    "core.hooksPath=/dev/null",
    "core.alternateRefsCommand=exit 0 #",
    "core.fsync=objects,derived-metadata,reference",
    "core.filesRefLockTimeout=1000",
    "core.packedRefsTimeout=10000",
    "gc.auto=0",
    "maintenance.auto=false",
    "pack.threads=1",
    "pack.windowMemory=100m",
    "uploadpack.allowFilter=true",
    "uploadpack.allowAnySHA1InWant=true",
    "uploadpack.hideRefs=refs/internal",
    "receive.hideRefs=refs/internal",
    "receive.advertisePushOptions=true",
    "receive.maxInputSize=4294967296",
    "receive.autogc=false",
    "receive.fsckObjects=true",
    // What old tools wrote into histories that are otherwise sound.
    "receive.fsck.badTimezone=ignore",
    "receive.fsck.missingSpaceBeforeDate=ignore",
    "receive.fsck.zeroPaddedFilemode=ignore",
];

/// Why `git` did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// It could not be run, or its files not be read.
    #[error("cannot run git: {0}")]
    Io(#[from] io::Error),
    /// It failed.
    #[error("git {command} failed ({status}): {message}")]
    Failed {
        command: String,
        status: std::process::ExitStatus,
        /// The beginning of what it said.
        message: String,
    },
    /// It said something that was not expected.
    #[error("git answered something unexpected: {0}")]
    Unexpected(String),
}

impl Git {
    /// A `git` process in `folder`: no environment but ours, no input unless given, output to be read, killed when
    /// dropped.
    pub(crate) fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("git");
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        command.env_clear().env("PATH", path).env("HOME", self.home()).env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.current_dir(folder).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `git` with `arguments` in `folder` to its end; gives its output.
    pub(crate) async fn run<A: AsRef<OsStr>>(&self, folder: &Path, arguments: &[A]) -> Result<Vec<u8>, GitError> {
        let output = self.command(folder).args(arguments).output().await?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let command = arguments.first().map(|name| name.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
        Err(GitError::Failed { command, status: output.status, message: beginning(&output.stderr) })
    }
}

/// The beginning of what a process said, for the log.
pub(crate) fn beginning(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim().chars().take(500).collect()
}
