//! `landfall-agent build`: the first process of a build container.
//!
//! [`conversation`] takes the server's messages; [`phases`] runs the job's phases by the [`rules`], one
//! command after the other, in a [`shell`] that lives on between them; [`log`] is what a reader of the
//! build's log sees.

mod artifact;
mod conversation;
mod credentials;
mod docker;
mod log;
mod mark;
mod output;
mod phases;
mod rules;
mod shell;
mod sources;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

use crate::forward;
use crate::names::Names;
use crate::process::{Processes, Reap};
use crate::protocol::client;

pub use docker::DOCKER;
pub use mark::main as mark;

/// Where the server's sockets are mounted.
const SOCKETS: &str = "/landfall";
/// How often it is looked whether they are there still.
const LOOK: Duration = Duration::from_secs(5);
/// Overrides [`SOCKETS`].
pub const SOCKETS_VARIABLE: &str = "LANDFALL_SOCKETS";

/// The folder of sockets of this container.
#[must_use]
pub fn sockets() -> PathBuf {
    std::env::var_os(SOCKETS_VARIABLE).map_or_else(|| SOCKETS.into(), PathBuf::from)
}

/// Runs a build's agent until the server says that everything is done, or SIGTERM ends it. With [`DOCKER`] among its
/// arguments it starts a Docker daemon beside it.
///
/// # Errors
/// Where not even the surroundings can be set up; a build that fails is no error.
pub async fn run(mut arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    // The commands are as much root as this process: they shall not trace it, nor read its memory.
    nix::sys::prctl::set_dumpable(false)?;
    let sockets = sockets();
    let folder = File::open(&sockets)?;
    let processes = Processes::start(Reap::All)?;
    // Before the daemon, which reads the container's name servers and authorities.
    let names = Names::start(&sockets).await;
    let docker = if arguments.any(|word| word == DOCKER) { docker::Daemon::start(&processes) } else { None };
    let credentials = credentials::serve(&sockets).await;
    forward::forward_aws(&sockets).await;
    let socket = sockets.join("agent.sock");
    let (link, incoming) = client::start(move || UnixStream::connect(socket.clone()));
    let mut terminate = signal(SignalKind::terminate())?;
    let conversation = conversation::Conversation::new(link, processes, credentials, names, docker);
    tokio::select! {
        () = conversation.hold(incoming) => {}
        _ = terminate.recv() => {}
        () = removed(&folder, LOOK) => {}
    }
    crate::process::signal_all(nix::sys::signal::Signal::SIGKILL);
    Ok(())
}

/// Waits until the folder is gone. The server removes it after the build's end, or somebody with all of its data: either
/// way nobody will ever listen there again.
async fn removed(folder: &File, look: Duration) {
    while folder.metadata().is_ok_and(|metadata| metadata.nlink() > 0) {
        tokio::time::sleep(look).await;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_when_its_folder_of_sockets_is_gone() {
        let home = tempfile::tempdir().unwrap();
        let folder = File::open(home.path()).unwrap();
        let brief = Duration::from_millis(1);
        let waiting = removed(&folder, brief);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(20 * brief, waiting.as_mut()).await.is_err(), "it is there still");
        home.close().unwrap();
        tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
    }
}
