use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use agent::shim::{Bundle, Report};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// After this time a start that has not answered is given up; runtimes need a twentieth of a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the bundle's shim and waits until it has started the container; the error is the reason in words.
pub(super) async fn launch(agent: &Path, bundle: &Bundle) -> Result<(), String> {
    let mut shim = spawn(agent, bundle).map_err(|error| format!("{}: {error}", agent.display()))?;
    let answer = match shim.stdout.take() {
        Some(answer) => tokio::time::timeout(PATIENCE, report(answer)).await,
        None => Ok(None),
    };
    match answer {
        Ok(Some(Report::Started { .. })) => {
            reap(shim);
            Ok(())
        }
        Ok(Some(Report::Failed { reason })) => fail(shim, reason).await,
        Ok(None) => fail(shim, last_words(bundle)).await,
        Err(_) => fail(shim, format!("no answer within {} s", PATIENCE.as_secs())).await,
    }
}

/// The shim holds the write end of the bundle's pipe as its standard input from its first moment on.
fn spawn(agent: &Path, bundle: &Bundle) -> std::io::Result<Child> {
    let alive = File::options().read(true).write(true).open(bundle.alive())?;
    let words = OpenOptions::new().append(true).create(true).mode(0o600).open(bundle.shim_log())?;
    Command::new(agent)
        .arg("shim")
        .arg("--bundle")
        .arg(bundle.path())
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/")
        .stdin(alive)
        .stdout(Stdio::piped())
        .stderr(words)
        .spawn()
}

/// The shim's one line, or nothing if it died before.
async fn report(answer: ChildStdout) -> Option<Report> {
    let mut line = Vec::new();
    BufReader::new(answer).take(64 * 1024).read_to_end(&mut line).await.ok()?;
    serde_json::from_slice(&line).ok()
}

fn last_words(bundle: &Bundle) -> String {
    let words = std::fs::read_to_string(bundle.shim_log()).unwrap_or_default();
    format!("its shim died at the start. {}", words.trim())
}

async fn fail(mut shim: Child, reason: String) -> Result<(), String> {
    // It has said its last word or will never say it; its end is what matters.
    let _ = shim.kill().await;
    Err(reason)
}

/// The shim outlives this process; while this process lives, it takes the shim's exit status off the kernel.
fn reap(mut shim: Child) {
    tokio::spawn(async move {
        let _ = shim.wait().await;
    });
}
