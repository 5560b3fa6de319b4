//! The folder of sockets that a build's container sees as `/landfall`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;
use kernel::Door;
use tokio::net::{UnixListener, UnixStream};
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

/// A container's sockets before they serve anybody: the agent can greet, all others wait for an answer. So are those of a
/// prepared container, which belongs to no build yet.
pub(crate) struct Listening {
    /// The agent's own.
    pub(crate) link: Link,
    aws: UnixListener,
    credentials: UnixListener,
    /// For AWS's names, unless these lead outside.
    tls: Option<UnixListener>,
}

/// The folder's path.
pub(crate) fn folder(service: &Service, container: &str) -> PathBuf {
    service.dependencies.options.data_dir.join("run").join(container)
}

impl Listening {
    /// Listens on all sockets of a container, also where a server before this one did.
    pub(crate) fn open(service: &Service, container: &str) -> io::Result<Self> {
        let folder = folder(service, container);
        std::fs::create_dir_all(&folder)?;
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700))?;
        Ok(Self {
            link: Link::new(listen(&folder, "agent.sock")?),
            aws: listen(&folder, "aws.sock")?,
            credentials: listen(&folder, "credentials.sock")?,
            tls: names(service, &folder)?,
        })
    }

    /// Serves the build `id`, and from now on no other.
    pub(crate) fn serve(self, service: &Arc<Service>, id: &str, credentials: RoleCredentials) -> Sockets {
        let mut tasks = JoinSet::new();
        let (door, label) = (&service.dependencies.door, format!("build {id}"));
        if let Some(tls) = self.tls {
            tasks.spawn(serve_door(Arc::clone(door), tls, label.clone(), |door, stream, label| {
                door.tls_connection(stream, label)
            }));
        }
        tasks
            .spawn(serve_door(Arc::clone(door), self.aws, label, |door, stream, label| door.connection(stream, label)));
        tasks.spawn(credentials.serve(self.credentials));
        Sockets { link: self.link, _tasks: tasks }
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

/// The socket behind AWS's names; beside it lies the certificate that the container's programs are to trust. Without it
/// the agent leaves the names alone.
fn names(service: &Service, folder: &Path) -> io::Result<Option<UnixListener>> {
    let Some(authority) = service.dependencies.door.authority()? else { return Ok(None) };
    std::fs::write(folder.join(agent::names::AUTHORITY), authority)?;
    listen(folder, "tls.sock").map(Some)
}

/// Gives the container the whole listener: AWS's API, Git, the registry.
async fn serve_door(
    door: Arc<dyn Door>,
    listener: UnixListener,
    label: String,
    speak: fn(&dyn Door, UnixStream, &str) -> BoxFuture<'static, ()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(speak(&*door, stream, &label))),
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
