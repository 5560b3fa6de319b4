//! The demo's server: this program's own `serve` as a child.

use crate::client::{AccessKey, Client};
use crate::exit::user_error;
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The region of everything in the demo.
pub(super) const REGION: &str = "us-east-1";

/// A running server.
pub(super) struct Server {
    child: Child,
    folder: PathBuf,
    log: PathBuf,
    /// `http://127.0.0.1:PORT`.
    pub(super) endpoint: String,
}

impl Server {
    /// Starts `landfall serve` on an empty data folder and waits until it listens.
    pub(super) async fn start(folder: &Path, rust: &Path) -> anyhow::Result<Self> {
        let log = folder.join("server.log");
        let mut child = Command::new(std::env::current_exe()?)
            // What is said for the machine's own server is not meant here.
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"LANDFALL_")))
            .args([
                "serve",
                "--config",
                "/dev/null",
                "--listen",
                "127.0.0.1:0",
                "--auth",
                "open",
                "--engine",
                "sandbox",
            ])
            .args(["--region", REGION, "--image-map", "aws/codebuild/*=host", "--host-share"])
            .arg(rust)
            .arg("--data-dir")
            .arg(folder.join("data"))
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("the server's stdout")?).lines();
        let line = lines.next_line().await?.unwrap_or_default();
        let Some(endpoint) = line.strip_prefix("listening on ") else {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(user_error(format!("the server did not start:\n{}", said.trim())));
        };
        let endpoint = endpoint.trim().to_owned();
        Ok(Self { child, folder: folder.to_owned(), log, endpoint })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn client(&self) -> anyhow::Result<Client> {
        // With --auth open any key will do.
        Client::new(&self.endpoint, AccessKey::new("demo", "demo"), REGION, None)
    }

    /// `host:port`.
    pub(super) fn authority(&self) -> &str {
        self.endpoint.trim_start_matches("http://")
    }

    pub(super) fn clone_url(&self, repository: &str) -> String {
        format!("http://demo:demo@{}/v1/repos/{repository}", self.authority())
    }

    /// Ends the server and answers where its log is.
    pub(super) async fn stop(mut self) -> PathBuf {
        if let Some(pid) = self.child.id() {
            let _ = Command::new("kill").arg(pid.to_string()).status().await;
        }
        if tokio::time::timeout(Duration::from_secs(15), self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        self.log
    }
}
