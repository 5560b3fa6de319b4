//! One build of a folder, from its project to its end.

use super::artifacts;
use super::buildspec::Buildspec;
use super::call;
use super::follow::Tail;
use super::interrupts::{Interrupts, reached};
use super::screen::Screen;
use super::session::Session;
use crate::exit::{Interrupted, user_error};
use aws::codebuild::{BatchGetBuildsInput, Build, CreateProjectInput, StartBuildInput, StopBuildInput};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How often the log and the build are looked at: both are in this process.
const LOOK: Duration = Duration::from_millis(40);
/// A build that is to stop has this long for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the build's time is not bounded by the user, in minutes: as on AWS.
const USUAL_MINUTES: u64 = 60;
/// What CodeBuild takes as a time limit, in minutes.
const MINUTES: std::ops::RangeInclusive<u64> = 5..=2_160;
/// Any role will do: the services of a run are in open mode.
pub(super) const ROLE: &str = "arn:aws:iam::000000000000:role/run";

/// What is to be built, and how.
pub(super) struct Plan<'p> {
    pub(super) project: String,
    pub(super) image: String,
    pub(super) privileged: bool,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) buildspec: &'p Buildspec,
    pub(super) timeout: Option<Duration>,
}

/// How a build ended.
pub(super) struct Ended {
    pub(super) build: Build,
    /// Whether it was stopped for taking longer than the user allowed.
    pub(super) timed_out: bool,
}

impl Plan<'_> {
    /// The project that a run makes for its one build.
    fn project(&self) -> Value {
        let kept = self.buildspec.parsed.artifacts.as_ref();
        let primary = kept.is_some_and(|kept| !kept.primary.files.is_empty());
        let secondary = kept.into_iter().flat_map(|kept| kept.secondary.keys());
        json!({
            "name": self.project,
            "source": {
                "type": "CODECOMMIT",
                "location": format!("https://git-codecommit.us-east-1.amazonaws.com/v1/repos/{}", self.project),
                "buildspec": self.buildspec.member,
            },
            "artifacts": if primary { artifacts::primary() } else { json!({"type": "NO_ARTIFACTS"}) },
            "secondaryArtifacts": secondary.map(|identifier| artifacts::secondary(identifier)).collect::<Vec<_>>(),
            "environment": environment(&self.image, self.privileged),
            "serviceRole": ROLE,
            "timeoutInMinutes": minutes(self.timeout),
        })
    }

    fn start(&self) -> Value {
        let variables = self.environment.iter();
        let variables: Vec<_> = variables.map(|(name, value)| json!({"name": name, "value": value})).collect();
        json!({"projectName": self.project, "environmentVariablesOverride": variables})
    }
}

/// The project's environment. Its compute type is the largest, for the machine's owner is its only user.
pub(super) fn environment(image: &str, privileged: bool) -> Value {
    json!({
        "type": "LINUX_CONTAINER",
        "computeType": "BUILD_GENERAL1_2XLARGE",
        "image": image,
        "privilegedMode": privileged,
    })
}

/// The time limit as CodeBuild takes it; shorter ones are kept by the run itself.
fn minutes(timeout: Option<Duration>) -> u64 {
    timeout.map_or(USUAL_MINUTES, |time| time.as_secs().div_ceil(60)).clamp(*MINUTES.start(), *MINUTES.end())
}

/// Builds, and shows the log as it comes.
///
/// # Errors
/// The user's where CodeBuild refuses the start; [`Interrupted`]; ours.
pub(super) async fn run(
    session: &mut Session,
    plan: &Plan<'_>,
    screen: &mut Screen,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Ended> {
    let (codebuild, caller) = (session.services().codebuild.clone(), session.caller());
    let project: CreateProjectInput = serde_json::from_value(plan.project())?;
    call(codebuild.create_project(&caller, project).await)?;
    let start: StartBuildInput = serde_json::from_value(plan.start())?;
    let started = call(codebuild.start_build(&caller, start).await)?.build.unwrap_or_default();
    let mut run = Running::of(&started, plan.timeout);
    loop {
        let build = run.carry(session, screen, interrupts).await?;
        match next_try(&build).filter(|_| !run.timed_out) {
            Some(next) => run.follow_on(next),
            None => return Ok(Ended { build, timed_out: run.timed_out }),
        }
    }
}

/// The build that follows by itself, where the buildspec's `on-failure` says so.
fn next_try(build: &Build) -> Option<String> {
    let next = build.auto_retry_config.as_ref()?.next_auto_retry.as_deref()?;
    Some(next.rsplit_once("build/").map_or(next, |(_, id)| id).to_owned())
}

/// What a build is at that has not logged anything yet.
fn doing(build: &Build) -> Option<&'static str> {
    match build.current_phase.as_deref()? {
        "SUBMITTED" | "QUEUED" | "PROVISIONING" => Some("starting the container"),
        "DOWNLOAD_SOURCE" => Some("copying the source"),
        _ => None,
    }
}

