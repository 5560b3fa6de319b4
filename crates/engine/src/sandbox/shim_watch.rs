use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use agent::shim::Bundle;
use nix::fcntl::OFlag;
use tokio::net::unix::pipe::Receiver;

use crate::EngineError;

/// Whether the container's shim lives, however this process or the one before started it.
pub(super) fn is_alive(bundle: &Bundle) -> Result<bool, EngineError> {
    Ok(open(bundle)?.is_some())
}

/// Waits until the shim is gone.
pub(super) async fn gone(bundle: &Bundle) -> Result<(), EngineError> {
    while read(bundle).await? > 0 {}
    Ok(())
}

/// Waits until the shim has recorded the end, or is gone. The shim's word for it reaches one of those who wait; the others
/// see it go, a moment later.
pub(super) async fn ended(bundle: &Bundle) -> Result<(), EngineError> {
    read(bundle).await.map(drop)
}

/// Reads the shim's pipe: nothing once it is gone.
async fn read(bundle: &Bundle) -> Result<usize, EngineError> {
    let Some(pipe) = open(bundle)? else { return Ok(0) };
    let path = bundle.alive();
    let receiver = Receiver::from_file(pipe).map_err(EngineError::io("cannot watch", &path))?;
    loop {
        receiver.readable().await.map_err(EngineError::io("cannot watch", &path))?;
        match receiver.try_read(&mut [0; 16]) {
            Ok(read) => return Ok(read),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(EngineError::io("cannot read", &path)(error)),
        }
    }
}

/// Waits until the shim is gone or the time is over.
pub(super) async fn gone_within(bundle: &Bundle, time: Duration) -> Result<(), EngineError> {
    tokio::time::timeout(time, gone(bundle)).await.unwrap_or(Ok(()))
}

/// The read end of the shim's pipe if the shim lives: without a writer, a pipe reads as ended at once.
fn open(bundle: &Bundle) -> Result<Option<File>, EngineError> {
    let path = bundle.alive();
    let flags = OFlag::O_NONBLOCK.bits();
    let mut pipe = match File::options().read(true).custom_flags(flags).open(&path) {
        Ok(pipe) => pipe,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EngineError::io("cannot open", &path)(error)),
    };
    match pipe.read(&mut [0; 16]) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(pipe)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(pipe)),
        Err(error) => Err(EngineError::io("cannot read", &path)(error)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_shims_word_ends_the_wait_for_the_end_but_not_for_the_shim() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::new(folder.path().to_path_buf());
        nix::unistd::mkfifo(&bundle.alive(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut shim = File::options().read(true).write(true).open(bundle.alive()).unwrap();
        let waiting = tokio::spawn({
            let bundle = bundle.clone();
            async move { ended(&bundle).await }
        });
        tokio::task::yield_now().await;
        std::io::Write::write_all(&mut shim, b".").unwrap();
        waiting.await.unwrap().unwrap();
        assert!(is_alive(&bundle).unwrap());
        std::io::Write::write_all(&mut shim, b".").unwrap();
        let gone = gone_within(&bundle, Duration::from_millis(5));
        gone.await.unwrap();
        assert!(is_alive(&bundle).unwrap());
    }

    #[tokio::test]
    async fn sees_the_writer_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::new(folder.path().to_path_buf());
        assert!(!is_alive(&bundle).unwrap());
        nix::unistd::mkfifo(&bundle.alive(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(!is_alive(&bundle).unwrap());
        let writer = File::options().read(true).write(true).open(bundle.alive()).unwrap();
        assert!(is_alive(&bundle).unwrap());
        gone_within(&bundle, Duration::from_millis(5)).await.unwrap();
        assert!(is_alive(&bundle).unwrap());
        let waiting = tokio::spawn({
            let bundle = bundle.clone();
            async move { gone(&bundle).await }
        });
        tokio::task::yield_now().await;
        drop(writer);
        waiting.await.unwrap().unwrap();
        assert!(!is_alive(&bundle).unwrap());
    }
}
