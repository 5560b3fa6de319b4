//! A blocking reader over pieces that arrive asynchronously.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

/// The sending end and the reader: dropping the sender without an empty last piece cuts the stream off.
#[must_use]
pub fn channel() -> (mpsc::Sender<Bytes>, ChannelReader) {
    let (sender, pieces) = mpsc::channel(4);
    (sender, ChannelReader { pieces, piece: Bytes::new(), ended: false })
}

/// Reads what is sent; for a blocking thread only.
#[derive(Debug)]
pub struct ChannelReader {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
    ended: bool,
}

impl Read for ChannelReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !self.ended {
            self.piece = self
                .pieces
                .blocking_recv()
                .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the transfer was cut off"))?;
            self.ended = self.piece.is_empty();
        }
        let length = to.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut to[..length]);
        Ok(length)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_empty_piece_ends_it_and_a_lost_sender_cuts_it_off() {
        let (sender, mut reader) = channel();
        sender.blocking_send(Bytes::from_static(b"abc")).unwrap();
        sender.blocking_send(Bytes::new()).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), reader.read(&mut [0]).unwrap()), ("abc", 0));

        let (sender, mut reader) = channel();
        drop(sender);
        assert_eq!(reader.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
