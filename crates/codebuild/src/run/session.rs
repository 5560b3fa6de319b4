//! One build's container, its agent and its log, while this process holds them.

use std::sync::Arc;
use std::time::Duration;

use agent::protocol::server::Verdict;
use agent::protocol::{Hello, Report, ToAgent};
use aws::Error;
use kernel::{Caller, PrincipalError};

use super::credentials::RoleCredentials;
use super::ends::{End, Ends, Halt};
use super::link::Incoming;
use super::log::BuildLog;
use super::sockets::{Listening, Sockets};
use super::{Pause, Step};
use crate::Service;
use crate::model::{Build, Context, PhaseType, Status};
use crate::rules::log_lines::phase_complete;
use crate::rules::reports;

/// The most reports that are recorded in one commit.
const MOST_REPORTS: usize = 256;

/// So many bytes of log end a commit's reports.
const MOST_BYTES: usize = 256 * 1024;
/// How long an agent may take to exit.
const PARTING: Duration = Duration::from_secs(2);

/// What a step holds between PROVISIONING and FINALIZING.
pub(super) struct Session<'s> {
    pub(super) step: &'s mut Step,
    pub(super) ends: Ends,
    pub(super) sockets: Sockets,
    pub(super) log: BuildLog,
    pub(super) role: Caller,
    /// The agent's last greeting; absent until it connected to this process.
    pub(super) hello: Option<Hello>,
}

/// Carries a build from PROVISIONING, or from wherever it is, to FINALIZING.
pub(super) async fn run(step: &mut Step) -> Result<(), Pause> {
    let halted = match Session::open(step).await {
        Ok(mut session) => session.carry().await,
        Err(halt) => Err(halt),
    };
    match halted {
        Ok(()) => Ok(()),
        Err(Halt::Phase(status, context)) => Ok(step.record.advance(status, context).await?),
        Err(Halt::Paused(pause)) => Err(pause),
    }
}

impl<'s> Session<'s> {
    async fn open(step: &'s mut Step) -> Result<Self, Halt> {
        let build = step.record.build();
        let service = Arc::clone(step.record.service());
        let role = assume(&service, step).await?;
        let place = build.log.clone();
        let log = BuildLog::new(Arc::clone(&service.dependencies.logs), role.clone(), place, build.logged);
        let credentials =
            RoleCredentials::new(&service.dependencies, role.clone(), &build.plan.service_role, build.uuid());
        let sockets = Listening::open(&service, &build.container());
        let sockets =
            sockets.map_err(|error| Halt::Phase(Status::Fault, Context::internal(format!("no sockets: {error}"))))?;
        let sockets = sockets.serve(&service, &build.id, credentials);
        let mut ends = Ends::of(step);
        if build.life.current() > PhaseType::Provisioning {
            ends.watch(&service, build.container());
        }
        Ok(Self { step, ends, sockets, log, role, hello: None })
    }

    pub(super) fn build(&self) -> &Build {
        self.step.record.build()
    }

    pub(super) fn service(&self) -> &Arc<Service> {
        self.step.record.service()
    }

    async fn carry(&mut self) -> Result<(), Halt> {
        loop {
            let downloaded = self.build().life.phases.last().is_some_and(|phase| phase.status.is_some());
            let phase = self.build().life.current();
            let done = match phase {
                PhaseType::Provisioning => self.provision().await,
                PhaseType::DownloadSource if !downloaded => self.download().await,
                PhaseType::UploadArtifacts => self.upload().await,
                PhaseType::DownloadSource => self.run_job().await,
                command if command.is_command_phase() => self.run_job().await,
                _ => {
                    self.part().await;
                    return Ok(());
                }
            };
            if let Err(Halt::Phase(status, context)) = &done {
                // Not `phase`: the agent may have gone through some since.
                self.say_complete(self.build().life.current(), *status, context).await;
            }
            done?;
        }
    }

    /// Tells the agent that everything is done, and waits a moment for its exit: a container that has ended is removed
    /// much faster than one that runs.
    async fn part(&mut self) {
        if self.sockets.link.send(ToAgent::Finish).await {
            self.ends.gone(PARTING).await;
        }
    }

