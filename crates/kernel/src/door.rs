//! The way back into Landfall's own listener, for what runs inside containers.

use futures::future::BoxFuture;
use std::io;
use tokio::net::UnixStream;

/// Serves the whole listener's HTTP on byte streams that did not come through its port: the sockets in
/// the folders mounted into builds and hosts.
pub trait Door: Send + Sync {
    /// Speaks HTTP on `stream` until the other side closes it or the server stops. `label` names the
    /// connection in the log, for example `build demo:1`.
    fn connection(&self, stream: UnixStream, label: &str) -> BoxFuture<'static, ()>;

    /// The same by HTTPS, for clients that know Landfall by one of AWS's names: the handshake's certificate is for the
    /// name that the client asks for, by [`Door::authority`]. Another name's handshake is refused.
    fn tls_connection(&self, stream: UnixStream, label: &str) -> BoxFuture<'static, ()>;

    /// The certificate (PEM) of the authority that clients of [`Door::tls_connection`] are to trust, made at the first
    /// call; `None` where AWS's names are to lead outside.
    ///
    /// # Errors
    /// Where its files cannot be read, made or used.
    fn authority(&self) -> io::Result<Option<String>>;
}
