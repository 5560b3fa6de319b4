//! Sources, as their archives arrive.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::archive::{ArchiveError, ChannelReader, channel, unpack_stream};
use crate::protocol::client::Link;
use crate::protocol::{FromAgent, SourceTarget};

/// Takes pieces in, unpacks them on a thread, answers when each source is done.
#[derive(Debug)]
pub(super) struct Sources {
    link: Link,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    index: u32,
    received: u64,
    pieces: mpsc::Sender<Bytes>,
    thread: JoinHandle<Result<(), ArchiveError>>,
}

impl Sources {
    pub(super) fn new(link: Link) -> Self {
        Self { link, current: None }
    }

    /// Takes a piece; waits while the disk is behind.
    pub(super) async fn piece(&mut self, target: SourceTarget, offset: u64, last: bool, data: Bytes) {
        if offset == 0 {
            self.current = Some(start(&target));
        }
        // Without a beginning it belongs to a transfer that was given up.
        let Some(current) = self.current.as_mut().filter(|current| current.is_next(target.index, offset)) else {
            return self.answer(target.index, Some("a piece of the source is missing".into())).await;
        };
        current.received += data.len() as u64;
        if !data.is_empty() {
            // The thread stops receiving where the archive is bad; it says why at the end.
            let _ = current.pieces.send(data).await;
        }
        if last && let Some(current) = self.current.take() {
            self.finish(current).await;
        }
    }

    /// Gives up what is half-way: the connection was lost.
    pub(super) fn abandon(&mut self) {
        self.current = None;
    }

    async fn finish(&self, current: Current) {
        // An empty piece is the end.
        let _ = current.pieces.send(Bytes::new()).await;
        let error = match current.thread.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(format!("unpacking broke off: {error}")),
        };
        if error.is_none() {
            self.link.source_unpacked(current.index);
        }
        self.answer(current.index, error).await;
    }

    async fn answer(&self, index: u32, error: Option<String>) {
        self.link.answer(FromAgent::SourceUnpacked { index, error }).await;
    }
}

impl Current {
    fn is_next(&self, index: u32, offset: u64) -> bool {
        (self.index, self.received) == (index, offset)
    }
}

fn start(target: &SourceTarget) -> Current {
    let (pieces, reader) = channel();
    let (folder, format) = (PathBuf::from(&target.path), target.format);
    let thread = spawn_blocking(move || unpack(reader, format, &folder));
    Current { index: target.index, received: 0, pieces, thread }
}

fn unpack(reader: ChannelReader, format: crate::protocol::ArchiveFormat, folder: &Path) -> Result<(), ArchiveError> {
    std::fs::create_dir_all(folder)?;
    // Beside the folder there is room for as much as in it.
    let spool = folder.parent().unwrap_or(folder);
    unpack_stream(reader, format, folder, spool)
}
