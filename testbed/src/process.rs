//! Servers as processes: Landfall and moto, started, looked at from outside, and ended.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::client::{Client, Key};

/// How long a server may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server on a folder of its own; both end with it.
pub struct Server {
    child: Child,
    /// Asks it as its root user.
    pub client: Client,
    /// Its data folder is `data` in here, its log the file `log`.
    pub folder: TempDir,
}

impl Server {
    /// `program serve` with these arguments on an empty data folder below `place`, ready to answer.
    ///
    /// # Errors
    /// It did not start; its log is in the text.
    pub fn landfall(program: &Path, place: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix_in("landfall-bench-", place)?;
        let (child, authority) = spawn(program, folder.path(), arguments)?;
        let client = Client::new(&authority, root_key(&folder.path().join("data"))?);
        Ok(Self { child, client, folder })
    }

    /// Ends it as a service manager does and starts `program serve` with these arguments on the same data folder. Says how
    /// long it took from the start to the line that tells the port.
    ///
    /// # Errors
    /// It did not end or start; its log is in the text.
    pub fn restart(&mut self, program: &Path, arguments: &[&str]) -> anyhow::Result<Duration> {
        self.end()?;
        let begin = Instant::now();
        let (child, authority) = spawn(program, self.folder.path(), arguments)?;
        let started = begin.elapsed();
        self.client = Client::new(&authority, root_key(&self.data())?);
        self.child = child;
        Ok(started)
    }

    /// SIGTERM, and waits for the end; nothing where it has ended.
    ///
    /// # Errors
    /// It does not end for a minute; its log is in the text.
    pub fn end(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let told = Command::new("kill").arg(self.child.id().to_string()).status()?;
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if !told.success() || Instant::now() > deadline {
                bail!("the server does not end: {}", std::fs::read_to_string(self.folder.path().join("log"))?);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// moto's server, which may not answer yet.
    ///
    /// # Errors
    /// It did not start.
    pub fn moto(program: &Path, place: &Path) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix_in("moto-bench-", place)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let client = Client::new(&format!("127.0.0.1:{port}"), Key::any());
        Ok(Self { child, client, folder })
    }

    /// Asks who it is until it answers.
    ///
    /// # Errors
    /// It does not for a minute.
    pub async fn answer(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.client.connection().query("sts", "GetCallerIdentity", "2011-06-15", "").await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// CPU time that the process has used, in steps of 10 ms.
    ///
    /// # Errors
    /// The process is gone.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        cpu_of(&stat).context("no CPU time in /proc/PID/stat")
    }

    /// Bytes of memory that the process holds.
    ///
    /// # Errors
    /// The process is gone.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        memory_of(&status).context("no VmRSS in /proc/PID/status")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `program serve` on the folder `data` in `folder`, and where it listens. Its log is added to the file `log`.
fn spawn(program: &Path, folder: &Path, arguments: &[&str]) -> anyhow::Result<(Child, String)> {
    let log = folder.join("log");
    let mut child = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.join("data"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(File::options().create(true).append(true).open(&log)?)
        .spawn()
        .with_context(|| program.display().to_string())?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
    let Some(authority) = line.trim().strip_prefix("listening on http://") else {
        // What else it does nobody knows: it goes.
        let _ = child.kill();
        let _ = child.wait();
        bail!("landfall does not listen: {}", std::fs::read_to_string(log)?);
    };
    Ok((child, authority.to_owned()))
}

/// The clock ticks of Linux's /proc.
const TICK: Duration = Duration::from_millis(10);

fn cpu_of(stat: &str) -> Option<Duration> {
    // The name in brackets may hold anything; utime and stime are fields 14 and 15, the state behind the name is 3.
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Some(TICK * ticks.sum::<Result<u32, _>>().ok()?)
}

fn memory_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

pub(crate) fn root_key(data: &Path) -> anyhow::Result<Key> {
    let text = std::fs::read_to_string(data.join("root-credentials"))?;
    let value = |name: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        let found = pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned());
        found.with_context(|| format!("no {name} in root-credentials"))
    };
    Ok(Key { id: value("aws_access_key_id")?, secret: value("aws_secret_access_key")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_says_of_a_process() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 9 9 20 0 1 0 5 1 1";
        assert_eq!(cpu_of(stat), Some(Duration::from_secs(2)));
        assert_eq!(memory_of("Name:\tx\nVmRSS:\t   20 kB\n"), Some(20_480));
        assert_eq!(memory_of(""), None);
    }
}
