//! A server that is killed and started again, on the same folder and port.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::client::Client;
use crate::process::root_key;

/// How much of the log is told of a server that does not start, in bytes.
const TOLD: u64 = 4_096;

/// `landfall serve` on a data folder that outlives it.
pub struct Kept {
    program: PathBuf,
    /// Its data folder.
    pub data: PathBuf,
    /// What it wrote to standard error, over all its lives.
    pub log: PathBuf,
    /// `HOST:PORT`, the same in all its lives.
    pub authority: String,
    child: Option<Child>,
}

impl Kept {
    /// A server that does not run yet, with `data` and `log` in `folder`.
    ///
    /// # Errors
    /// No port is free.
    pub fn new(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (data, log) = (folder.join("data"), folder.join("server.log"));
        Ok(Self { program: program.to_owned(), data, log, authority: format!("127.0.0.1:{port}"), child: None })
    }

    /// Starts it and waits until it listens; blocks that long.
    ///
    /// # Errors
    /// It ended instead: the end of its log is in the text.
    pub fn start(&mut self, arguments: &[&str]) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut child = Command::new(&self.program)
            .args(["serve", "--listen", &self.authority, "--data-dir"])
            .arg(&self.data)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| self.program.display().to_string())?;
        let stdout = child.stdout.take().context("no stdout")?;
        self.child = Some(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() != format!("listening on http://{}", self.authority) {
            bail!("the server does not listen; the end of its log:\n{}", self.tail()?);
        }
        Ok(())
    }

    /// Asks it as its root user.
    ///
    /// # Errors
    /// It was never started.
    pub fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.authority, root_key(&self.data)?))
    }

    /// Its process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// SIGKILL; it is gone when this returns.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Waits for its end, which a signal has asked for; nothing if it is not over within `longest`. Blocks that long.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn wait(&mut self, longest: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let deadline = Instant::now() + longest;
        loop {
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The end of its log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn tail(&self) -> anyhow::Result<String> {
        let mut log = File::open(&self.log)?;
        let end = log.metadata()?.len();
        log.seek(SeekFrom::Start(end.saturating_sub(TOLD)))?;
        let mut text = Vec::new();
        log.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
