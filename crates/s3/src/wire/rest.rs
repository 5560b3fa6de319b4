//! What is left of a request's body when its answer is known early.
//!
//! A client that still sends, or that waits for `100 Continue`, loses the answer if the connection is closed under it.
//! So a small rest is read; before a large one the connection is given up in the open.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{BoxStream, Stream};
use http::header::{CONNECTION, HeaderValue};
use http::{Response, Version};
use http_body_util::BodyDataStream;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// The most bytes that are read for nothing.
const LARGEST: usize = 1024 * 1024;
/// How long a client may take for them.
const LONGEST: Duration = Duration::from_secs(5);

/// A body that may be given away and still be read to its end. Clones share it.
#[derive(Clone)]
pub(super) struct Rest(Arc<Mutex<Option<BoxStream<'static, io::Result<Bytes>>>>>);

impl Rest {
    pub(super) fn of<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let chunks = BodyDataStream::new(body).map(|chunk| chunk.map_err(io::Error::other));
        Self(Arc::new(Mutex::new(Some(chunks.boxed()))))
    }

    /// Reads what nobody read, where the answer is a refusal; or says that the connection ends with it.
    pub(super) async fn settle<T>(mut self, version: Version, mut reply: Response<T>) -> Response<T> {
        let refused = reply.status().is_client_error() || reply.status().is_server_error();
        if refused && !self.drain().await && version < Version::HTTP_2 {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }

    /// Whether the end was reached.
    async fn drain(&mut self) -> bool {
        let read = async {
            let mut size = 0;
            while let Some(chunk) = self.next().await {
                size += chunk.map_or(LARGEST, |chunk| chunk.len());
                if size >= LARGEST {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(LONGEST, read).await.unwrap_or(false)
    }
}

impl Stream for Rest {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut chunks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stream) = chunks.as_mut() else { return Poll::Ready(None) };
        let polled = stream.poll_next_unpin(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            *chunks = None;
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    async fn settled(size: usize, status: u16) -> (Response<()>, bool) {
        let rest = Rest::of(Full::new(Bytes::from(vec![0; size])));
        let mut reply = Response::new(());
        *reply.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        let reply = rest.clone().settle(Version::HTTP_11, reply).await;
        let read = rest.0.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        (reply, read)
    }

    #[tokio::test]
    async fn a_small_rest_is_read_and_a_large_one_ends_the_connection() {
        let (reply, read) = settled(10, 400).await;
        assert!(read && !reply.headers().contains_key(CONNECTION));
        let (reply, _) = settled(LARGEST + 1, 400).await;
        assert_eq!(reply.headers()[CONNECTION], "close");
        let (reply, read) = settled(LARGEST + 1, 200).await;
        assert!(!read && !reply.headers().contains_key(CONNECTION));
    }
}
