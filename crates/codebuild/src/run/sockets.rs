//! The folder of sockets that a build's container sees as `/landfall`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::credentials::RoleCredentials;
use super::link::Link;
use crate::Service;

/// The sockets of one build while this process serves them.
pub(crate) struct Sockets {
    /// The agent's own.
    pub(crate) link: Link,
    _tasks: JoinSet<()>,
}

/// The folder's path.
pub(crate) fn folder(service: &Service, container: &str) -> PathBuf {
    service.dependencies.options.data_dir.join("run").join(container)
}

impl Sockets {
    /// Listens on all sockets of a build, also where a server before this one did.
    pub(crate) fn open(
        service: &Arc<Service>,
        id: &str,
        container: &str,
        credentials: RoleCredentials,
    ) -> io::Result<Self> {
        let folder = folder(service, container);
        std::fs::create_dir_all(&folder)?;
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700))?;
        let link = Link::new(listen(&folder, "agent.sock")?);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_door(Arc::clone(service), listen(&folder, "aws.sock")?, format!("build {id}")));
        tasks.spawn(credentials.serve(listen(&folder, "credentials.sock")?));
        Ok(Self { link, _tasks: tasks })
    }
}

/// A fresh socket: one of a server before is removed. A socket's path holds 107 bytes, and data folders may lie deeper:
/// so the path names the folder by its descriptor.
fn listen(folder: &Path, name: &str) -> io::Result<UnixListener> {
    match std::fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let folder = File::open(folder)?;
    UnixListener::bind(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// Gives the container the whole listener: AWS's API, Git, the registry.
async fn serve_door(service: Arc<Service>, listener: UnixListener, label: String) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(service.dependencies.door.connection(stream, &label))),
                Err(error) => {
                    tracing::warn!(%error, label, "cannot accept a connection of a build");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_of_a_server_before_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let first = listen(folder.path(), "agent.sock").unwrap();
        let second = listen(folder.path(), "agent.sock").unwrap();
        drop(first);
        tokio::net::UnixStream::connect(folder.path().join("agent.sock")).await.unwrap();
        second.accept().await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_may_lie_deeper_than_a_sockets_path_reaches() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("x".repeat(100)).join("y".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let listener = listen(&deep, "agent.sock").unwrap();
        let near = home.path().join("near");
        std::os::unix::fs::symlink(&deep, &near).unwrap();
        tokio::net::UnixStream::connect(near.join("agent.sock")).await.unwrap();
        listener.accept().await.unwrap();
    }
}
