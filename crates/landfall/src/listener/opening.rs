//! The first bytes of a connection. Until they tell HTTP/1 from HTTP/2 no other limit of time is in force, so that who
//! says nothing, or only a part of HTTP/2's preface, would keep a place for ever.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What HTTP/2 begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that is listened to until its version is known.
pub(super) struct Opening<S> {
    stream: S,
    heard: Arc<AtomicUsize>,
}

/// Tells whether the version is known.
pub(super) struct Version {
    /// How much of the preface came, or all of its length once it is known.
    heard: Arc<AtomicUsize>,
    patience: Duration,
}

/// Listens to a new connection, whose version should be known after `patience`.
pub(super) fn listen<S>(stream: S, patience: Duration) -> (Opening<S>, Version) {
    let heard = Arc::new(AtomicUsize::new(0));
    (Opening { stream, heard: Arc::clone(&heard) }, Version { heard, patience })
}

impl Version {
    /// Resolves when patience is over and the version is not known; else never.
    pub(super) async fn stays_unknown(&self) {
        tokio::time::sleep(self.patience).await;
        if self.heard.load(Ordering::Relaxed) == PREFACE.len() {
            std::future::pending::<()>().await;
        }
    }
}

/// How much of the preface there is when `bytes` follow what was `heard`; all of its length if they decide.
fn after(heard: usize, bytes: &[u8]) -> usize {
    let rest = PREFACE.get(heard..).unwrap_or_default();
    let same = rest.iter().zip(bytes).take_while(|(left, right)| left == right).count();
    if same == bytes.len().min(rest.len()) { heard + same } else { PREFACE.len() }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, heard } = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(stream).poll_read(context, buffer))?;
        let so_far = heard.load(Ordering::Relaxed);
        if so_far < PREFACE.len() {
            let bytes = buffer.filled().get(before..).unwrap_or_default();
            heard.store(after(so_far, bytes), Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[test]
    fn what_is_no_preface_decides_at_once() {
        for (heard, bytes, known) in [
            (0, &b""[..], false),
            (0, b"P", false),
            (0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", false),
            (0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n and frames", true),
            (1, b"RI", false),
            (1, b"OST", true),
            (23, b"\n", true),
            (0, b"G", true),
        ] {
            assert_eq!(after(heard, bytes) == PREFACE.len(), known, "{heard} {bytes:?}");
        }
    }

    #[tokio::test]
    async fn who_says_nothing_is_given_up_and_who_speaks_is_not() {
        let patience = Duration::from_millis(20);
        for (said, given_up) in [(&b""[..], true), (b"PRI ", true), (b"GET /", false), (PREFACE, false)] {
            let (mut client, server) = tokio::io::duplex(64);
            let (mut opening, version) = listen(server, patience);
            client.write_all(said).await.unwrap();
            let mut read = vec![0; said.len()];
            opening.read_exact(&mut read).await.unwrap();
            let waited = tokio::time::timeout(patience * 5, version.stays_unknown()).await;
            assert_eq!((read.as_slice(), waited.is_ok()), (said, given_up));
        }
    }
}
