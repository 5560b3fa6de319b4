//! The pipe that all commands of a build write to, output and errors alike, so that their order stays.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// Both ends; the writing one is kept so that the pipe outlives each shell.
#[derive(Debug)]
pub(super) struct Output {
    reader: pipe::Receiver,
    writer: OwnedFd,
}

impl Output {
    pub(super) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader: pipe::Receiver::from_owned_fd(reader.into())?, writer: writer.into() })
    }

    /// The writing end, for a child.
    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        Ok(self.writer.try_clone()?.into())
    }

    /// Waits for output. May be dropped at any time without loss.
    pub(super) async fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.reader.read(to).await
    }

    /// What is there now; 0 for nothing. The reactor may not have seen yet what the kernel holds already.
    pub(super) fn read_now(&self, to: &mut [u8]) -> usize {
        nix::unistd::read(self.reader.as_fd(), to).unwrap_or(0)
    }
}
