//! Frames on a byte stream.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest frame, in bytes: a job with a long buildspec and many variables fits.
pub const MAX_FRAME: usize = 2 * 1024 * 1024;

const LENGTHS: usize = 8;

/// A message whose bulk bytes travel beside its JSON.
pub trait Message: Serialize + DeserializeOwned {
    /// The place of its bulk bytes, where it has any.
    fn payload(&mut self) -> Option<&mut Bytes>;
}

/// Why a stream of frames cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream itself failed.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// The stream ended inside a frame.
    #[error("the connection ended inside a frame")]
    Truncated,
    /// A length that is not allowed.
    #[error("a frame of {0} bytes, more than {MAX_FRAME}")]
    TooLong(usize),
    /// A head that is longer than its frame.
    #[error("a frame of {length} bytes cannot have a head of {head}")]
    Head {
        /// Length of the frame.
        length: usize,
        /// Length that it claims for its head.
        head: usize,
    },
    /// The head is not the JSON of a message.
    #[error("not a message: {0}")]
    Json(#[from] serde_json::Error),
    /// Bytes after the head of a message that takes none.
    #[error("{0} bytes of payload on a message that takes none")]
    Payload(usize),
}

/// Encodes a message as one frame.
///
/// # Errors
/// [`FrameError::TooLong`] for a message that does not fit.
pub(crate) fn encode<M: Message>(mut message: M) -> Result<Bytes, FrameError> {
    let payload = message.payload().map(std::mem::take).unwrap_or_default();
    let head = serde_json::to_vec(&message)?;
    let length = 4 + head.len() + payload.len();
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    let mut frame = BytesMut::with_capacity(4 + length);
    frame.put_u32(as_u32(length)?);
    frame.put_u32(as_u32(head.len())?);
    frame.put_slice(&head);
    frame.put_slice(&payload);
    Ok(frame.freeze())
}

fn as_u32(length: usize) -> Result<u32, FrameError> {
    u32::try_from(length).map_err(|_| FrameError::TooLong(length))
}

/// Takes one whole frame off the front of `buffer`, if it is there.
fn decode<M: Message>(buffer: &mut BytesMut) -> Result<Option<M>, FrameError> {
    let Some((length, head)) = lengths(buffer)? else {
        return Ok(None);
    };
    if buffer.len() < 4 + length {
        buffer.reserve(4 + length - buffer.len());
        return Ok(None);
    }
    let mut frame = buffer.split_to(4 + length).freeze();
    frame.advance(LENGTHS);
    let mut message: M = serde_json::from_slice(&frame.split_to(head))?;
    match message.payload() {
        Some(payload) => *payload = frame,
        None if frame.is_empty() => {}
        None => return Err(FrameError::Payload(frame.len())),
    }
    Ok(Some(message))
}

fn lengths(buffer: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
    let Some((mut front, _)) = buffer.split_at_checked(LENGTHS) else {
        return Ok(None);
    };
    let (length, head) = (front.get_u32() as usize, front.get_u32() as usize);
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    if length < 4 || head > length - 4 {
        return Err(FrameError::Head { length, head });
    }
    Ok(Some((length, head)))
}

/// Reads messages; [`FrameReader::next`] may be dropped at any time (in a `select!`) without loss.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from this stream.
    pub fn new(stream: R) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The next message, or `None` where the stream ended between two frames.
    ///
    /// # Errors
    /// Whatever makes the stream useless; the connection is then to be dropped.
    pub async fn next<M: Message>(&mut self) -> Result<Option<M>, FrameError> {
        loop {
            if let Some(message) = decode(&mut self.buffer)? {
                return Ok(Some(message));
            }
            self.buffer.reserve(4096);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(FrameError::Truncated) };
            }
        }
    }
}

/// Writes messages.
#[derive(Debug)]
pub struct FrameWriter<W> {
    stream: W,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Writes to this stream.
    pub fn new(stream: W) -> Self {
        Self { stream }
    }

    /// Writes one message and flushes it. Not to be dropped half-way.
    ///
    /// # Errors
    /// A message that is too long (nothing is written), or a broken stream.
    pub async fn send<M: Message>(&mut self, message: M) -> Result<(), FrameError> {
        self.send_encoded(&encode(message)?).await
    }

    pub(crate) async fn send_encoded(&mut self, frame: &[u8]) -> Result<(), FrameError> {
        self.stream.write_all(frame).await?;
        Ok(self.stream.flush().await?)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{FromAgent, Report, ToAgent};

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn log(sequence: u64, data: Vec<u8>) -> FromAgent {
        FromAgent::Report { sequence, report: Report::LogLines { time: sequence, data: data.into() } }
    }

    fn read_all(bytes: &[u8]) -> (Vec<FromAgent>, Option<FrameError>) {
        block_on(async {
            let (mut reader, mut messages) = (FrameReader::new(bytes), vec![]);
            loop {
                match reader.next().await {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => return (messages, None),
                    Err(error) => return (messages, Some(error)),
                }
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_sent_is_read(data in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let sent: Vec<_> = data.into_iter().enumerate().map(|(n, data)| log(n as u64, data)).collect();
            let bytes: Vec<u8> = sent.iter().flat_map(|message| encode(message.clone()).unwrap()).collect();
            let (read, error) = read_all(&bytes);
            prop_assert_eq!(read, sent);
            prop_assert!(error.is_none());
        }

        #[test]
        fn a_cut_stream_gives_the_whole_frames_and_an_error(data in any::<Vec<u8>>(), cut in 1usize..60) {
            let frame = encode(log(7, data)).unwrap();
            let cut = cut.min(frame.len() - 1);
            let bytes = [&frame[..], &frame[..cut]].concat();
            let (read, error) = read_all(&bytes);
            prop_assert_eq!(read.len(), 1);
            prop_assert!(matches!(error, Some(FrameError::Truncated)), "{:?}", error);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>()) {
            read_all(&bytes);
        }
    }

    #[test]
    fn lengths_are_checked_before_anything_is_allocated() {
        let (_, error) = read_all(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]);
        assert!(matches!(error, Some(FrameError::TooLong(_))));
        let (_, error) = read_all(&[0, 0, 0, 5, 0, 0, 0, 9]);
        assert!(matches!(error, Some(FrameError::Head { length: 5, head: 9 })));
    }

    #[test]
    fn a_message_that_takes_no_payload_refuses_one() {
        let mut bytes = encode(ToAgent::Finish).unwrap().to_vec();
        bytes[3] += 1;
        bytes.push(b'x');
        let error = decode::<ToAgent>(&mut BytesMut::from(&bytes[..])).unwrap_err();
        assert!(matches!(error, FrameError::Payload(1)), "{error}");
    }

    #[test]
    fn too_long_a_message_is_not_sent() {
        let error = encode(log(1, vec![0; MAX_FRAME])).unwrap_err();
        assert!(matches!(error, FrameError::TooLong(_)));
    }
}