    /// What the agent says next, unless the build ends first. A greeting is kept; one for another build is a lie, for a
    /// container has one build only.
    pub(super) async fn hear(&mut self) -> Result<Incoming, End> {
        let recorded = self.build().inbox.recorded();
        let incoming = self.ends.unless(self.sockets.link.next(recorded)).await?;
        if let Incoming::Connected(hello) = &incoming {
            if hello.build.as_ref().is_some_and(|build| *build != self.build().id) {
                return Err(End::Foreign);
            }
            self.hello = Some(hello.clone());
        }
        Ok(incoming)
    }

    /// Waits for the agent's greeting, where it has not come yet.
    pub(super) async fn greeted(&mut self) -> Result<(), Halt> {
        while self.hello.is_none() {
            self.hear().await?;
        }
        Ok(())
    }

    /// Puts lines of our own into the build's log, with the next ones that are written.
    pub(super) fn say(&mut self, texts: &[impl AsRef<str>]) {
        self.log.hold(self.step.record.now(), texts);
    }

    /// Puts a line of our own into the build's log now, for those who wait. That the log cannot take it does not matter.
    pub(super) async fn say_now(&mut self, text: &str) {
        self.say(&[text]);
        self.write_held().await;
    }

    async fn write_held(&mut self) {
        if let Err(error) = self.log.append(vec![], self.step.record.now()).await {
            tracing::warn!(%error, "a build's log cannot be written");
        }
    }

    /// Says how a phase ended, and writes what is held. That the log cannot take it must not hide why.
    pub(super) async fn say_complete(&mut self, phase: PhaseType, status: Status, context: &Context) {
        self.say(&phase_complete(phase, status, context));
        self.write_held().await;
    }

    /// Records a report and those behind it that are there already: log lines first, then one commit, then the
    /// acknowledgement. Cut off in between, the lines are found in the log when the reports come again.
    pub(super) async fn record(&mut self, sequence: u64, report: Report, exportable: &[String]) -> Result<(), Halt> {
        let (mut size, mut batch) = (weight(&report), vec![(sequence, report)]);
        while batch.len() < MOST_REPORTS
            && size < MOST_BYTES
            && let Some((sequence, report)) = self.sockets.link.ready_report()
        {
            size += weight(&report);
            batch.push((sequence, report));
        }
        self.append_lines(&batch).await?;
        kernel::crash_point!("codebuild_after_log_lines");
        let logged = self.log.logged();
        let change = |build: &mut Build, now| {
            build.logged = logged;
            for (sequence, report) in &batch {
                // The same reports passed the same inbox in `append_lines`.
                let _ = reports::apply(build, *sequence, report, exportable, now);
            }
        };
        self.step.record.change(change).await?;
        kernel::crash_point!("codebuild_after_reports");
        let sequence = self.build().inbox.recorded();
        self.sockets.link.send(ToAgent::Ack { sequence }).await;
        Ok(())
    }

    async fn append_lines(&mut self, batch: &[(u64, Report)]) -> Result<(), Halt> {
        let mut inbox = self.build().inbox.clone();
        let mut new = vec![];
        for (sequence, report) in batch {
            let verdict = inbox.accept(*sequence, report);
            let verdict = verdict.map_err(|error| {
                Halt::Phase(Status::Fault, Context::internal(format!("the build's agent: {error}")))
            })?;
            if let (Verdict::New, Report::LogLines { time, data }) = (verdict, report) {
                let time = kernel::Timestamp::from_millis(i64::try_from(*time).unwrap_or(i64::MAX));
                new.push((time, data.clone()));
            }
        }
        let now = self.step.record.now();
        self.log.append(new, now).await.map_err(refused)
    }
}

/// How many bytes of log a report brings.
fn weight(report: &Report) -> usize {
    match report {
        Report::LogLines { data, .. } => data.len(),
        _ => 0,
    }
}

/// The project's service role, in a session of this build.
async fn assume(service: &Service, step: &Step) -> Result<Caller, Halt> {
    let build = step.record.build();
    let session = format!("AWSCodeBuild-{}", build.uuid());
    let role = &build.plan.service_role;
    let assumed =
        service.dependencies.principals.assume(step.record.scope(), role, "codebuild.amazonaws.com", &session).await;
    assumed.map_err(|error| match error {
        PrincipalError::Store(error) => Halt::from(error),
        other => {
            Halt::client_error(format!("CodeBuild is not authorized to perform: sts:AssumeRole on {role}: {other}"))
        }
    })
}

/// A sister service's refusal: ours where it says so, else the user's.
pub(super) fn refused(error: Error) -> Halt {
    if error.status >= 500 {
        return Halt::from(error);
    }
    Halt::client_error(error.to_string())
}
