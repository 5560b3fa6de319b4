//! StartBuild, RetryBuild, and the one way in which a build comes to be.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::Error;
use aws::codebuild::{RetryBuildInput, RetryBuildOutput, StartBuildInput, StartBuildOutput, error};
use aws::internal::codebuild::PipelineContext;
use kernel::client_token::{self, Lookup, Pending};
use kernel::{Batch, Caller, Event, Large, Page, Principal, Scope, StoreError, Stored};
use serde::Serialize;
use serde_json::Value;

use super::{ATTEMPTS, answer, builds, is_race, projects, refused};
use crate::Service;
use crate::model::build::{ACTIVE, Tries};
use crate::model::{Build, Counter, PipelineStart, Plan, Project};
use crate::rules::buildspec_location::BuildspecLocation;
use crate::rules::phases::Life;
use crate::rules::{arns, events, overrides};

/// How long AWS remembers an idempotency token.
const TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// What is to be built, before it has a number.
pub(super) struct Order {
    pub(super) plan: Plan,
    pub(super) buildspec: Option<Large>,
    pub(super) inline_buildspec: bool,
    pub(super) pipeline: Option<PipelineContext>,
    pub(super) initiator: String,
}

/// What happened to an order.
pub(super) enum Placed {
    /// The build is there, waiting in QUEUED.
    Accepted(Box<Build>),
    /// Somebody else wrote in between: read again.
    Raced,
}

/// StartBuild.
pub(super) async fn start(
    service: &Service,
    caller: &Caller,
    mut input: StartBuildInput,
) -> Result<StartBuildOutput, Error> {
    let token = input.idempotency_token.take();
    for _ in 0..ATTEMPTS {
        let pending = match remembered(service, caller, "codebuild:StartBuild", token.as_deref(), &input).await? {
            Remembered::Build(build) => {
                return Ok(StartBuildOutput { build: Some(answer::build(service, caller, &build).await?) });
            }
            Remembered::Pending(pending) => pending,
        };
        let project = projects::find(service, caller, input.project_name.as_deref().unwrap_or_default()).await?;
        let order = order(service, caller, &project.value, &input).await?;
        if let Placed::Accepted(build) = place(service, caller, &project, order, pending).await? {
            return Ok(StartBuildOutput { build: Some(answer::build(service, caller, &build).await?) });
        }
    }
    Err(Error::internal("too many builds of this project are started at once"))
}

async fn order(service: &Service, caller: &Caller, project: &Project, input: &StartBuildInput) -> Result<Order, Error> {
    let order = plan(service, &projects::settings(service, project).await?, input, initiator(caller)).await?;
    if order.plan.source.type_.as_deref() == Some("CODEPIPELINE") {
        return Err(error::invalid_input_exception(
            "Project source type CODEPIPELINE: only a pipeline can start this build; override its source and artifacts to start it by itself",
        ));
    }
    Ok(order)
}

/// The order that a project's settings and the overrides of a start make.
pub(super) async fn plan(
    service: &Service,
    settings: &aws::codebuild::Project,
    input: &StartBuildInput,
    initiator: String,
) -> Result<Order, Error> {
    let mut plan = overrides::plan(settings, input).map_err(error::invalid_input_exception)?;
    let inline_buildspec = BuildspecLocation::of(plan.source.buildspec.as_deref()).is_inline();
    let buildspec = if inline_buildspec { service.write_text(plan.source.buildspec.take()).await? } else { None };
    Ok(Order { plan, buildspec, inline_buildspec, pipeline: None, initiator })
}

