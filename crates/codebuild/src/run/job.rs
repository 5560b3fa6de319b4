//! INSTALL to POST_BUILD: the agent runs the phases, its reports are recorded.

use std::time::Duration;

use agent::protocol::{FromAgent, StopReason, ToAgent};
use kernel::Timestamp;

use super::credentials;
use super::download::parse;
use super::ends::{End, Halt};
use super::link::Incoming;
use super::session::Session;
use crate::model::PhaseType;
use crate::rules::buildspec::Buildspec;
use crate::rules::environment::{self, Provided};
use crate::rules::job::{Surroundings, job};
use crate::rules::{arns, sources, timeouts, uploads};

/// Where the listener is reached inside of a build.
pub(super) const ENDPOINT: &str = "http://127.0.0.1:4566";
/// How long a stopped build may take to say how it ended; then its container is removed.
const GRACE: Duration = Duration::from_secs(15);

/// A build that was told to stop.
struct Stopping {
    reason: StopReason,
    until: Timestamp,
}

impl Session<'_> {
    /// Sends the job, unless the agent has it, and records what it reports until no command runs any more.
    pub(super) async fn run_job(&mut self) -> Result<(), Halt> {
        let buildspec = self.parsed_buildspec().await?;
        let exportable = environment::exportable(&buildspec.env, self.variables());
        if self.hello.is_some() {
            self.send_job(&buildspec).await?;
        }
        let mut stopping: Option<Stopping> = None;
        while self.is_in_commands() {
            let incoming = match &stopping {
                Some(stopping) => self.hear_until(stopping).await?,
                None => self.hear().await,
            };
            match incoming {
                Ok(Incoming::Connected(_)) => {
                    self.send_job(&buildspec).await?;
                    if let Some(Stopping { reason, .. }) = stopping {
                        self.sockets.link.send(ToAgent::Stop { reason }).await;
                    }
                }
                Ok(Incoming::Message(FromAgent::Report { sequence, report })) => {
                    self.record(sequence, report, &exportable).await?;
                }
                Ok(Incoming::Message(_)) => {}
                Err(end) => stopping = Some(self.stop_job(end).await?),
            }
        }
        Ok(())
    }

    fn is_in_commands(&self) -> bool {
        let phase = self.build().life.current();
        phase == PhaseType::DownloadSource || phase.is_command_phase()
    }

    /// The buildspec that DOWNLOAD_SOURCE found.
    pub(super) async fn parsed_buildspec(&mut self) -> Result<Buildspec, Halt> {
        let text = self.service().read_text(self.build().buildspec.as_ref()).await?;
        parse(&text.unwrap_or_default())
    }

    fn variables(&self) -> &[aws::codebuild::EnvironmentVariable] {
        self.build().plan.environment.environment_variables.as_deref().unwrap_or_default()
    }

    /// Tells the agent to end the running commands; it reports how the phase ended.
    async fn stop_job(&mut self, end: End) -> Result<Stopping, Halt> {
        let reason = match end {
            End::Stopped => StopReason::Stopped,
            End::TimedOut => StopReason::TimedOut,
            other => return Err(other.into()),
        };
        self.sockets.link.send(ToAgent::Stop { reason }).await;
        Ok(Stopping { reason, until: self.step.record.now() + GRACE })
    }

    /// As [`Session::hear`], but no longer than a stopping build may take.
    async fn hear_until(&mut self, stopping: &Stopping) -> Result<Result<Incoming, End>, Halt> {
        let clock = std::sync::Arc::clone(&self.service().dependencies.clock);
        tokio::select! {
            biased;
            incoming = self.hear() => Ok(incoming),
            () = clock.sleep_until(stopping.until) => Err(match stopping.reason {
                StopReason::Stopped => End::Stopped.into(),
                StopReason::TimedOut => End::TimedOut.into(),
            }),
        }
    }

    async fn send_job(&mut self, buildspec: &Buildspec) -> Result<(), Halt> {
        if self.hello.as_ref().is_some_and(|hello| hello.build.is_some()) {
            return Ok(());
        }
        let sources = self.sources()?;
        let planned = uploads::planned(self.build(), buildspec).unwrap_or_default();
        let surroundings = Surroundings {
            build: self.build().id.clone(),
            directory: sources[0].directory.clone(),
            environment: self.environment(buildspec, &sources),
            exported_variables: environment::exportable(&buildspec.env, self.variables()),
            expressions: planned.iter().filter_map(|planned| planned.expression()).map(str::to_owned).collect(),
            runtimes: self.build().runtimes.clone(),
            timeout_ms: self.time_left(),
        };
        self.sockets.link.send(ToAgent::Job(Box::new(job(buildspec, surroundings)))).await;
        kernel::crash_point!("codebuild_after_job");
        Ok(())
    }

    fn time_left(&self) -> u64 {
        let (clock, now) = (&self.service().dependencies.clock, self.step.record.now());
        let deadline = timeouts::deadline(self.build(), |read| clock.carried(read));
        let left = deadline.map_or(Duration::ZERO, |deadline| deadline.since(now));
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    /// The variables of the build's commands.
    pub(super) fn environment(
        &self,
        buildspec: &Buildspec,
        sources: &[sources::Source],
    ) -> std::collections::BTreeMap<String, String> {
        let (build, scope) = (self.build(), self.step.record.scope());
        let url = &self.service().dependencies.options.public_url;
        let provided = Provided {
            build_id: build.id.clone(),
            build_arn: arns::build(scope, &build.id),
            project_arn: arns::project(scope, &build.project),
            number: build.number,
            image: build.plan.environment.image.clone().unwrap_or_default(),
            initiator: build.initiator.clone(),
            kms_key: build.plan.encryption_key.clone(),
            log_path: build.log.as_ref().map_or_else(|| build.uuid().to_owned(), |log| log.stream.clone()),
            region: scope.region.clone(),
            start_millis: build.started().millis(),
            url: format!("{url}/_landfall/codebuild/{}/builds/{}", build.project, build.id),
            resolved_source_version: build.resolved_source_version.clone(),
            sources: sources::variables(sources),
            endpoint: ENDPOINT.to_owned(),
        };
        let mut variables = environment::environment(&buildspec.env, self.variables(), &provided);
        let credentials = credentials::path(build.uuid());
        variables.insert("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI".to_owned(), credentials);
        variables
    }
}
