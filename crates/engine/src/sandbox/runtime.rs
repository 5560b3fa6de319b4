use std::path::{Path, PathBuf};
use std::process::Stdio;

use agent::shim::{self, Bundle};
use tokio::process::Command;

use crate::{EngineError, Signal};

/// Where programs are looked for besides PATH, which may lack the folders for root.
const USUAL_FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/// An OCI runtime as a shim calls it on this machine. crun is kept from version 2's hierarchy beside others (`hybrid`), and
/// told where there are no control groups at all.
pub(super) fn call(program: PathBuf, groups: bool, hybrid: Option<&Path>) -> shim::Runtime {
    let crun = program.file_name().is_some_and(|name| name == "crun");
    let covered = hybrid.filter(|_| crun).map(Path::to_path_buf);
    let no_groups = (crun && !groups).then(|| "--cgroup-manager=disabled".to_owned());
    shim::Runtime { program, options: no_groups.into_iter().collect(), covered }
}

/// The runtime that a running container was started with.
pub(super) struct Runtime {
    call: shim::Runtime,
    /// Where it must be called: the namespaces of the shim with this number.
    within: Option<String>,
    agent: PathBuf,
}

impl Runtime {
    /// Reads it off the bundle of a container whose shim lives.
    pub(super) fn of(bundle: &Bundle, agent: &Path) -> Result<Self, EngineError> {
        let config = bundle.read_config().map_err(EngineError::io("cannot read", &bundle.shim_config()))?;
        let apart = config.identities.is_some() || config.runtime.covered.is_some();
        let path = bundle.shim_pid();
        let shim = || std::fs::read_to_string(&path).map_err(EngineError::io("cannot read", &path));
        Ok(Self { call: config.runtime, within: apart.then(shim).transpose()?, agent: agent.to_path_buf() })
    }

    /// The program's path.
    pub(super) fn program(&self) -> &Path {
        &self.call.program
    }

    /// A call on the container of `bundle`; `log` gets the runtime's own words.
    pub(super) fn command(&self, bundle: &Bundle, log: &Path) -> Command {
        let mut command = match &self.within {
            Some(shim) => {
                let mut command = Command::new(&self.agent);
                command.args(["shim", "--within", shim]).arg(self.program());
                command
            }
            None => Command::new(self.program()),
        };
        command.args(&self.call.options).arg("--root").arg(bundle.runtime_state());
        command.arg("--log").arg(log).args(["--log-format", "json"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Sends a signal to the container's first process.
    pub(super) async fn kill(&self, bundle: &Bundle, name: &str, signal: Signal) -> Result<(), EngineError> {
        let mut command = self.command(bundle, &bundle.runtime_log());
        let status = command.args(["kill", name, &signal.number().to_string()]).status().await;
        let status = status.map_err(EngineError::io("cannot run", self.program()))?;
        if status.success() {
            return Ok(());
        }
        let words = bundle.runtime_error().unwrap_or_else(|| status.to_string());
        Err(EngineError::io("the OCI runtime refused on", bundle.path())(std::io::Error::other(words)))
    }
}

/// A program on PATH or in the usual folders.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(USUAL_FOLDERS.into_iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|program| program.is_absolute() && program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crun_is_kept_from_what_it_refuses_and_runc_takes_the_machine_as_it_is() {
        let call = |program: &str, groups, hybrid: Option<&str>| call(program.into(), groups, hybrid.map(Path::new));
        let unified = "/sys/fs/cgroup/unified";
        assert_eq!(call("/usr/bin/crun", true, Some(unified)).covered.as_deref(), Some(Path::new(unified)));
        assert!(call("/usr/bin/crun", true, None).options.is_empty());
        assert_eq!(call("/usr/bin/crun", false, None).options, ["--cgroup-manager=disabled"]);
        let runc = call("/usr/sbin/runc", false, Some(unified));
        assert!(runc.options.is_empty() && runc.covered.is_none());
    }

    #[test]
    fn programs_are_found_by_name() {
        assert!(find_program("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find_program("no-such-program-anywhere"), None);
    }
}