/// RetryBuild: a new build by the plan of an old one.
pub(super) async fn retry(
    service: &Service,
    caller: &Caller,
    mut input: RetryBuildInput,
) -> Result<RetryBuildOutput, Error> {
    let token = input.idempotency_token.take();
    let id = input.id.clone().ok_or_else(|| error::invalid_input_exception("Build ID is required"))?;
    for _ in 0..ATTEMPTS {
        let pending = match remembered(service, caller, "codebuild:RetryBuild", token.as_deref(), &input).await? {
            Remembered::Build(build) => {
                return Ok(RetryBuildOutput { build: Some(answer::build(service, caller, &build).await?) });
            }
            Remembered::Pending(pending) => pending,
        };
        let old = builds::find(service, caller, &id).await?.value;
        if old.pipeline.is_some() {
            return Err(error::invalid_input_exception(
                "A build that a pipeline started can only be retried by the pipeline",
            ));
        }
        let project = projects::find(service, caller, &old.project).await?;
        let order = Order {
            plan: old.plan,
            buildspec: old.buildspec.filter(|_| old.inline_buildspec),
            inline_buildspec: old.inline_buildspec,
            pipeline: None,
            initiator: initiator(caller),
        };
        if let Placed::Accepted(build) = place(service, caller, &project, order, pending).await? {
            return Ok(RetryBuildOutput { build: Some(answer::build(service, caller, &build).await?) });
        }
    }
    Err(Error::internal("too many builds of this project are started at once"))
}

enum Remembered {
    Build(Box<Build>),
    Pending(Option<Box<Pending>>),
}

async fn remembered(
    service: &Service,
    caller: &Caller,
    operation: &str,
    token: Option<&str>,
    input: &impl Serialize,
) -> Result<Remembered, Error> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(Remembered::Pending(None)) };
    if token.len() > 64 {
        return Err(error::invalid_input_exception("The idempotency token must have at most 64 characters"));
    }
    let when = (service.dependencies.clock.now(), TOKEN_LIFETIME);
    match client_token::look_up(&service.dependencies.documents, &caller.scope(), operation, token, input, when).await?
    {
        Lookup::New(pending) => Ok(Remembered::Pending(Some(pending))),
        Lookup::Done(id) => {
            let build = builds::find(service, caller, id.as_str().unwrap_or_default()).await?;
            Ok(Remembered::Build(Box::new(build.value)))
        }
        Lookup::Mismatch => {
            Err(error::invalid_input_exception("The idempotency token was used before with other parameters"))
        }
    }
}

/// Accepts an order: the build, its number, its token and its events in one commit.
pub(super) async fn place(
    service: &Service,
    caller: &Caller,
    project: &Stored<Project>,
    order: Order,
    token: Option<Box<Pending>>,
) -> Result<Placed, Error> {
    let (documents, scope) = (&service.dependencies.documents, caller.scope());
    check_limit(service, &scope, &project.value).await?;
    let counter = documents.get::<Counter>(&scope, project.value.name()).await?;
    let number = counter.as_ref().map_or(0, |counter| counter.last) + 1;
    let build = accepted(service, project.value.name(), number, order);
    // The counter makes starts of one project follow each other, so the limit holds, too.
    let batch = Batch::new(&scope).require(project).insert(&build);
    let batch = count(batch, counter, &build);
    let batch = match (&build.pipeline, token) {
        (Some(pipeline), _) => {
            batch.insert(&PipelineStart { token: pipeline.client_token.clone(), build: build.id.clone() })
        }
        (None, Some(token)) => token.record(batch, Value::String(build.id.clone())),
        (None, None) => batch,
    };
    let batch = publish(service, batch, &scope, None, &build);
    match documents.commit(batch).await {
        Ok(()) => {
            kernel::crash_point!("codebuild_after_start");
            Ok(Placed::Accepted(Box::new(build)))
        }
        Err(race) if is_race(&race) => Ok(Placed::Raced),
        Err(other) => Err(refused(other)),
    }
}

fn count(batch: Batch, counter: Option<Stored<Counter>>, build: &Build) -> Batch {
    match counter {
        Some(mut counter) => {
            counter.value.last = build.number;
            batch.replace(&counter)
        }
        None => batch.insert(&Counter { project: build.project.clone(), last: build.number }),
    }
}

