//! One step of one action execution: prepare it, start it, or look at what it waits for.

use std::sync::Arc;

use async_trait::async_trait;
use kernel::{CommitError, Lease, Reconciler, Scope, StepError, Stored, Timestamp, crash_point};

use crate::actions::{Course, Job, Provider, Trouble, provider};
use crate::error::Failed;
use crate::model::{ActionExecution, Execution, External, Phase};
use crate::rules::start::RevisionOverride;
use crate::service::Service;

use super::end::Ending;

pub(super) struct ActionSteps(pub(super) Arc<Service>);

#[async_trait]
impl Reconciler for ActionSteps {
    type Document = ActionExecution;

    async fn step(&self, scope: &Scope, action: Stored<ActionExecution>, _: &Lease) -> Result<(), StepError> {
        match self.0.move_action(scope, action).await {
            // Somebody else wrote it: an abandoning, or a wake-up. It is claimed again if it is still due.
            Err(Trouble::Ours(Failed::Busy)) => Ok(()),
            other => Ok(other?),
        }
    }
}

impl Service {
    /// The time limit comes after the step: what was done counts as done, however late it is looked at (the server may
    /// have been down), and what still cannot be done then has failed.
    async fn move_action(&self, scope: &Scope, action: Stored<ActionExecution>) -> Result<(), Trouble> {
        let (key, deadline) = (kernel::Document::key(&action.value), self.deadline_of(&action));
        match self.step_on(scope, action).await {
            Err(Trouble::Ours(fault)) if !matches!(fault, Failed::Busy) && self.clock.now() >= deadline => {
                tracing::error!(%fault, action = key, "an action could not be moved on within its time limit");
                self.time_out(scope, &key).await
            }
            moved => moved,
        }
    }

    /// When the action fails for taking too long, also where the clock was set since it was started.
    fn deadline_of(&self, action: &ActionExecution) -> Timestamp {
        self.clock.carried_limit(action.started, action.deadline)
    }

    async fn time_out(&self, scope: &Scope, key: &str) -> Result<(), Trouble> {
        let action = self.documents.get::<ActionExecution>(scope, key).await.map_err(Failed::from)?;
        match action.filter(|action| !matches!(action.phase, Phase::Ended(_))) {
            Some(action) => {
                let ending = Ending::timed_out(&action);
                self.end_action(scope, action, ending).await
            }
            None => Ok(()),
        }
    }

    async fn step_on(&self, scope: &Scope, action: Stored<ActionExecution>) -> Result<(), Trouble> {
        let Some(provider) = provider(&action.kind) else {
            let unknown = Trouble::configuration(format!(
                "The action provider {} (category {}, owner {}) is not available on this server yet",
                action.kind.provider, action.kind.category, action.kind.owner
            ));
            return self.end_with(scope, action, unknown).await;
        };
        match action.phase.clone() {
            Phase::Declared => self.declared(scope, action, provider).await,
            Phase::Prepared => self.prepared(scope, action, provider, true).await,
            Phase::Waiting(external) => self.waiting(scope, action, provider, &external).await,
            Phase::Ended(_) => Ok(()),
        }
    }

    async fn declared(
        &self,
        scope: &Scope,
        mut action: Stored<ActionExecution>,
        provider: &dyn Provider,
    ) -> Result<(), Trouble> {
        if let Err(trouble) = self.prepare(scope, &mut action.value).await {
            return self.end_with(scope, action, trouble).await;
        }
        // What the providers do with it are commits of this same store, with which it comes to disk.
        let action = self.documents.replace_lax(scope, action).await.map_err(Failed::from)?;
        crash_point!("codepipeline_action_prepared");
        self.prepared(scope, action, provider, false).await
    }

