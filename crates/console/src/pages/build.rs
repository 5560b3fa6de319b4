//! A build: its phases, and its log as it is written.

use std::time::Duration;

use askama::Template;
use async_trait::async_trait;
use aws::Error;
use aws::EventStream;
use aws::codebuild::{Build as Shape, BuildPhase, EnvironmentVariable, RetryBuildInput, StopBuildInput};
use aws::logs::{LiveTailSessionUpdate, StartLiveTailInput, StartLiveTailResponseStream};
use futures::StreamExt as _;
use kernel::{Event, Scope, Timestamp};
use tokio::sync::Mutex;

use super::log::{self, From, LogPlace};
use super::{Added, Failure, Growth, Part, Section, Subject};
use crate::rules::ansi::Style;
use crate::rules::link;
use crate::rules::mark::{Mark, words};
use crate::rules::moment::{Elapsed, Moment, span};
use crate::rules::revision::Revision;
use crate::rules::route::Deed;
use crate::service::{Service, Visit};
use crate::view::board::who;

/// Lines of the log that the page has at first, and that one message adds.
const LINES: i32 = 500;
/// How often a log is looked at while its build runs and nothing tells that it grew.
const LOOK: Duration = Duration::from_millis(500);

/// One build, and how far its log was read.
pub(super) struct Build {
    id: String,
    /// Whether the page is open and follows.
    follows: bool,
    place: Option<LogPlace>,
    token: Option<String>,
    style: Style,
    complete: bool,
    /// Whether there may be more than was read.
    behind: bool,
    /// Rings when the log grows; begun before the first reading, so that nothing falls between.
    bell: Mutex<Option<EventStream<StartLiveTailResponseStream>>>,
}

#[derive(Template)]
#[template(path = "build_head.html")]
struct Head<'v> {
    address: String,
    form_token: &'v str,
    title: String,
    project: String,
    project_address: String,
    mark: Mark,
    complete: bool,
    phases: Vec<Phase>,
}

#[derive(Template)]
#[template(path = "build_facts.html")]
struct Facts {
    facts: Vec<Fact>,
    revision: Option<Revision>,
    started: Option<Moment>,
    took: Option<Elapsed>,
    /// The pipeline that started it.
    pipeline: Option<Fact>,
    /// Environment and exported variables.
    variables: Vec<Fact>,
    exported: Vec<Fact>,
}

/// A name with a value.
#[derive(Debug, PartialEq, Eq)]
struct Fact {
    name: String,
    value: String,
}

/// One phase.
#[derive(Debug, PartialEq, Eq)]
struct Phase {
    name: String,
    mark: Mark,
    took: Option<Elapsed>,
    problem: String,
}

#[derive(Template)]
#[template(path = "build_log.html")]
struct Log {
    address: String,
    lines: String,
    earlier: Option<String>,
}

impl Build {
    pub(super) fn new(id: String, visit: &Visit) -> Self {
        let position = visit.follow.clone().flatten().or_else(|| visit.query.get("from"));
        let (token, style) = position.as_deref().and_then(|position| position.rsplit_once('~')).unzip();
        Self {
            id,
            follows: visit.follow.is_some(),
            place: None,
            token: token.map(str::to_owned),
            style: style.map(Style::parse).unwrap_or_default(),
            complete: false,
            behind: true,
            bell: Mutex::new(None),
        }
    }

    async fn log(&mut self, service: &Service, visit: &Visit) -> Result<Part, Failure> {
        let address = link::build(&visit.region, &self.id);
        let mut log = Log { lines: String::new(), earlier: None, address };
        if let Some(place) = &self.place {
            let lines = log::read(service, visit, place, From::Tail, LINES).await?;
            log.lines = log::html(&mut self.style, &lines.events);
            let before = lines.backward.filter(|_| lines.events.len() >= usize::try_from(LINES).unwrap_or(0));
            log.earlier = before.map(|token| format!("{}/log?at={}", log.address, link::encode(&token)));
            self.token = lines.forward;
        }
        Part::new("log-part", &log)
    }
}

#[async_trait]
impl Subject for Build {
    fn title(&self) -> String {
        self.id.clone()
    }

    fn section(&self) -> Section {
        Section::Builds
    }

