//! The agent's side of a build, played: sources are unpacked, each phase is reported, nothing is run.

use std::fs::{self, File};
use std::io::{self, Cursor, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent::protocol::client::{self, Incoming, Link};
use agent::protocol::{
    ArtifactRequest, Context, FrameError, FromAgent, Job, OnFailure, Phase, PhaseJob, PhaseStatus, Report,
    SourceTarget, StopReason, ToAgent,
};
use bytes::Bytes;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::journal::{Asked, Journal, now};
use super::script::Script;
use crate::blocking::blocking;
use crate::{ContainerSpec, Exit};

/// Connects to the server, also where the folder's path is longer than a socket's may be: by its descriptor.
async fn connect(sockets: PathBuf) -> io::Result<UnixStream> {
    let folder = File::open(sockets)?;
    UnixStream::connect(format!("/proc/self/fd/{}/agent.sock", folder.as_raw_fd())).await
}

/// Plays a build to its end; what it unpacks goes below `folder`.
pub(super) async fn play(spec: &ContainerSpec, sockets: &Path, folder: PathBuf, journal: &Journal) -> Exit {
    let sockets = sockets.to_owned();
    let (link, mut incoming) = client::start(move || connect(sockets.clone()));
    let (stop, stopped) = watch::channel(None);
    let (mut job_taken, mut phases) = (false, None);
    let outer = Script::of(&spec.environment);
    loop {
        let message = tokio::select! {
            message = incoming.recv() => message,
            Some(exit) = killed(&mut phases) => return exit,
        };
        match message {
            None | Some(Incoming::Message(ToAgent::Finish)) => return Exit::code(0),
            Some(Incoming::Message(ToAgent::Job(job))) if !job_taken => {
                job_taken = true;
                if let Err(error) = journal.write(&spec.id, Asked::Job(job.build.clone())) {
                    tracing::error!(%error, container = spec.id, "the dummy cannot record a job");
                }
                link.has_job(&job.build);
                phases = Some(tokio::spawn(run(*job, outer.clone(), link.clone(), stopped.clone())));
            }
            Some(Incoming::Message(ToAgent::Stop { reason })) => {
                stop.send_replace(Some(reason));
            }
            Some(Incoming::Message(message)) => answer(&link, message, &folder).await,
            Some(Incoming::Disconnected) => {}
        }
    }
}

/// The end of the container, if its script says that a signal kills it in a phase.
async fn killed(phases: &mut Option<JoinHandle<Option<Exit>>>) -> Option<Exit> {
    let exit = phases.as_mut()?.await.unwrap_or(Some(Exit::vanished()));
    *phases = None;
    exit
}

/// Answers the server's questions.
async fn answer(link: &Link, message: ToAgent, folder: &Path) {
    match message {
        ToAgent::SourceChunk { target, offset, last, data } => {
            let (index, folder) = (target.index, folder.to_path_buf());
            let taken = blocking(move || take_source(&folder, &target, offset, last, &data)).await;
            match taken {
                Ok(false) => return,
                Ok(true) => link.source_unpacked(index),
                Err(_) => {}
            }
            let error = taken.err().map(|error| error.to_string());
            link.answer(FromAgent::SourceUnpacked { index, error }).await;
        }
        ToAgent::FileRequest { request, path, limit } => {
            let content = read(folder, &path, limit);
            let error = content.as_ref().err().map(|error| format!("stat {path}: {error}"));
            let data = Bytes::from(content.unwrap_or_default());
            link.answer(FromAgent::File { request, error, data }).await;
        }
        ToAgent::ArtifactRequest(request) => send_artifact(link, &request).await,
        ToAgent::Welcome { .. } | ToAgent::Ack { .. } | ToAgent::Job(_) | ToAgent::Stop { .. } | ToAgent::Finish => {}
    }
}

/// Adds a piece to a source's archive; unpacks the archive at the last one, and answers whether this was it.
fn take_source(folder: &Path, target: &SourceTarget, offset: u64, last: bool, data: &[u8]) -> io::Result<bool> {
    fs::create_dir_all(folder)?;
    let archive = folder.join(format!("source-{}", target.index));
    let mut file = File::options().append(true).create(true).open(&archive)?;
    file.set_len(offset)?;
    file.write_all(data)?;
    if last {
        let root = folder.join("root").join(target.path.trim_start_matches('/'));
        agent::archive::unpack_file(File::open(&archive)?, target.format, &root).map_err(io::Error::other)?;
    }
    Ok(last)
}

fn read(folder: &Path, path: &str, limit: u64) -> io::Result<Vec<u8>> {
    let file = folder.join("root").join(path.trim_start_matches('/'));
    if fs::metadata(&file)?.len() > limit {
        return Err(io::Error::other("the file is too large"));
    }
    fs::read(file)
}

/// One zip with one file that names what was asked for.
async fn send_artifact(link: &Link, request: &ArtifactRequest) {
    let number = request.request;
    let end = match pack(&request.files.join("\n")) {
        Ok(zip) => {
            let size = zip.len() as u64;
            link.answer(FromAgent::ArtifactChunk { request: number, offset: 0, data: zip.into() }).await;
            FromAgent::ArtifactEnd { request: number, files: 1, size, error: None }
        }
        Err(error) => {
            let error = Some(Context::new("CLIENT_ERROR", error.to_string()));
            FromAgent::ArtifactEnd { request: number, files: 0, size: 0, error }
        }
    };
    link.answer(end).await;
}

fn pack(text: &str) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("dummy.txt", zip::write::SimpleFileOptions::default())?;
    archive.write_all(text.as_bytes())?;
    Ok(archive.finish()?.into_inner())
}