    async fn prepared(
        &self,
        scope: &Scope,
        mut action: Stored<ActionExecution>,
        provider: &dyn Provider,
        again: bool,
    ) -> Result<(), Trouble> {
        let started = match self.job(scope, &action, again).await {
            Ok(job) => {
                action.value.summary = provider.remark(&job);
                provider.start(self, &job).await
            }
            Err(trouble) => Err(trouble),
        };
        crash_point!("codepipeline_action_started");
        match started {
            Ok(Course::Runs(external)) => {
                action.value.phase = Phase::Waiting(external.clone());
                action.value.due = Some(self.clock.now());
                // Forgotten, it would be started again, which finds what was started.
                let action = self.documents.replace_lax(scope, action).await.map_err(Failed::from)?;
                crash_point!("codepipeline_action_waits");
                // What ended before it could be found by its id sent its event too early: look once.
                self.waiting(scope, action, provider, &external).await
            }
            Ok(Course::Done(completion)) => self.end_action(scope, action, Ending::Success(completion)).await,
            Err(trouble) => self.end_with(scope, action, trouble).await,
        }
    }

    async fn waiting(
        &self,
        scope: &Scope,
        mut action: Stored<ActionExecution>,
        provider: &dyn Provider,
        external: &External,
    ) -> Result<(), Trouble> {
        let looked = match self.job(scope, &action, true).await {
            Ok(job) => provider.look(self, &job, external).await,
            Err(trouble) => Err(trouble),
        };
        let deadline = self.deadline_of(&action);
        match looked {
            Ok(Course::Runs(_)) if self.clock.now() >= deadline => {
                let ending = Ending::timed_out(&action);
                self.end_action(scope, action, ending).await
            }
            Ok(Course::Runs(_)) => {
                let next = provider.looks_every().map_or(deadline, |period| self.clock.now() + period);
                action.value.due = Some(next.min(deadline));
                // Forgotten, it would be looked at once more.
                match self.documents.replace_lax(scope, action).await {
                    Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
                    Err(error) => Err(Failed::from(error).into()),
                }
            }
            Ok(Course::Done(completion)) => self.end_action(scope, action, Ending::Success(completion)).await,
            Err(trouble) => self.end_with(scope, action, trouble).await,
        }
    }

    async fn end_with(&self, scope: &Scope, action: Stored<ActionExecution>, trouble: Trouble) -> Result<(), Trouble> {
        match trouble {
            Trouble::Fails(failure) => self.end_action(scope, action, Ending::Failure(failure)).await,
            ours => Err(ours),
        }
    }

    async fn job(&self, scope: &Scope, action: &ActionExecution, again: bool) -> Result<Job, Trouble> {
        let configuration = match &action.resolved_configuration {
            Some(text) => {
                serde_json::from_str(&text.read(&self.blobs).await.map_err(Failed::from)?).map_err(Failed::from)?
            }
            None => return Err(Failed::missing("an action's resolved configuration").into()),
        };
        Ok(Job {
            caller: self.caller_of(scope, action).await?,
            pipeline: action.pipeline.clone(),
            execution: action.execution_id.clone(),
            action: action.action.clone(),
            token: action.id.clone(),
            configuration,
            inputs: action.inputs.clone(),
            outputs: action.outputs.clone(),
            source_revision: action.source_revision.clone(),
            found_before: self.found_before(scope, action).await?,
            wanted: self.wanted_revision(scope, action).await?,
            started: action.started,
            deadline: self.deadline_of(action),
            again,
        })
    }

    /// The revision that an earlier attempt at a source action took: a retried execution stays what it was.
    async fn found_before(&self, scope: &Scope, action: &ActionExecution) -> Result<Option<String>, Failed> {
        if action.kind.category != "Source" || action.number == 1 {
            return Ok(None);
        }
        let earlier = self.succeeded(scope, &action.pipeline_id, action.ordinal).await?;
        let same = |other: &Stored<ActionExecution>| other.stage == action.stage && other.action == action.action;
        let found = earlier.into_iter().rfind(same).and_then(|other| other.value.revision);
        Ok(found.map(|revision| revision.id))
    }

    async fn wanted_revision(
        &self,
        scope: &Scope,
        action: &ActionExecution,
    ) -> Result<Option<RevisionOverride>, Failed> {
        if action.kind.category != "Source" {
            return Ok(None);
        }
        let key = Execution::key_of(&action.pipeline_id, action.ordinal);
        let Some(execution) = self.documents.get::<Execution>(scope, &key).await? else { return Ok(None) };
        let input = self.execution_input(&execution).await?;
        Ok(input.overrides.into_iter().find(|wanted| wanted.action == action.action))
    }
}
