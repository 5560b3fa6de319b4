//! `landfall-agent build`: the first process of a build container.
//!
//! [`conversation`] takes the server's messages; [`phases`] runs the job's phases by the [`rules`], one
//! command after the other, in a [`shell`] that lives on between them; [`log`] is what a reader of the
//! build's log sees.

mod artifact;
mod conversation;
mod credentials;
mod log;
mod mark;
mod output;
mod phases;
mod rules;
mod shell;
mod sources;

use std::io;
use std::path::PathBuf;

use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

use crate::forward;
use crate::process::{Processes, Reap};
use crate::protocol::client;

pub use mark::main as mark;

/// Where the server's sockets are mounted.
const SOCKETS: &str = "/landfall";
/// Overrides [`SOCKETS`].
pub const SOCKETS_VARIABLE: &str = "LANDFALL_SOCKETS";

/// The folder of sockets of this container.
#[must_use]
pub fn sockets() -> PathBuf {
    std::env::var_os(SOCKETS_VARIABLE).map_or_else(|| SOCKETS.into(), PathBuf::from)
}

/// Runs a build's agent until the server says that everything is done, or SIGTERM ends it.
///
/// # Errors
/// Where not even the surroundings can be set up; a build that fails is no error.
pub async fn run() -> io::Result<()> {
    let sockets = sockets();
    let processes = Processes::start(Reap::All)?;
    let credentials = credentials::serve(&sockets).await;
    forward::forward_aws(&sockets).await;
    let socket = sockets.join("agent.sock");
    let (link, incoming) = client::start(move || UnixStream::connect(socket.clone()));
    let mut terminate = signal(SignalKind::terminate())?;
    let conversation = conversation::Conversation::new(link, processes, credentials);
    tokio::select! {
        () = conversation.hold(incoming) => {}
        _ = terminate.recv() => {}
    }
    crate::process::signal_all(nix::sys::signal::Signal::SIGKILL);
    Ok(())
}
