//! How bytes become what a parser takes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

/// Text, and what follows it after the first NUL.
pub(crate) fn split(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}

/// As an HTTP request is written: a line `METHOD TARGET`, lines `Name: value`, an empty line, the body. The parts that a
/// real server's HTTP library would refuse come through; what is not text in the first line does not.
pub(crate) struct HttpRequest<'d> {
    pub(crate) method: &'d str,
    pub(crate) target: &'d str,
    pub(crate) headers: Vec<(&'d str, &'d [u8])>,
    pub(crate) body: &'d [u8],
}

impl<'d> HttpRequest<'d> {
    pub(crate) fn read(data: &'d [u8]) -> Option<Self> {
        let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
            Some(end) => (&data[..end], &data[end + 2..]),
            None => (data, &[][..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let (method, target) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
        let mut headers = Vec::new();
        for line in lines.take(200) {
            let colon = line.iter().position(|byte| *byte == b':')?;
            headers.push((std::str::from_utf8(&line[..colon]).ok()?, line[colon + 1..].trim_ascii()));
        }
        Some(Self { method, target, headers, body })
    }

    /// Whether an HTTP server would let its target and headers through.
    pub(crate) fn is_http(&self) -> bool {
        let target = self.target.starts_with('/') && self.target.parse::<http::Uri>().is_ok();
        let named = |(name, value): &(&str, &[u8])| {
            http::HeaderName::from_bytes(name.as_bytes()).is_ok() && http::HeaderValue::from_bytes(value).is_ok()
        };
        target && http::Method::from_bytes(self.method.as_bytes()).is_ok() && self.headers.iter().all(named)
    }
}

/// A stream that gives at most `size` bytes at a time and is never slow.
pub(crate) struct Crumbs<'d> {
    pub(crate) data: &'d [u8],
    pub(crate) size: usize,
}

impl AsyncRead for Crumbs<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let size = self.size.min(self.data.len()).min(buffer.remaining());
        let (now, later) = self.data.split_at(size);
        buffer.put_slice(now);
        self.data = later;
        Poll::Ready(Ok(()))
    }
}

impl io::Read for Crumbs<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.size.min(self.data.len()).min(buffer.len());
        let (now, later) = self.data.split_at(size);
        buffer[..size].copy_from_slice(now);
        self.data = later;
        Ok(size)
    }
}
