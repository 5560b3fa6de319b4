//! What the machine itself needs for the same bytes: hashing, writing, copying. And the CPU time of a process with its
//! children.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ring::digest::{Context, SHA256};

const CHUNK: usize = 1 << 20;

/// A file of so many random bytes, which nothing can make smaller.
pub(crate) fn random_file(path: &Path, bytes: u64) -> anyhow::Result<()> {
    let mut random = File::open("/dev/urandom")?.take(bytes);
    io::copy(&mut random, &mut File::create(path)?)?;
    Ok(())
}

/// Reads a file and calls with each piece.
fn pieces(file: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let (mut file, mut buffer) = (File::open(file)?, vec![0; CHUNK]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            read => take(&buffer[..read])?,
        }
    }
}

/// SHA-256 of a file.
pub(crate) fn sha256(file: &Path) -> io::Result<Duration> {
    let (begin, mut hash) = (Instant::now(), Context::new(&SHA256));
    pieces(file, |piece| {
        hash.update(piece);
        Ok(())
    })?;
    hash.finish();
    Ok(begin.elapsed())
}

/// SHA-256 of a file while it is written to another, which is then made durable and removed.
pub(crate) fn sha256_write_sync(file: &Path, to: &Path) -> io::Result<Duration> {
    let (begin, mut hash, mut copy) = (Instant::now(), Context::new(&SHA256), File::create(to)?);
    pieces(file, |piece| {
        hash.update(piece);
        copy.write_all(piece)
    })?;
    copy.sync_all()?;
    hash.finish();
    let time = begin.elapsed();
    fs::remove_file(to)?;
    Ok(time)
}

/// A copy of a file, made durable and removed.
pub(crate) fn copy_sync(file: &Path, to: &Path) -> io::Result<Duration> {
    let begin = Instant::now();
    let mut copy = File::create(to)?;
    io::copy(&mut File::open(file)?, &mut copy)?;
    copy.sync_all()?;
    let time = begin.elapsed();
    fs::remove_file(to)?;
    Ok(time)
}

/// A file through a connection of this machine's with itself, to a reader that throws it away.
pub(crate) fn loopback(file: &Path) -> anyhow::Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let begin = Instant::now();
    std::thread::scope(|both| {
        let sender = both.spawn(move || -> io::Result<u64> {
            let (mut connection, _) = listener.accept()?;
            io::copy(&mut File::open(file)?, &mut connection)
        });
        let (mut connection, mut buffer, mut received) = (TcpStream::connect(address)?, vec![0; CHUNK], 0);
        loop {
            match connection.read(&mut buffer)? {
                0 => break,
                read => received += read as u64,
            }
        }
        let sent = sender.join().map_err(|_| anyhow::anyhow!("the sender failed"))??;
        ensure!(sent == received, "{received} bytes of {sent} came through");
        Ok(begin.elapsed())
    })
}

/// CPU time of a process and of its children that have ended, in steps of 10 ms.
pub(crate) fn cpu_with_children(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
    // utime, stime, cutime and cstime are fields 14 to 17; the state behind the name is 3.
    let ticks: Result<Vec<u32>, _> = rest.split_whitespace().skip(11).take(4).map(str::parse).collect();
    Ok(Duration::from_millis(10) * ticks?.iter().sum::<u32>())
}

/// A command that must succeed, with what it said where it does not; its output.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{:?}", command.get_program()))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{:?}: {}", command.get_program(), words.trim());
    Ok(output.stdout)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_their_ways() {
        let folder = tempfile::tempdir().unwrap();
        let (file, to) = (folder.path().join("file"), folder.path().join("copy"));
        random_file(&file, 3_000_000).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 3_000_000);
        for time in [sha256(&file), sha256_write_sync(&file, &to), copy_sync(&file, &to)] {
            assert!(time.unwrap() > Duration::ZERO);
        }
        assert!(loopback(&file).unwrap() > Duration::ZERO && !to.exists());
    }

    #[test]
    fn the_cpu_time_of_ended_children_counts() {
        let before = cpu_with_children(std::process::id()).unwrap();
        run(Command::new("sh").args(["-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"])).unwrap();
        assert!(cpu_with_children(std::process::id()).unwrap() > before);
        assert!(run(Command::new("sh").args(["-c", "echo no >&2; exit 3"])).unwrap_err().to_string().contains("no"));
    }
}
