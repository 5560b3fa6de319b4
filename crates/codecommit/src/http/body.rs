//! Bodies on their way between HTTP and a `git` process.

use std::io::{self, Write};
use std::pin::Pin;
use std::time::Duration;

use ::http::HeaderMap;
use ::http::header::CONTENT_ENCODING;
use bytes::{Bytes, BytesMut};
use flate2::write::GzDecoder;
use futures::StreamExt;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{Body, BoxError, header};

/// How much is read from Git at once.
const CHUNK: usize = 64 * 1024;

/// So much compressed input is unpacked at once: at most about a thousand times as much comes out.
const COMPRESSED_CHUNK: usize = 4 * 1024;

/// A client that neither sends nor reads for so long is given up: it holds one of few turns. Longer than a client compresses
/// a large push without a word.
const SILENCE: Duration = Duration::from_secs(600);

/// A request body, unpacked where the client compressed it.
pub(super) struct Incoming {
    data: Pin<Box<dyn futures::Stream<Item = io::Result<Bytes>> + Send>>,
    gzip: Option<GzDecoder<Vec<u8>>>,
    compressed: Bytes,
    patience: Duration,
}

impl Incoming {
    /// The body of a request with these headers.
    pub(super) fn new<B>(headers: &HeaderMap, body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let gzip = header(headers, CONTENT_ENCODING.as_str()).is_some_and(|encoding| encoding.contains("gzip"));
        let body = body.map_err(|error| io::Error::other(error.into()));
        let data = BodyStream::new(body)
            .filter_map(|frame| std::future::ready(frame.map(|frame| frame.into_data().ok()).transpose()));
        let gzip = gzip.then(|| GzDecoder::new(Vec::new()));
        Self { data: Box::pin(data), gzip, compressed: Bytes::new(), patience: SILENCE }
    }

    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let Some(gzip) = &mut self.gzip else { return awaited(self.data.next(), self.patience).await?.transpose() };
        loop {
            if self.compressed.is_empty() {
                match awaited(self.data.next(), self.patience).await?.transpose()? {
                    Some(more) => self.compressed = more,
                    None => return finish(self.gzip.take()),
                }
            }
            let piece = self.compressed.split_to(self.compressed.len().min(COMPRESSED_CHUNK));
            gzip.write_all(&piece)?;
            let unpacked = std::mem::take(gzip.get_mut());
            if !unpacked.is_empty() {
                return Ok(Some(unpacked.into()));
            }
        }
    }

    /// Writes all that is left to `to` and closes it.
    pub(super) async fn pour(&mut self, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        while let Some(piece) = self.next().await? {
            to.write_all(&piece).await?;
        }
        to.shutdown().await
    }
}

/// What the client does, unless it does nothing.
async fn awaited<T>(client: impl Future<Output = T>, patience: Duration) -> io::Result<T> {
    tokio::time::timeout(patience, client).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))
}

fn finish(gzip: Option<GzDecoder<Vec<u8>>>) -> io::Result<Option<Bytes>> {
    let rest = gzip.map(GzDecoder::finish).transpose()?.unwrap_or_default();
    Ok((!rest.is_empty()).then(|| rest.into()))
}

/// The sending end of an answer.
pub(super) type Outgoing = mpsc::Sender<io::Result<Bytes>>;

/// An answer's body and the end that fills it. It ends when the sender is dropped.
pub(super) fn outgoing() -> (Outgoing, Body) {
    let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    let frames = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    let frames = frames.map(|piece| piece.map(http_body::Frame::data));
    (sender, BodyExt::boxed(StreamBody::new(frames)))
}

/// Sends all that `from` gives; fails when nobody reads any more.
pub(super) async fn send(from: impl AsyncRead + Unpin, to: &Outgoing) -> io::Result<()> {
    send_patiently(from, to, SILENCE).await
}

async fn send_patiently(mut from: impl AsyncRead + Unpin, to: &Outgoing, patience: Duration) -> io::Result<()> {
    loop {
        let mut piece = BytesMut::with_capacity(CHUNK);
        if from.read_buf(&mut piece).await? == 0 {
            return Ok(());
        }
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        awaited(to.send(Ok(piece.freeze())), patience).await?.map_err(gone)?;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use ::http::HeaderValue;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http_body_util::Full;

    use super::*;

    async fn whole(headers: &HeaderMap, body: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut incoming = Incoming::new(headers, Full::new(Bytes::from(body)));
        let mut whole = Vec::new();
        while let Some(piece) = incoming.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    #[tokio::test]
    async fn a_client_that_falls_silent_is_given_up() {
        let silent = StreamBody::new(futures::stream::pending::<io::Result<http_body::Frame<Bytes>>>());
        let patience = Duration::from_millis(1);
        let mut incoming = Incoming { patience, ..Incoming::new(&HeaderMap::new(), silent) };
        assert_eq!(incoming.next().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (sender, _body) = outgoing();
        let unread = send_patiently(tokio::io::repeat(0), &sender, patience).await.unwrap_err();
        assert_eq!(unread.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn compressed_bodies_are_unpacked_and_plain_ones_are_not() {
        let text = "want 0123456789\n".repeat(20_000).into_bytes();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&text).unwrap();
        let packed = gzip.finish().unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(whole(&headers, packed.clone()).await.unwrap(), packed);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(whole(&headers, packed.clone()).await.unwrap(), text);
        assert!(whole(&headers, packed[..packed.len() / 2].to_vec()).await.is_err());
        assert!(whole(&headers, b"not gzip".to_vec()).await.is_err());
    }
}
