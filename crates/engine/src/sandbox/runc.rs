use std::path::{Path, PathBuf};
use std::process::Stdio;

use agent::shim::Bundle;
use tokio::process::Command;

use crate::{EngineError, Signal};

/// Where `runc` is looked for besides PATH, which may lack the folders for root.
const USUAL_FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/// The `runc` program.
pub(super) struct Runc {
    program: PathBuf,
}

impl Runc {
    /// Finds it on PATH or in the usual folders.
    pub(super) fn find() -> Result<Self, EngineError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(USUAL_FOLDERS.into_iter().map(PathBuf::from));
        let program = folders.map(|folder| folder.join("runc")).find(|program| program.is_file());
        program.map(|program| Self { program }).ok_or_else(|| {
            EngineError::Unusable(
                "the sandbox needs the program runc, which is not installed: `apt-get install runc`".to_owned(),
            )
        })
    }

    /// The program's path.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// A call on the container of `bundle`; `log` gets runc's own words.
    pub(super) fn command(&self, bundle: &Bundle, log: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(bundle.runc_state()).arg("--log").arg(log).args(["--log-format", "json"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Sends a signal to the container's first process.
    pub(super) async fn kill(&self, bundle: &Bundle, name: &str, signal: Signal) -> Result<(), EngineError> {
        self.call(bundle, &["kill", name, &signal.number().to_string()]).await
    }

    /// Kills the container and clears what runc keeps of it; a container that is not there is no error.
    pub(super) async fn delete(&self, bundle: &Bundle, name: &str) -> Result<(), EngineError> {
        self.call(bundle, &["delete", "--force", name]).await
    }

    async fn call(&self, bundle: &Bundle, arguments: &[&str]) -> Result<(), EngineError> {
        let mut command = self.command(bundle, &bundle.runc_log());
        let status = command.args(arguments).status().await.map_err(EngineError::io("cannot run", &self.program))?;
        if status.success() {
            return Ok(());
        }
        let words = bundle.runc_error().unwrap_or_else(|| status.to_string());
        Err(EngineError::io("runc refused on", bundle.path())(std::io::Error::other(words)))
    }
}
