//! Replies that go on: they end when the server stops, and the connection of a client that does not read is cut off.

use super::reply::Body;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use kernel::Stop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Who takes nothing for so long, although there is something every second, is gone.
const PATIENCE: Duration = Duration::from_secs(120);
/// Who has not taken the end so long after the server's stop does not read.
const GRACE: Duration = Duration::from_secs(1);

/// What ends a reply that goes on.
#[derive(Clone)]
pub(super) struct Ends {
    /// The server's stop.
    pub(super) stop: Stop,
    /// Cuts the connection off, whatever is still to be written.
    pub(super) hang_up: Stop,
}

impl Ends {
    /// A reply of these chunks, of which one comes every second or so.
    pub(super) fn reply(
        &self,
        content_type: &'static str,
        chunks: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Response<Body> {
        let taken = Arc::new(AtomicU64::new(0));
        let (alive, ended) = oneshot::channel::<()>();
        tokio::spawn(self.clone().watch(Arc::clone(&taken), ended, PATIENCE, GRACE));
        let stop = self.stop.clone();
        let chunks = chunks.take_until(Box::pin(async move { stop.stopped().await })).map(move |chunk| {
            // Dropped with the body.
            let _ = &alive;
            taken.fetch_add(1, Ordering::Relaxed);
            Ok(Frame::data(chunk))
        });
        let mut response = Response::new(StreamBody::new(chunks).boxed_unsync());
        response.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
        response
    }

    /// Hangs up when nothing is taken for so long, or not even the end after the stop.
    async fn watch(self, taken: Arc<AtomicU64>, mut ended: oneshot::Receiver<()>, patience: Duration, grace: Duration) {
        let mut before = None;
        loop {
            tokio::select! {
                _ = &mut ended => return,
                () = self.stop.stopped() => break,
                () = tokio::time::sleep(patience) => {
                    let now = taken.load(Ordering::Relaxed);
                    if before.replace(now) == Some(now) {
                        return self.hang_up.trigger();
                    }
                }
            }
        }
        if tokio::time::timeout(grace, ended).await.is_err() {
            self.hang_up.trigger();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);
    const EVER: Duration = Duration::from_secs(3_600);

    fn ends() -> Ends {
        Ends { stop: Stop::new(), hang_up: Stop::new() }
    }

    #[tokio::test]
    async fn a_reply_ends_with_its_chunks_or_with_the_stop() {
        let ends = ends();
        let chunks = futures::stream::iter([&b"a"[..], b"b"].map(Bytes::from_static));
        let whole = ends.reply("text/plain", chunks).into_body().collect().await.map(|body| body.to_bytes());
        assert_eq!(whole.ok().as_deref(), Some(&b"ab"[..]));
        let endless = ends
            .reply("text/plain", futures::stream::repeat(Bytes::from_static(b"x")).chain(futures::stream::pending()));
        ends.stop.trigger();
        assert!(endless.into_body().collect().await.is_ok());
        assert!(!ends.hang_up.is_stopped());
    }

    #[tokio::test]
    async fn who_takes_nothing_is_cut_off() {
        let (ends, (_alive, ended)) = (ends(), oneshot::channel());
        ends.clone().watch(Arc::default(), ended, MOMENT, EVER).await;
        assert!(ends.hang_up.is_stopped());
    }

    #[tokio::test]
    async fn who_does_not_even_take_the_end_is_cut_off_after_the_stop() {
        for (alive, cut_off) in [(true, true), (false, false)] {
            let (ends, (sender, ended)) = (ends(), oneshot::channel());
            let _held = alive.then_some(sender);
            ends.stop.trigger();
            ends.clone().watch(Arc::default(), ended, EVER, MOMENT).await;
            assert_eq!(ends.hang_up.is_stopped(), cut_off);
        }
    }
}
