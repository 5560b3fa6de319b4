//! The Docker daemon of a privileged build, started as CodeBuild's standard images do (their `dockerd-entrypoint.sh`):
//! on its usual socket and on port 2375 of loopback, its log in `/var/log/docker.log`. A buildspec that starts one by
//! itself, as AWS's documentation shows for custom images, finds this one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::process::{Processes, Running};

/// The argument of `landfall-agent build` that asks for a daemon.
pub const DOCKER: &str = "--docker";

const PROGRAM: &str = "dockerd";
const SOCKET: &str = "/var/run/docker.sock";
const LOG: &str = "/var/log/docker.log";
/// How long the daemon may take to answer, as in AWS's script.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// So much of the log's end is shown when the daemon does not come up.
const TAIL: usize = 2_000;

/// A daemon on its way.
#[derive(Debug, Clone)]
pub(super) struct Daemon(watch::Receiver<Option<Result<(), String>>>);

impl Daemon {
    /// Starts the daemon, where the image has one: without, `docker` finds none, as on AWS.
    pub(super) fn start(processes: &Processes) -> Option<Self> {
        let program = find(PROGRAM, &std::env::var_os("PATH").unwrap_or_default())?;
        let (told, state) = watch::channel(None);
        match launch(processes, &program, Path::new(LOG)) {
            Ok(running) => drop(tokio::spawn(async move {
                let answered = answers(running, Path::new(SOCKET), Path::new(LOG)).await;
                told.send_replace(Some(answered));
            })),
            Err(error) => drop(told.send_replace(Some(Err(format!("{}: {error}", program.display()))))),
        }
        Some(Self(state))
    }

    /// Waits until the daemon answers, at most a minute; the error says what became of it.
    pub(super) async fn ready(&mut self) -> Result<(), String> {
        match self.0.wait_for(Option::is_some).await {
            Ok(state) => state.clone().unwrap_or(Ok(())),
            Err(_) => Err("nobody waits for it any more".to_owned()),
        }
    }
}

fn find(program: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn launch(processes: &Processes, program: &Path, log: &Path) -> io::Result<Running> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let log = File::options().append(true).create(true).open(log)?;
    let mut command = Command::new(program);
    command
        .args(["--host", &format!("unix://{SOCKET}"), "--host", "tcp://127.0.0.1:2375", "--tls=false"])
        .args(["--storage-driver", "overlay2"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    processes.spawn(&mut command)
}

/// Waits for the first answer.
async fn answers(running: Running, socket: &Path, log: &Path) -> Result<(), String> {
    let answered = async {
        while !ping(socket).await {
            sleep(LOOK).await;
        }
    };
    let why = tokio::select! {
        answered = timeout(PATIENCE, answered) => match answered {
            Ok(()) => return Ok(()),
            Err(_) => format!("it did not answer within {} seconds", PATIENCE.as_secs()),
        },
        code = running.exit => format!("it ended with exit status {}", code.unwrap_or(-1)),
    };
    Err(format!("{why}; the end of {}:\n{}", log.display(), tail(log)))
}

/// Whether a daemon answers at this socket (Docker Engine API, `GET /_ping`).
async fn ping(socket: &Path) -> bool {
    let asked = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n").await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        io::Result::Ok(head.ends_with(b" 200"))
    };
    matches!(timeout(Duration::from_secs(1), asked).await, Ok(Ok(true)))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(TAIL)..]).into_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tokio::net::UnixListener;

    use super::*;
    use crate::process::Reap;

    #[test]
    fn a_program_is_found_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap();
        assert_eq!(find(PROGRAM, &path), None);
        std::fs::write(folder.path().join(PROGRAM), "").unwrap();
        assert_eq!(find(PROGRAM, &path), Some(folder.path().join(PROGRAM)));
    }

    #[tokio::test]
    async fn a_daemon_is_there_when_it_answers() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        assert!(!ping(&socket).await);
        let listener = UnixListener::bind(&socket).unwrap();
        let server = tokio::spawn(async move {
            for answer in ["HTTP/1.1 503 Starting\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nOK"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                let _ = stream.read(&mut [0; 200]).await;
            }
        });
        assert!(!ping(&socket).await);
        assert!(ping(&socket).await);
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_daemon_that_ends_is_told_of_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let (program, log) = (folder.path().join(PROGRAM), folder.path().join("log/docker.log"));
        std::fs::write(&program, "#!/bin/sh\necho no overlay here >&2\nexit 3\n").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let processes = Processes::start(Reap::Known).unwrap();
        let running = launch(&processes, &program, &log).unwrap();
        let error = answers(running, &folder.path().join("none"), &log).await.unwrap_err();
        assert!(error.contains("exit status 3") && error.contains("no overlay here"), "{error}");
    }
}
