//! A streamed body.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio_util::io::ReaderStream;

/// How much is read at once from a file.
const CHUNK: usize = 256 * 1024;

/// The content of an object on its way in or out: a stream of chunks, with its length where that is known.
pub struct Body {
    chunks: BoxStream<'static, io::Result<Bytes>>,
    length: Option<u64>,
}

impl Body {
    /// No content.
    pub fn empty() -> Self {
        Self::from_stream(stream::empty(), Some(0))
    }

    /// A body of these chunks; `length`, in bytes, is a promise where it is given.
    pub fn from_stream(chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static, length: Option<u64>) -> Self {
        Self { chunks: chunks.boxed(), length }
    }

    /// What a reader has, of unknown length.
    pub fn from_reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::from_stream(ReaderStream::with_capacity(reader, CHUNK), None)
    }

    /// The content of a file, which is opened now and read as the body is.
    ///
    /// # Errors
    /// Those of opening the file and reading its size.
    pub async fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        Ok(Self::from_stream(ReaderStream::with_capacity(file, CHUNK), Some(length)))
    }

    /// The length in bytes, where it is known before the content is read.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The whole content in memory.
    ///
    /// # Errors
    /// Those of the stream, and `FileTooLarge` past `limit` bytes.
    pub async fn collect(mut self, limit: usize) -> io::Result<Bytes> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunks.next().await {
            let chunk = chunk?;
            if whole.len().saturating_add(chunk.len()) > limit {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("the body is larger than {limit} bytes"),
                ));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Writes the whole content to a new file (or over an old one) and answers its size in bytes.
    ///
    /// # Errors
    /// Those of the stream and of the file system.
    pub async fn save(mut self, path: impl AsRef<Path>) -> io::Result<u64> {
        let mut file = tokio::fs::File::create(path).await?;
        let mut size = 0;
        while let Some(chunk) = self.chunks.next().await {
            let chunk = chunk?;
            size += chunk.len() as u64;
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        Ok(size)
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(content: Bytes) -> Self {
        let length = content.len() as u64;
        Self::from_stream(stream::iter((!content.is_empty()).then_some(Ok(content))), Some(length))
    }
}

impl From<Vec<u8>> for Body {
    fn from(content: Vec<u8>) -> Self {
        Self::from(Bytes::from(content))
    }
}

impl From<String> for Body {
    fn from(content: String) -> Self {
        Self::from(Bytes::from(content))
    }
}

impl From<&'static str> for Body {
    fn from(content: &'static str) -> Self {
        Self::from(Bytes::from_static(content.as_bytes()))
    }
}

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_next_unpin(context)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn collects_within_its_limit() {
        assert_eq!(Body::from("landfall").length(), Some(8));
        assert_eq!(Body::from("landfall").collect(8).await.unwrap(), "landfall");
        let refused = Body::from("landfall").collect(7).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(Body::empty().collect(0).await.unwrap(), "");
    }

    #[tokio::test]
    async fn goes_to_a_file_and_back() {
        let path = std::env::temp_dir().join(format!("landfall-body-{}", std::process::id()));
        assert_eq!(Body::from(vec![7; 600_000]).save(&path).await.unwrap(), 600_000);
        let body = Body::from_file(&path).await.unwrap();
        assert_eq!(body.length(), Some(600_000));
        assert_eq!(body.collect(usize::MAX).await.unwrap().len(), 600_000);
        std::fs::remove_file(path).unwrap();
    }
}
