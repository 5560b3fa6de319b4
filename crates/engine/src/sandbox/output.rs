use std::io::SeekFrom;
use std::time::Duration;

use agent::shim::Bundle;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::shim_watch;
use crate::{EngineError, OutputStream};

/// How long new output may wait to be noticed; the container's end is noticed at once.
const PERIOD: Duration = Duration::from_millis(50);
const CHUNK: usize = 64 * 1024;

/// The bundle's output from byte `from` on, until the shim is gone and all is read.
pub(super) fn follow(bundle: Bundle, from: u64) -> Result<OutputStream, EngineError> {
    let follower = Follower { bundle, at: from, file: None, over: false };
    Ok(futures::stream::unfold(follower, |mut follower| async {
        let chunk = follower.next().await.transpose()?;
        // After an error the stream ends.
        follower.over |= chunk.is_err();
        Some((chunk, follower))
    })
    .boxed())
}

struct Follower {
    bundle: Bundle,
    at: u64,
    file: Option<File>,
    over: bool,
}

impl Follower {
    async fn next(&mut self) -> Result<Option<Bytes>, EngineError> {
        loop {
            // Asked before reading: what was written before the shim was gone is then read for sure.
            let last = self.over || !shim_watch::is_alive(&self.bundle)?;
            let chunk = if self.over { Bytes::new() } else { self.read().await? };
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
            if last {
                return Ok(None);
            }
            shim_watch::gone_within(&self.bundle, PERIOD).await?;
        }
    }

    async fn read(&mut self) -> Result<Bytes, EngineError> {
        let path = self.bundle.output();
        let file = match &mut self.file {
            Some(file) => file,
            None => match File::open(&path).await {
                Ok(mut file) => {
                    file.seek(SeekFrom::Start(self.at)).await.map_err(EngineError::io("cannot seek in", &path))?;
                    self.file.insert(file)
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Bytes::new()),
                Err(error) => return Err(EngineError::io("cannot open", &path)(error)),
            },
        };
        let mut chunk = BytesMut::with_capacity(CHUNK);
        file.read_buf(&mut chunk).await.map_err(EngineError::io("cannot read", &path))?;
        Ok(chunk.freeze())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn follows_until_the_shim_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::new(folder.path().to_path_buf());
        nix::unistd::mkfifo(&bundle.alive(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let writer = std::fs::File::options().read(true).write(true).open(bundle.alive()).unwrap();
        let mut output = std::fs::File::create(bundle.output()).unwrap();
        output.write_all(b"one ").unwrap();
        let mut stream = follow(bundle.clone(), 0).unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), "one ");
        output.write_all(b"two").unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), "two");
        output.write_all(b" end").unwrap();
        drop(writer);
        assert_eq!(stream.next().await.unwrap().unwrap(), " end");
        assert!(stream.next().await.is_none());
        let late: Vec<_> = follow(bundle, 4).unwrap().collect().await;
        assert_eq!(late[0].as_ref().unwrap(), "two end");
    }
}
