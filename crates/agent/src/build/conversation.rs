//! Takes the server's messages and gives each to the one who can do it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::SOCKETS_VARIABLE;
use super::artifact;
use super::credentials::Credentials;
use super::docker::Daemon;
use super::phases::{self, Surroundings};
use super::sources::Sources;
use crate::git_credential;
use crate::names::Names;
use crate::process::Processes;
use crate::protocol::client::{Incoming, Link};
use crate::protocol::{CHUNK, FromAgent, Job, StopReason, ToAgent};

/// Longest file that is read for the server.
const MAX_FILE: u64 = 3 * CHUNK as u64;

/// One build's conversation.
pub(super) struct Conversation {
    link: Link,
    processes: Processes,
    credentials: Credentials,
    names: Names,
    docker: Option<Daemon>,
    sources: Sources,
    stop: watch::Sender<Option<StopReason>>,
    has_job: bool,
    artifact: Option<JoinHandle<()>>,
}

impl Conversation {
    pub(super) fn new(
        link: Link,
        processes: Processes,
        credentials: Credentials,
        names: Names,
        docker: Option<Daemon>,
    ) -> Self {
        Self {
            sources: Sources::new(link.clone()),
            link,
            processes,
            credentials,
            names,
            docker,
            stop: watch::Sender::new(None),
            has_job: false,
            artifact: None,
        }
    }

    /// Goes on until the server says that everything is done.
    pub(super) async fn hold(mut self, mut incoming: mpsc::Receiver<Incoming>) {
        while let Some(incoming) = incoming.recv().await {
            match incoming {
                Incoming::Message(ToAgent::Finish) => return,
                Incoming::Message(message) => self.take(message).await,
                Incoming::Disconnected => {
                    self.sources.abandon();
                    self.abandon_artifact();
                }
            }
        }
    }

    async fn take(&mut self, message: ToAgent) {
        match message {
            ToAgent::SourceChunk { target, offset, last, data } => {
                self.sources.piece(target, offset, last, data).await;
            }
            ToAgent::FileRequest { request, path, limit } => {
                self.link.answer(file(request, &path, limit)).await;
            }
            ToAgent::Job(job) => self.start(*job),
            ToAgent::Stop { reason } => drop(self.stop.send_replace(Some(reason))),
            ToAgent::ArtifactRequest(request) => {
                self.abandon_artifact();
                self.artifact = Some(tokio::spawn(artifact::send(self.link.clone(), request)));
            }
            ToAgent::Welcome { .. } | ToAgent::Ack { .. } | ToAgent::Finish => {}
        }
    }

    fn start(&mut self, mut job: Job) {
        if std::mem::replace(&mut self.has_job, true) {
            return;
        }
        self.link.has_job(&job.build);
        self.credentials.apply(&mut job.environment.0);
        let notes = self.names.apply(&mut job);
        if job.git_credentials
            && let Ok(agent) = std::env::current_exe()
        {
            git_credential::configure(&mut job.environment.0, &agent);
        }
        let surroundings = Surroundings {
            link: self.link.clone(),
            processes: self.processes.clone(),
            docker: self.docker.take(),
            stop: self.stop.subscribe(),
            inherited: inherited(),
            notes,
        };
        tokio::spawn(phases::run(surroundings, job));
    }

    fn abandon_artifact(&mut self) {
        if let Some(artifact) = self.artifact.take() {
            artifact.abort();
        }
    }
}

fn inherited() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name != SOCKETS_VARIABLE)
        .collect()
}

fn file(request: u64, path: &str, limit: u64) -> FromAgent {
    match read(path, limit.min(MAX_FILE)) {
        Ok(data) => FromAgent::File { request, error: None, data },
        Err(error) => FromAgent::File { request, error: Some(error), data: Bytes::new() },
    }
}

fn read(path: &str, limit: u64) -> Result<Bytes, String> {
    let said = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => format!("stat {path}: no such file or directory"),
        _ => format!("{path}: {error}"),
    };
    if !std::fs::metadata(path).map_err(said)?.is_file() {
        return Err(format!("{path}: not a regular file"));
    }
    let mut content = vec![];
    let file = std::fs::File::open(path).map_err(said)?;
    file.take(limit + 1).read_to_end(&mut content).map_err(said)?;
    if content.len() as u64 > limit {
        return Err(format!("{path}: longer than {limit} bytes"));
    }
    Ok(content.into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("buildspec.yml").display().to_string();
        assert_eq!(read(&path, 9).unwrap_err(), format!("stat {path}: no such file or directory"));
        std::fs::write(&path, "version: 0.2").unwrap();
        assert_eq!(read(&path, 12).unwrap(), "version: 0.2");
        assert_eq!(read(&path, 11).unwrap_err(), format!("{path}: longer than 11 bytes"));
        assert!(read("/dev/zero", 9).unwrap_err().contains("regular"));
    }
}
