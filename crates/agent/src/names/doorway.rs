//! Where the names lead: an address of the container's loopback, whose ports are forwarded to the server's sockets.
//!
//! The ports are taken when a name is first asked for: while they are, no program of the build can listen on the same ones
//! at all addresses, and most builds, which have `AWS_ENDPOINT_URL`, never need them.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tokio::sync::Mutex;

use crate::forward;

/// The address. Nobody else listens there.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 45, 66);

/// Each port with the server's socket behind it: HTTPS ends in the server, plain HTTP is plain there, too.
const PORTS: [(u16, &str); 2] = [(443, "tls.sock"), (80, "aws.sock")];

/// The ports that are still to be opened.
pub(super) struct Doorway {
    sockets: PathBuf,
    closed: Mutex<Vec<(u16, &'static str)>>,
}

impl Doorway {
    /// One that leads to the sockets of this folder; closed.
    pub(super) fn new(sockets: &Path) -> Self {
        Self { sockets: sockets.to_path_buf(), closed: Mutex::new(PORTS.to_vec()) }
    }

    /// One without ports.
    #[cfg(test)]
    pub(super) fn nowhere() -> Self {
        Self { sockets: PathBuf::new(), closed: Mutex::default() }
    }

    /// Opens what is closed.
    ///
    /// # Errors
    /// Where HTTPS's port cannot be had: a program of the build has it, or this process may not.
    pub(super) async fn open(&self) -> io::Result<()> {
        let mut closed = self.closed.lock().await;
        let mut refused = vec![];
        for (port, socket) in closed.drain(..) {
            let opened = forward::forward(&format!("{ADDRESS}:{port}"), self.sockets.join(socket)).await;
            if let Err(error) = opened {
                refused.push((port, socket, error));
            }
        }
        closed.extend(refused.iter().map(|(port, socket, _)| (*port, *socket)));
        match refused.into_iter().find(|(port, ..)| *port == PORTS[0].0) {
            Some((.., error)) => Err(error),
            None => Ok(()),
        }
    }
}