/// A build on its way.
struct Running {
    id: String,
    tail: Option<Tail>,
    /// Whether there was something of the log to show.
    shown: bool,
    deadline: Option<Instant>,
    timed_out: bool,
    interrupted: bool,
}

impl Running {
    fn of(build: &Build, timeout: Option<Duration>) -> Self {
        let id = build.id.clone().unwrap_or_default();
        let deadline = timeout.map(|time| Instant::now() + time);
        Self { id, tail: None, shown: false, deadline, timed_out: false, interrupted: false }
    }

    fn follow_on(&mut self, id: String) {
        (self.id, self.tail) = (id, None);
    }

    /// Follows it to its end.
    async fn carry(
        &mut self,
        session: &mut Session,
        screen: &mut Screen,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<Build> {
        loop {
            let build = self.look(session).await?;
            if let Some(doing) = doing(&build).filter(|_| !self.shown) {
                screen.busy(doing);
            }
            let complete = build.build_complete == Some(true);
            self.show(session, &build, screen).await?;
            if complete && self.interrupted {
                return Err(Interrupted.into());
            }
            if complete {
                return Ok(build);
            }
            self.wait(session, screen, interrupts).await?;
        }
    }

    async fn look(&self, session: &Session) -> anyhow::Result<Build> {
        let input = BatchGetBuildsInput { ids: Some(vec![self.id.clone()]) };
        let found = call(session.services().codebuild.batch_get_builds(&session.caller(), input).await)?;
        found.builds.and_then(|builds| builds.into_iter().next()).ok_or_else(|| anyhow::anyhow!("{} is gone", self.id))
    }

    async fn show(&mut self, session: &Session, build: &Build, screen: &mut Screen) -> anyhow::Result<()> {
        if self.tail.is_none() {
            let place =
                build.logs.as_ref().and_then(|logs| Some((logs.group_name.as_ref()?, logs.stream_name.as_ref()?)));
            self.tail = place.filter(|(group, _)| !group.is_empty()).map(|(group, stream)| Tail::new(group, stream));
        }
        let Some(tail) = &mut self.tail else { return Ok(()) };
        let shown = &mut self.shown;
        let each = |event: &str| {
            *shown = true;
            screen.log(None, event)
        };
        tail.drain(&*session.services().logs, &session.caller(), each).await
    }

    /// Waits until it is worth to look again.
    async fn wait(
        &mut self,
        session: &mut Session,
        screen: &Screen,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<()> {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => Ok(()),
            () = interrupts.next() => {
                if self.interrupted {
                    return Err(Interrupted.into());
                }
                screen.say("stopping the build; Ctrl-C again does not wait for it");
                self.interrupted = true;
                self.stop(session).await
            }
            () = reached(self.deadline) => {
                if self.timed_out || self.interrupted {
                    return Err(user_error(format!("the build could not be stopped within {PATIENCE:?}")));
                }
                self.timed_out = true;
                self.stop(session).await
            }
            fault = session.broken() => Err(fault),
        }
    }

    async fn stop(&mut self, session: &Session) -> anyhow::Result<()> {
        self.deadline = Some(Instant::now() + PATIENCE);
        let input = StopBuildInput { id: Some(self.id.clone()) };
        call(session.services().codebuild.stop_build(&session.caller(), input).await).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codebuild_gets_a_time_limit_that_it_takes() {
        for (seconds, expected) in [(None, 60), (Some(30), 5), (Some(601), 11), (Some(10_000_000), 2_160)] {
            assert_eq!(minutes(seconds.map(Duration::from_secs)), expected, "{seconds:?}");
        }
    }

    #[test]
    fn a_build_that_is_tried_again_is_followed() {
        let arn = "arn:aws:codebuild:us-east-1:000000000000:build/app:01234567";
        let with = |next: Option<&str>| Build {
            auto_retry_config: serde_json::from_value(json!({"nextAutoRetry": next})).ok(),
            ..Build::default()
        };
        assert_eq!(next_try(&with(Some(arn))).as_deref(), Some("app:01234567"));
        assert_eq!(next_try(&with(None)), None);
        assert_eq!(next_try(&Build::default()), None);
    }
}
