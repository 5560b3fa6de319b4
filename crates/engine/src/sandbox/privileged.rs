//! Containers that run a container daemon of their own (`privileged`).
//!
//! Such a container has namespaces for everything but users, as any other; the daemon's capabilities in them, without those
//! that reach past namespaces; no filter of system calls; its control groups to divide; character devices alone, so that no
//! disk of the machine can be opened; and a folder on a real file system at /var/lib/docker, since overlays cannot lie on
//! overlays. The machine's own daemon is never seen: /run is the container's own. A user namespace would be better still, but
//! image layers have files of many users that this server could then not share between containers. So root in a privileged
//! container who means harm has ways to the machine (a fresh /proc has a writable core_pattern): as AWS does, let only
//! projects have it whose builds are trusted.

use std::path::Path;

use agent::shim::{Bundle, Folder, Layout};
use oci_spec::OciSpecError;
use oci_spec::runtime::Mount;

use super::mounts::mount;
use crate::EngineError;

/// The daemon's storage in the container's space.
const SCRATCH: &str = "scratch";

/// Where daemons keep their images and containers.
const STORAGE: &str = "/var/lib/docker";

/// Adds the folder to what the shim makes.
pub(super) fn lay_out(layout: &mut Layout) {
    layout.folders.push(Folder { path: SCRATCH.into(), mode: 0o711, uid: 0, gid: 0 });
}

/// The mount of that folder: with devices and setuid programs, for images have them.
pub(super) fn scratch(bundle: &Bundle) -> Result<Mount, OciSpecError> {
    mount(Path::new(STORAGE), "bind", &bundle.space().join(SCRATCH), &["rbind", "rprivate", "rw"])
}

/// Root alone may have privileged containers.
pub(super) fn check(privileged: bool, rootless: bool) -> Result<(), EngineError> {
    if privileged && rootless {
        return Err(EngineError::Unusable(
            "privileged builds need Landfall to run as root: an ordinary user's container cannot give a Docker daemon the \
             namespaces and control groups that it needs. Run Landfall as root, or turn off privileged mode in the project"
                .to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn storage_is_in_the_containers_space() {
        let mut layout = Layout::default();
        lay_out(&mut layout);
        let mount = scratch(&Bundle::new("/b".into())).unwrap();
        assert_eq!(mount.source().as_deref(), Some(Path::new("/b/disk/scratch")));
        assert_eq!(layout.folders[0].path, Path::new("scratch"));
    }

    #[test]
    fn only_root_gives_privilege() {
        assert!(check(true, false).is_ok() && check(false, true).is_ok());
        assert!(check(true, true).is_err_and(|error| error.to_string().contains("run as root")));
    }
}