    fn position(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("{token}~{}", self.style.code()))
    }

    fn concerns(&self, event: &Event) -> bool {
        let id = event.detail["build-id"].as_str().unwrap_or_default();
        event.source == "aws.codebuild" && id.ends_with(&format!("build/{}", self.id))
    }

    async fn parts(&mut self, service: &Service, visit: &Visit, _: &[Event]) -> Result<Vec<Part>, Failure> {
        let build = log::build(service, visit, &self.id).await?;
        self.place = LogPlace::of(&build);
        self.complete = build.build_complete.unwrap_or(false);
        let mut parts = vec![Part::new("build", &head(visit, &build))?];
        if !self.follows {
            parts.push(self.log(service, visit).await?);
        }
        parts.push(Part::new("facts", &facts(visit, build))?);
        Ok(parts)
    }

    async fn grows(&self, service: &Service, _: &Visit) -> Growth {
        if self.place.is_some() && self.behind {
            return Growth::Added;
        }
        if self.complete {
            return std::future::pending().await;
        }
        let mut bell = self.bell.lock().await;
        let rang = match &mut *bell {
            Some(events) => rings(events).await,
            None => false,
        };
        if !rang {
            // It ended, or there is none: the log is looked at in a rhythm.
            *bell = None;
            service.clock.sleep_until(service.clock.now() + LOOK).await;
        }
        Growth::Added
    }

    async fn added(&mut self, service: &Service, visit: &Visit) -> Result<Option<Added>, Failure> {
        let Some(place) = &self.place else { return Ok(None) };
        let bell = self.bell.get_mut();
        if bell.is_none() && !self.complete {
            *bell = hang(service, visit, place).await;
        }
        let from = self.token.as_deref().map_or(From::Head, From::Token);
        let lines = log::read(service, visit, place, from, LINES).await?;
        self.behind = !lines.events.is_empty();
        self.token = lines.forward.or(self.token.take());
        let html = log::html(&mut self.style, &lines.events);
        Ok(self.position().filter(|_| !html.is_empty()).map(|position| Added { position, html }))
    }
}

/// StartLiveTail on the build's stream. Who may not do that follows all the same, only later.
async fn hang(service: &Service, visit: &Visit, place: &LogPlace) -> Option<EventStream<StartLiveTailResponseStream>> {
    let Scope { account, region } = visit.scope();
    let group = format!("arn:{}:logs:{region}:{account}:log-group:{}", visit.caller.partition, place.group);
    let input = StartLiveTailInput {
        log_group_identifiers: Some(vec![group]),
        log_stream_names: Some(vec![place.stream.clone()]),
        ..StartLiveTailInput::default()
    };
    service.logs.start_live_tail(&visit.caller, input).await.ok()
}

/// Waits until the log grew; false where that is not told any more.
async fn rings(events: &mut EventStream<StartLiveTailResponseStream>) -> bool {
    while let Some(Ok(event)) = events.next().await {
        let grew = |update: LiveTailSessionUpdate| update.session_results.is_some_and(|lines| !lines.is_empty());
        if event.session_update.is_some_and(grew) {
            return true;
        }
    }
    false
}

fn head<'v>(visit: &'v Visit, build: &Shape) -> Head<'v> {
    let (id, project) = (text(&build.id), text(&build.project_name));
    let number = build.build_number.map(|number| number.to_string()).unwrap_or_default();
    Head {
        address: link::build(&visit.region, &id),
        form_token: &visit.form_token,
        title: format!("#{number}"),
        project_address: link::project(&visit.region, &project),
        project,
        mark: Mark::of(build.build_status.as_deref().unwrap_or_default()),
        complete: build.build_complete.unwrap_or(false),
        phases: build.phases.iter().flatten().map(|phase| self::phase(visit.now, phase)).collect(),
    }
}

fn facts(visit: &Visit, build: Shape) -> Facts {
    let exported = build.exported_environment_variables.iter().flatten();
    Facts {
        revision: revision(&build),
        started: build.start_time.map(|time| Moment::new(visit.now, time)),
        took: build.start_time.map(|start| Elapsed::new(visit.now, start, build.end_time)),
        pipeline: build.initiator.as_deref().and_then(|initiator| pipeline(&visit.region, initiator)),
        facts: given(&build),
        exported: exported.map(|one| Fact { name: text(&one.name), value: text(&one.value) }).collect(),
        variables: variables(build.environment.and_then(|environment| environment.environment_variables)),
    }
}

fn text(member: &Option<String>) -> String {
    member.clone().unwrap_or_default()
}

fn revision(build: &Shape) -> Option<Revision> {
    let version = build.resolved_source_version.as_deref().or(build.source_version.as_deref())?;
    Some(Revision::new(version, None, None))
}

fn pipeline(region: &str, initiator: &str) -> Option<Fact> {
    let name = initiator.strip_prefix("codepipeline/")?;
    Some(Fact { name: name.to_owned(), value: link::pipeline(region, name) })
}

/// What is known beside status and times.
fn given(build: &Shape) -> Vec<Fact> {
    let source = build.source.as_ref();
    let environment = build.environment.as_ref();
    let known = [
        ("Started by", build.initiator.clone().filter(|initiator| !initiator.starts_with("codepipeline/"))),
        ("Source", source.and_then(|source| source.location.clone().or_else(|| source.type_.clone()))),
        ("Image", environment.and_then(|environment| environment.image.clone())),
        ("Compute", environment.and_then(|environment| environment.compute_type.clone())),
        ("Timeout", build.timeout_in_minutes.map(|minutes| format!("{minutes} min"))),
        ("Service role", build.service_role.as_deref().map(who)),
        ("Artifacts", build.artifacts.as_ref().and_then(|artifacts| artifacts.location.clone())),
    ];
    let fact = |(name, value): (&str, Option<String>)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(Fact { name: name.to_owned(), value })
    };
    known.into_iter().filter_map(fact).collect()
}

