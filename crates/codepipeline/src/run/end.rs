//! The end of an action execution, and what its pipeline does next: one commit.

use kernel::{CommitError, Large, Scope, Stored, crash_point};

use super::flow::ATTEMPTS;
use crate::actions::{Completion, Trouble};
use crate::error::Failed;
use crate::model::{ActionExecution, ActionFailure, Pipeline};
use crate::rules::status::ActionStatus;
use crate::rules::step::Event;
use crate::service::Service;

/// The most that all output variables of an action may hold, in bytes.
const LARGEST_VARIABLES: usize = 122_880;

/// How an action execution ends.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    /// It has done its work.
    Success(Box<Completion>),
    /// It has not.
    Failure(ActionFailure),
}

impl Ending {
    /// It took too long.
    pub(super) fn timed_out(action: &ActionExecution) -> Self {
        let message = match action.kind.category.as_str() {
            "Approval" => "Nobody approved or rejected the action within its time limit",
            _ => "The action did not end within its time limit",
        };
        let message = message.to_owned();
        Self::Failure(ActionFailure { code: "JobFailed".to_owned(), message, summary: None })
    }
}

impl Service {
    /// Ends an action execution and moves its pipeline on.
    pub(super) async fn end_action(
        &self,
        scope: &Scope,
        mut action: Stored<ActionExecution>,
        ending: Ending,
    ) -> Result<(), Trouble> {
        self.record(&mut action.value, ending).await?;
        for _ in 0..ATTEMPTS {
            match self.commit_end(scope, &action).await? {
                Ok(()) => {
                    crash_point!("codepipeline_action_ended");
                    return Ok(());
                }
                Err(CommitError::Conflict { kind, .. }) if kind == <ActionExecution as kernel::Document>::KIND => break,
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(Failed::from(error).into()),
            }
        }
        Err(Failed::Busy.into())
    }

    async fn record(&self, action: &mut ActionExecution, ending: Ending) -> Result<(), Failed> {
        let now = self.clock.now();
        match ending {
            Ending::Success(completion) => {
                let text = serde_json::to_string(&completion.variables)?;
                if text.len() > LARGEST_VARIABLES {
                    let message =
                        format!("The output variables hold {} bytes, more than {LARGEST_VARIABLES}", text.len());
                    action.failure = Some(ActionFailure { code: "JobFailed".to_owned(), message, summary: None });
                    action.end(ActionStatus::Failed, now);
                    return Ok(());
                }
                action.variables = Some(Large::write(&self.blobs, text).await?);
                action.summary = completion.summary.or(action.summary.take());
                if let Some(revision) = completion.revision {
                    action.source_revision = Some(revision.id.clone());
                    action.revision = Some(revision);
                }
                action.end(ActionStatus::Succeeded, now);
            }
            Ending::Failure(failure) => {
                let summary = failure.summary.as_ref().unwrap_or(&failure.message);
                action.summary = Some(summary.chars().take(2_048).collect());
                action.failure = Some(failure);
                action.end(ActionStatus::Failed, now);
            }
        }
        Ok(())
    }

    /// Commits an action execution that has ended together with what its pipeline does next.
    pub(crate) async fn commit_end(
        &self,
        scope: &Scope,
        action: &Stored<ActionExecution>,
    ) -> Result<Result<(), CommitError>, Failed> {
        let pipeline = self.documents.get::<Pipeline>(scope, &action.pipeline).await?;
        let Some(pipeline) = pipeline.filter(|pipeline| pipeline.id == action.pipeline_id) else {
            // The pipeline was deleted; whoever did it abandoned this action.
            return Err(Failed::Busy);
        };
        let mut transition = self.transition(scope, pipeline).await?;
        transition.announce_action(action);
        transition.apply(Event::ActionEnded {
            execution: action.ordinal,
            number: action.number,
            status: action.status,
        });
        crash_point!("codepipeline_before_action_end");
        Ok(self.commit(scope, transition, |batch| batch.replace(action)).await)
    }
}
