//! What a container writes to its standard output and error, on its way to the bundle's file.
//!
//! The container writes into a pipe, never into the file itself: root in a container could open that again by
//! `/proc/1/fd/1`, and then fill the machine's disk past its limit, or make it a setuid program.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

const CHUNK: usize = 64 * 1024;

/// A thread that writes down what comes through the container's pipe.
pub(super) struct Collector {
    thread: JoinHandle<io::Result<()>>,
    /// Closed when nothing more can come.
    over: PipeWriter,
}

impl Collector {
    /// Begins to write into `file` what comes through the pipe that is answered, up to `limit` bytes. What is more is thrown
    /// away, after a call of `exceeded`.
    pub(super) fn start(
        file: File,
        limit: Option<u64>,
        exceeded: impl FnOnce(&mut File) + Send + 'static,
    ) -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let (until, over) = io::pipe()?;
        let left = limit.unwrap_or(u64::MAX);
        let thread = thread::Builder::new().spawn(move || collect(reader, &until, file, left, exceeded))?;
        Ok((Self { thread, over }, writer))
    }

    /// Waits until all is written down that is in the pipe when the container has ended. What comes later is not waited for:
    /// a container may have sent the pipe to a process that lives on, and writes for ever.
    pub(super) fn finish(self) -> io::Result<()> {
        drop(self.over);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the output's collector failed")))
    }
}

fn collect(
    mut reader: PipeReader,
    until: &PipeReader,
    mut file: File,
    mut left: u64,
    exceeded: impl FnOnce(&mut File),
) -> io::Result<()> {
    let (mut buffer, mut exceeded) = (vec![0; CHUNK], Some(exceeded));
    // An error is told at the end: a pipe that nobody reads would stop the container.
    let mut written = Ok(());
    // Once the container has ended: how much of what it left is still to be read, in bytes.
    let mut rest = None;
    loop {
        if rest.is_none() && wait(&reader, until)? {
            rest = Some(rustix::io::ioctl_fionread(&reader)?);
        }
        let most = rest.map_or(CHUNK, |rest| CHUNK.min(usize::try_from(rest).unwrap_or(CHUNK)));
        if most == 0 {
            break;
        }
        let read = match reader.read(&mut buffer[..most]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        rest = rest.map(|rest| rest - read as u64);
        let kept = read.min(usize::try_from(left).unwrap_or(usize::MAX));
        left -= kept as u64;
        if written.is_ok() {
            written = file.write_all(&buffer[..kept]);
        }
        if kept < read
            && let Some(exceeded) = exceeded.take()
        {
            exceeded(&mut file);
        }
    }
    written
}

/// Waits for output, or the container's end; whether that has come.
fn wait(reader: &PipeReader, until: &PipeReader) -> io::Result<bool> {
    let on = |pipe| PollFd::new(pipe, PollFlags::POLLIN);
    let mut pipes = [on(reader.as_fd()), on(until.as_fd())];
    loop {
        match poll(&mut pipes, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => {}
            polled => {
                polled?;
                return Ok(pipes[1].any().unwrap_or(true));
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// What is kept of three writes, and how often there was too much.
    fn kept(limit: Option<u64>, held_open: bool) -> (String, u32) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let times = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&times);
        let exceeded = move |file: &mut File| {
            counted.fetch_add(1, Ordering::Relaxed);
            file.write_all(b"!").unwrap();
        };
        let (collector, mut writer) = Collector::start(file.reopen().unwrap(), limit, exceeded).unwrap();
        for text in ["one", "two", "three"] {
            writer.write_all(text.as_bytes()).unwrap();
        }
        let held = held_open.then_some(writer);
        collector.finish().unwrap();
        drop(held);
        (fs::read_to_string(file.path()).unwrap(), times.load(Ordering::Relaxed))
    }

    #[test]
    fn all_is_written_down_also_where_the_pipe_stays_open() {
        for held_open in [false, true] {
            assert_eq!(kept(None, held_open), ("onetwothree".to_owned(), 0));
        }
    }

    #[test]
    fn a_process_that_lives_on_and_writes_for_ever_is_not_waited_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (collector, mut writer) = Collector::start(file.reopen().unwrap(), None, |_| ()).unwrap();
        let over = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&over);
        let writing = thread::spawn(move || {
            writer.write_all(b"first").unwrap();
            while seen.load(Ordering::Relaxed) == 0 {
                // Once nobody reads, this fails.
                let _ = writer.write_all(&[b'x'; 4_096]);
            }
        });
        collector.finish().unwrap();
        over.store(1, Ordering::Relaxed);
        writing.join().unwrap();
        assert!(fs::read(file.path()).unwrap().len() < 64 * 1024 * 1024);
    }

    #[test]
    fn what_is_too_much_is_thrown_away_and_told_once() {
        assert_eq!(kept(Some(4), true), ("onet!".to_owned(), 1));
        assert_eq!(kept(Some(11), false), ("onetwothree".to_owned(), 0));
    }
}
