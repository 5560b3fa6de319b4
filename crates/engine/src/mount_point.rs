use std::path::{Path, PathBuf};

use crate::{AGENT_IN_CONTAINER, EngineError, Mount};

/// The agent is mounted over a file, which must be there where a folder of the machine is mounted around it: that
/// folder may be read-only for the container.
pub(crate) fn make(mounts: &[Mount]) -> Result<(), EngineError> {
    let agent = Path::new(AGENT_IN_CONTAINER);
    let around = mounts.iter().filter_map(|mount| Some((mount, agent.strip_prefix(&mount.container).ok()?)));
    let Some((mount, inside)) = around.max_by_key(|(mount, _)| mount.container.components().count()) else {
        return Ok(());
    };
    let point: PathBuf = mount.host.join(inside);
    let made = || -> std::io::Result<()> {
        if let Some(folder) = point.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if point.exists() { Ok(()) } else { std::fs::write(&point, "") }
    };
    made().map_err(EngineError::io("cannot make the agent's mount point", &point))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_in_the_innermost_folder_around_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, container: &str| {
            let host = folder.path().join(name);
            std::fs::create_dir_all(&host).unwrap();
            Mount { host, container: container.into(), read_only: true }
        };
        let mounts = [at("bin", "/landfall/bin"), at("sockets", "/landfall"), at("other", "/x")];
        make(&mounts).unwrap();
        make(&mounts).unwrap();
        assert!(mounts[0].host.join("landfall-agent").is_file());
        assert!(!mounts[1].host.join("bin").exists());
        make(&[at("other", "/x")]).unwrap();
    }
}
