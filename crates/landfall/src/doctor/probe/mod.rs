//! Looking at this machine. Nothing of it is changed: a control group, a socket and a container of a folder of its own are
//! made and removed.

mod daemon;
mod folder;
mod host;
mod programs;
mod sandbox;
mod store;

use super::facts::{Facts, Port};
use crate::client::running;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

/// What there is.
pub(super) async fn machine(data_dir: &Path, listen: SocketAddr) -> Facts {
    Facts {
        kernel: host::kernel(),
        root: nix::unistd::geteuid().is_root(),
        packages: programs::packages(),
        cgroups: host::cgroups(Path::new("/sys/fs/cgroup")),
        user_namespaces: host::user_namespaces(),
        overlayfs: host::overlayfs(),
        runtimes: programs::runtimes(),
        subordinate: programs::subordinate(),
        sandbox: sandbox::trial(data_dir).await,
        daemon: daemon::find().await,
        images: store::look(data_dir),
        git: programs::version("git"),
        ways_out: programs::ways_out(),
        agent: crate::agent_binary::is_there(),
        open_files: host::open_files(),
        clock: host::clock(data_dir),
        port: port(data_dir, listen),
        folder: folder::look(data_dir),
    }
}

fn port(data_dir: &Path, listen: SocketAddr) -> Port {
    let address = listen.to_string();
    match TcpListener::bind(listen) {
        Ok(_) => Port::Free(address),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let ours = running(data_dir).is_ok_and(|running| running.url.ends_with(&format!(":{}", listen.port())));
            if ours { Port::Ours(address) } else { Port::Taken(address) }
        }
        Err(error) => Port::Refused(address, error.to_string()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_until_somebody_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(port(folder.path(), address), Port::Taken(address.to_string()));
        drop(listener);
        assert_eq!(port(folder.path(), address), Port::Free(address.to_string()));
        assert!(matches!(port(folder.path(), "192.0.2.1:1".parse().unwrap()), Port::Refused(..)));
    }

    #[tokio::test]
    async fn this_machine_can_be_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let facts = machine(folder.path(), "127.0.0.1:0".parse().unwrap()).await;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(facts.kernel.is_some() && facts.open_files.is_some() && facts.folder.free.is_some(), "{facts:?}");
    }
}
