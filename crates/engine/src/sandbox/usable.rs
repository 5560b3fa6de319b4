use std::path::{Path, PathBuf};

use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};

use crate::EngineError;

/// Checks what the sandbox needs of the user, the data folder and the agent; answers the agent's full path.
pub(super) fn check(containers: &Path, agent: &Path) -> Result<PathBuf, EngineError> {
    if !nix::unistd::geteuid().is_root() {
        return unusable(
            "the sandbox needs root to make namespaces and overlays: run Landfall as root (for example with \
             sudo)"
                .to_owned(),
        );
    }
    let Some(agent) = agent.canonicalize().ok().filter(|agent| agent.is_file()) else {
        return unusable(format!(
            "the program {} is missing: build it with `cargo build -p landfall-agent`, or use the landfall that \
             scripts/build makes",
            agent.display()
        ));
    };
    let on = statfs(containers).map_err(std::io::Error::from).map_err(EngineError::io("cannot look at", containers))?;
    if on.filesystem_type() == OVERLAYFS_SUPER_MAGIC {
        return unusable(format!(
            "{} is on an overlay file system, and overlays cannot be stacked on it: give a `--data-dir` on \
             a disk or volume",
            containers.display()
        ));
    }
    Ok(agent)
}

fn unusable<T>(sentence: String) -> Result<T, EngineError> {
    Err(EngineError::Unusable(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_missing_agent() {
        let error = check(Path::new("/"), Path::new("/nowhere/landfall-agent"));
        assert!(error.is_err_and(|error| {
            let text = error.to_string();
            text.contains("/nowhere/landfall-agent") || text.contains("needs root")
        }));
    }
}