/// Reports the job's phases; answers the container's end if its script says so.
async fn run(job: Job, outer: Script, link: Link, stopped: watch::Receiver<Option<StopReason>>) -> Option<Exit> {
    let inner = Script::of(&job.environment.0);
    let script = if inner == Script::default() { outer } else { inner };
    let reporter = Reporter { link, stopped, script };
    // A frame that is too long cannot come from here; if it did, the build's time would run out.
    reporter.run(&job).await.unwrap_or_default()
}

struct Reporter {
    link: Link,
    stopped: watch::Receiver<Option<StopReason>>,
    script: Script,
}

impl Reporter {
    async fn run(mut self, job: &Job) -> Result<Option<Exit>, FrameError> {
        let mut result = PhaseStatus::Succeeded;
        for phase in &job.phases {
            let status = match self.phase(phase).await? {
                Ok(status) => status,
                Err(exit) => return Ok(Some(exit)),
            };
            if result == PhaseStatus::Succeeded {
                result = status;
            }
            if ends(phase, status) {
                break;
            }
        }
        let variables = job.exported_variables.iter();
        let value = |name: &String| job.environment.0.get(name).cloned().unwrap_or_default();
        let variables = variables.map(|name| (name.clone(), value(name))).collect();
        self.link.report(Report::ExportedVariables { variables }).await?;
        if !job.expressions.is_empty() {
            let values = job.expressions.iter().cloned().map(Some).collect();
            self.link.report(Report::Expressions { values }).await?;
        }
        self.link.report(Report::Done { time: now(), status: result }).await?;
        Ok(None)
    }

    /// One phase; the error is the container's end in the midst of it.
    async fn phase(&mut self, job: &PhaseJob) -> Result<Result<PhaseStatus, Exit>, FrameError> {
        let phase = job.phase;
        self.link.report(Report::PhaseStarted { phase, time: now() }).await?;
        let mut status = PhaseStatus::Succeeded;
        if phase == Phase::Build {
            if !self.script.output.is_empty() {
                let data = Bytes::from(format!("{}\n", self.script.output));
                self.link.report(Report::LogLines { time: now(), data }).await?;
            }
            status = self.work().await;
            if let (Some(signal), PhaseStatus::Succeeded | PhaseStatus::Failed) = (self.script.kill, status) {
                return Ok(Err(Exit::signal(signal)));
            }
        }
        let failed = status == PhaseStatus::Failed;
        let context = if failed { self.failure(job) } else { Context::default() };
        let exit_code = failed.then_some(self.script.exit);
        self.link.report(Report::PhaseEnded { phase, time: now(), status, context, exit_code }).await?;
        Ok(Ok(status))
    }

    /// The script's time and exit code, or the server's word before that.
    async fn work(&mut self) -> PhaseStatus {
        let reason = tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(self.script.sleep_ms)) => None,
            Ok(reason) = self.stopped.wait_for(Option::is_some) => *reason,
        };
        match reason {
            Some(StopReason::Stopped) => PhaseStatus::Stopped,
            Some(StopReason::TimedOut) => PhaseStatus::TimedOut,
            None if self.script.exit != 0 => PhaseStatus::Failed,
            None => PhaseStatus::Succeeded,
        }
    }

    fn failure(&self, job: &PhaseJob) -> Context {
        let command = job.commands.first().map_or("", String::as_str);
        let code = self.script.exit;
        Context::new(
            "COMMAND_EXECUTION_ERROR",
            format!("Error while executing command: {command}. Reason: exit status {code}"),
        )
    }
}

/// Whether no later phase runs after one that ended so.
fn ends(phase: &PhaseJob, status: PhaseStatus) -> bool {
    match (status, phase.on_failure) {
        (PhaseStatus::Succeeded, _) => false,
        (PhaseStatus::Failed, OnFailure::Continue) => false,
        (PhaseStatus::Failed, OnFailure::Standard) => phase.phase != Phase::Build,
        _ => true,
    }
}