/// References to secrets are shown as what they are: references.
fn variables(variables: Option<Vec<EnvironmentVariable>>) -> Vec<Fact> {
    let variable = |variable: EnvironmentVariable| {
        let value = variable.value.unwrap_or_default();
        let value = match variable.type_.as_deref() {
            None | Some("PLAINTEXT") => value,
            Some(kind) => format!("{}: {value}", words(kind)),
        };
        Fact { name: variable.name.unwrap_or_default(), value }
    };
    variables.unwrap_or_default().into_iter().map(variable).collect()
}

fn phase(now: Timestamp, phase: &BuildPhase) -> Phase {
    let name = phase.phase_type.as_deref().unwrap_or_default();
    let status = phase.phase_status.as_deref();
    let mark = match (name, status) {
        ("COMPLETED", _) => Mark { shape: "ok", text: "Done".to_owned() },
        ("QUEUED", None) => Mark::of("QUEUED"),
        (_, status) => Mark::of(status.unwrap_or("IN_PROGRESS")),
    };
    let contexts = phase.contexts.iter().flatten();
    let messages: Vec<&str> =
        contexts.filter_map(|context| context.message.as_deref()).filter(|text| !text.is_empty()).collect();
    let took = phase.start_time.filter(|_| name != "COMPLETED").map(|start| match phase.duration_in_seconds {
        Some(seconds) => Elapsed { since: None, text: span(Duration::from_secs(seconds.unsigned_abs())) },
        None => Elapsed::new(now, start, phase.end_time),
    });
    Phase { name: words(name), mark, took, problem: messages.join("; ") }
}

/// Stops the build, or starts it again.
pub(super) async fn act(service: &Service, visit: &Visit, id: &str, deed: Deed) -> Result<Option<String>, Error> {
    if deed == Deed::RetryBuild {
        let input = RetryBuildInput { id: Some(id.to_owned()), idempotency_token: None };
        let again = service.codebuild.retry_build(&visit.caller, input).await?.build.and_then(|build| build.id);
        return Ok(again.map(|id| link::build(&visit.region, &id)));
    }
    service.codebuild.stop_build(&visit.caller, StopBuildInput { id: Some(id.to_owned()) }).await?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::codebuild::PhaseContext;

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_000)
    }

    fn shape(name: &str, status: Option<&str>, seconds: Option<i64>, message: &str) -> BuildPhase {
        BuildPhase {
            phase_type: Some(name.into()),
            phase_status: status.map(str::to_owned),
            start_time: Some(Timestamp::from_seconds(940)),
            duration_in_seconds: seconds,
            contexts: Some(vec![PhaseContext { message: Some(message.into()), status_code: Some(String::new()) }]),
            ..BuildPhase::default()
        }
    }

    #[test]
    fn phases_as_they_go() {
        for (given, name, mark, took, problem) in [
            (shape("SUBMITTED", Some("SUCCEEDED"), Some(0), ""), "Submitted", "ok", Some("0 s"), ""),
            (shape("QUEUED", None, None, ""), "Queued", "wait", Some("1 min 0 s"), ""),
            (shape("BUILD", None, None, ""), "Build", "run", Some("1 min 0 s"), ""),
            (shape("BUILD", Some("FAILED"), Some(7), "exit 1"), "Build", "bad", Some("7 s"), "exit 1"),
            (shape("COMPLETED", None, None, ""), "Completed", "ok", None, ""),
        ] {
            let phase = phase(now(), &given);
            assert_eq!((phase.name.as_str(), phase.mark.shape, phase.problem.as_str()), (name, mark, problem));
            assert_eq!(phase.took.map(|took| took.text).as_deref(), took);
        }
    }

    #[test]
    fn a_pipelines_build_leads_back_to_it() {
        let link = Fact { name: "app".into(), value: link::pipeline("eu-west-1", "app") };
        assert_eq!(pipeline("eu-west-1", "codepipeline/app"), Some(link));
        assert_eq!(pipeline("eu-west-1", "root"), None);
    }

    #[test]
    fn secrets_are_shown_as_references() {
        let variable = |kind: Option<&str>| EnvironmentVariable {
            name: Some("A".into()),
            value: Some("v".into()),
            type_: kind.map(str::to_owned),
        };
        let all = vec![variable(None), variable(Some("PLAINTEXT")), variable(Some("SECRETS_MANAGER"))];
        let values: Vec<String> = variables(Some(all)).into_iter().map(|fact| fact.value).collect();
        assert_eq!(values, ["v", "v", "Secrets manager: v"]);
    }
}
