//! Starting executions.

use std::collections::BTreeMap;

use aws::codepipeline::error::{concurrent_pipeline_executions_limit_exceeded_exception, validation_exception};
use kernel::{Large, Timestamp};

use super::transition::Transition;
use crate::error::Failed;
use crate::model::{Execution, ExecutionInput, Pipeline, Trigger};
use crate::rules::definition::ExecutionMode;
use crate::rules::flow::Run;
use crate::rules::start::{RevisionOverride, check_overrides, pipeline_variables};
use crate::service::Service;

/// The most executions at once in QUEUED and PARALLEL mode (user guide, "Quotas").
const CONCURRENT_EXECUTIONS: usize = 50;

/// What an execution is started with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    /// Who or what starts it.
    pub(crate) trigger: Trigger,
    /// Values of pipeline variables.
    pub(crate) variables: BTreeMap<String, String>,
    /// Source revisions instead of the latest.
    pub(crate) overrides: Vec<RevisionOverride>,
    /// The client token.
    pub(crate) token: Option<String>,
}

impl Service {
    /// Starts a new execution in a change of its pipeline's flow; gives its id.
    pub(crate) async fn start(&self, transition: &mut Transition, start: Start) -> Result<String, Failed> {
        let definition = transition.definition().cloned().ok_or_else(|| Failed::missing("a pipeline's structure"))?;
        let variables = pipeline_variables(&definition, &start.variables).map_err(validation_exception)?;
        check_overrides(&definition, &start.overrides).map_err(validation_exception)?;
        let pipeline = &transition.pipeline;
        if !has_room(pipeline) {
            let text =
                format!("Pipeline '{}' already has {CONCURRENT_EXECUTIONS} executions in progress", pipeline.name);
            return Err(concurrent_pipeline_executions_limit_exceeded_exception(text).into());
        }
        let input = serde_json::to_string(&ExecutionInput { variables, overrides: start.overrides })?;
        let execution = Execution {
            pipeline_id: pipeline.id.clone(),
            pipeline: pipeline.name.clone(),
            id: self.ids.uuid(),
            run: Run::new(pipeline.newest + 1, pipeline.current_version, pipeline.mode, transition.now()),
            trigger: cut(start.trigger),
            client_token: start.token,
            input: Large::write(&self.blobs, input).await?,
            started: transition.now(),
            stop_reason: None,
            rollback_target: None,
        };
        let id = execution.id.clone();
        transition.start(execution);
        Ok(id)
    }
}

/// Whether one more execution may be in progress: SUPERSEDED mode sees to that by itself.
pub(crate) fn has_room(pipeline: &Pipeline) -> bool {
    pipeline.mode == ExecutionMode::Superseded || pipeline.board.active.len() < CONCURRENT_EXECUTIONS
}

/// A trigger's detail has at most 1,024 characters.
fn cut(trigger: Trigger) -> Trigger {
    Trigger { detail: trigger.detail.chars().take(1_024).collect(), ..trigger }
}

/// Whether something that happened at `event` may start a pipeline made at `created`: the first execution of a
/// new pipeline sees all that was there before.
#[must_use]
pub(super) fn is_news(event: Timestamp, created: Timestamp) -> bool {
    event > created
}