/// Adds the events of the step from `old` to `new`.
pub(crate) fn publish(service: &Service, mut batch: Batch, scope: &Scope, old: Option<&Build>, new: &Build) -> Batch {
    for (detail_type, detail) in events::changes(scope, old, new) {
        batch = batch.publish(&Event {
            id: service.dependencies.ids.uuid(),
            source: "aws.codebuild".to_owned(),
            detail_type: detail_type.to_owned(),
            account: scope.account.clone(),
            region: scope.region.clone(),
            time: service.dependencies.clock.now(),
            resources: vec![arns::build(scope, &new.id)],
            detail,
        });
    }
    batch
}

async fn check_limit(service: &Service, scope: &Scope, project: &Project) -> Result<(), Error> {
    let Some(limit) = project.settings.concurrent_build_limit else { return Ok(()) };
    let most = usize::try_from(limit).unwrap_or(0);
    let active = service
        .dependencies
        .documents
        .find::<Build>(scope, ACTIVE, project.name(), Page::first(most.clamp(1, Page::MOST)))
        .await?;
    if active.len() < most {
        return Ok(());
    }
    Err(error::account_limit_exceeded_exception(format!(
        "Cannot have more than {limit} builds in queue for the account"
    )))
}

fn accepted(service: &Service, project: &str, number: i64, order: Order) -> Build {
    Build {
        id: format!("{project}:{}", service.dependencies.ids.uuid()),
        project: project.to_owned(),
        number,
        plan: order.plan,
        buildspec: order.buildspec,
        inline_buildspec: order.inline_buildspec,
        resolved_source_version: order.pipeline.as_ref().and_then(|pipeline| pipeline.resolved_source_version.clone()),
        pipeline: order.pipeline,
        initiator: order.initiator,
        life: Life::submitted(service.dependencies.clock.now()),
        stop_requested: false,
        log: None,
        inbox: Default::default(),
        logged: Default::default(),
        exported: BTreeMap::new(),
        artifact_names: vec![],
        runtimes: vec![],
        uploads: vec![],
        tries: Tries::default(),
        image: None,
        claimed: None,
    }
}

/// Another try of a build that failed.
pub(crate) struct Again {
    pub(crate) build: Build,
    project: Stored<Project>,
    counter: Option<Stored<Counter>>,
}

/// The build that follows `old` by itself; none where the project is gone. It takes the place of `old`, so the
/// project's limit needs no look.
pub(crate) async fn again(service: &Service, scope: &Scope, old: &Build) -> Result<Option<Again>, StoreError> {
    let documents = &service.dependencies.documents;
    let Some(project) = documents.get::<Project>(scope, &old.project).await? else { return Ok(None) };
    let counter = documents.get::<Counter>(scope, &old.project).await?;
    let number = counter.as_ref().map_or(0, |counter| counter.last) + 1;
    let order = Order {
        plan: old.plan.clone(),
        buildspec: old.buildspec.clone().filter(|_| old.inline_buildspec),
        inline_buildspec: old.inline_buildspec,
        pipeline: None,
        initiator: old.initiator.clone(),
    };
    let tries = Tries { number: old.tries.number + 1, previous: Some(old.id.clone()), next: None };
    let build = Build { tries, ..accepted(service, &old.project, number, order) };
    Ok(Some(Again { build, project, counter }))
}

impl Again {
    /// The build, its number and its events.
    pub(crate) fn add_to(self, service: &Service, batch: Batch, scope: &Scope) -> Batch {
        let batch = batch.require(&self.project).insert(&self.build);
        publish(service, count(batch, self.counter, &self.build), scope, None, &self.build)
    }
}

/// Who starts, as CODEBUILD_INITIATOR says it.
fn initiator(caller: &Caller) -> String {
    match &caller.principal {
        Principal::Root => "root".to_owned(),
        Principal::User { name, .. } => name.clone(),
        Principal::Role { name, .. } => {
            let session = caller.session.as_ref().map(|session| session.name.as_str()).unwrap_or_default();
            format!("{name}/{session}")
        }
        Principal::Service(name) => name.clone(),
    }
}
