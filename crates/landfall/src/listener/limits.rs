//! What one client may take: connections, headers, time.

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use nix::sys::resource::{Resource, getrlimit};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A client has this long to send a request's headers, and a connection may be idle as long.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of a request's headers over HTTP/2; a session token and a presigned URL are some kilobytes each.
const HEADERS: u32 = 64 * 1024;
/// Most requests at once on one connection of HTTP/2.
const STREAMS: u32 = 256;
/// A connection of HTTP/2 whose other side does not answer a ping for so long is over.
const PING: Duration = Duration::from_secs(30);
/// Connections at once, where the system sets no limit.
const CONNECTIONS: usize = 65_536;

/// How a connection is served. HTTP/1 has hyper's own limits: 100 headers of some 400 KiB.
pub(super) fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PING);
    http2.max_header_list_size(HEADERS).max_concurrent_streams(STREAMS);
    builder
}

/// After a failure to accept, this passes before the next attempt: the connection waits in the system's queue, and would
/// be reported as ready at once again.
const REST: Duration = Duration::from_millis(50);
/// A trouble that stays is told once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Room for connections: three of four files that the process may open, so that the store, Git and builds have theirs.
pub(super) struct Room {
    places: Arc<Semaphore>,
    /// When trouble was told last.
    told: Option<Instant>,
}

impl Room {
    pub(super) fn new() -> Self {
        let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        Self { places: Arc::new(Semaphore::new(places(files))), told: None }
    }

    /// The next connection, once there is a place for it. Until then it waits in the system's queue.
    pub(super) async fn accept(
        &mut self,
        port: &TcpListener,
    ) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        if self.places.available_permits() == 0 && self.is_news() {
            tracing::warn!("all connections are taken: the limit of open files (ulimit -n) sets how many there may be");
        }
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, address) = port.accept().await?;
        Ok((stream, address, place))
    }

    /// Waits a moment before the next attempt.
    pub(super) async fn rest_after(&mut self, error: &io::Error) {
        if self.is_news() {
            tracing::warn!(%error, "cannot accept connections; trying on");
        }
        tokio::time::sleep(REST).await;
    }

    fn is_news(&mut self) -> bool {
        let news = self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if news {
            self.told = Some(Instant::now());
        }
        news
    }
}

fn places(files: u64) -> usize {
    usize::try_from(files / 4 * 3).unwrap_or(CONNECTIONS).clamp(16, CONNECTIONS)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_files_is_left_to_others() {
        for (files, expected) in [(1_024, 768), (0, 16), (1_048_576, CONNECTIONS), (u64::MAX, CONNECTIONS)] {
            assert_eq!(places(files), expected, "{files}");
        }
    }

    #[tokio::test]
    async fn one_too_many_waits_for_a_place() {
        let mut room = Room { places: Arc::new(Semaphore::new(1)), told: None };
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = port.local_addr().unwrap();
        let _clients = (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
        let (_, _, place) = room.accept(&port).await.unwrap();
        let mut second = Box::pin(room.accept(&port));
        assert!(futures::poll!(&mut second).is_pending());
        drop(place);
        drop(second.await.unwrap());
    }

    #[test]
    fn a_trouble_that_stays_is_told_now_and_then() {
        let mut room = Room::new();
        assert_eq!([room.is_news(), room.is_news()], [true, false]);
        room.told = Instant::now().checked_sub(TOLD_EVERY);
        assert!(room.is_news());
    }
}
