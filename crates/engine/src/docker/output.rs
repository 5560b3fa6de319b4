//! What a container wrote, off the file that it wrote it to.

use std::io::SeekFrom;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::BoxFuture;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::records::Record;
use crate::{EngineError, Exit, OutputStream};

/// How long new output may wait to be noticed; the container's end is noticed at once.
const PERIOD: Duration = Duration::from_millis(50);
const CHUNK: usize = 64 * 1024;

/// The output from byte `from` on, until `end` is there and all is read.
pub(super) async fn follow(
    record: &Record,
    from: u64,
    end: BoxFuture<'static, Result<Exit, EngineError>>,
) -> Result<OutputStream, EngineError> {
    let path = record.output();
    let mut file = File::open(&path).await.map_err(EngineError::io("cannot open", &path))?;
    file.seek(SeekFrom::Start(from)).await.map_err(EngineError::io("cannot seek in", &path))?;
    let follower = Follower { record: record.clone(), file, end: Some(end), over: false };
    Ok(futures::stream::unfold(follower, |mut follower| async {
        let chunk = follower.next().await.transpose()?;
        // After an error the stream ends.
        follower.over |= chunk.is_err();
        Some((chunk, follower))
    })
    .boxed())
}

struct Follower {
    record: Record,
    file: File,
    /// Gone when the container has ended.
    end: Option<BoxFuture<'static, Result<Exit, EngineError>>>,
    over: bool,
}

impl Follower {
    async fn next(&mut self) -> Result<Option<Bytes>, EngineError> {
        while !self.over {
            let chunk = self.read().await?;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
            let Some(end) = &mut self.end else { break };
            match tokio::time::timeout(PERIOD, end).await {
                Err(_) => {}
                // Removed meanwhile: what it wrote before is still read.
                Ok(Ok(_) | Err(EngineError::NoContainer(_))) => self.end = None,
                Ok(Err(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn read(&mut self) -> Result<Bytes, EngineError> {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = self.file.read_buf(&mut chunk).await;
        read.map_err(EngineError::io("cannot read", &self.record.output()))?;
        Ok(chunk.freeze())
    }
}
