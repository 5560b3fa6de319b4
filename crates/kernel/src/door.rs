//! The way back into Landfall's own listener, for what runs inside containers.

use futures::future::BoxFuture;
use tokio::net::UnixStream;

/// Serves the whole listener's HTTP on byte streams that did not come through its port: the sockets in
/// the folders mounted into builds and hosts.
pub trait Door: Send + Sync {
    /// Speaks HTTP on `stream` until the other side closes it or the server stops. `label` names the
    /// connection in the log, for example `build demo:1`.
    fn connection(&self, stream: UnixStream, label: &str) -> BoxFuture<'static, ()>;
}
