//! PutApprovalResult: somebody answers a manual approval.

use aws::codepipeline::error::{
    action_not_found_exception, approval_already_completed_exception, invalid_approval_token_exception,
};
use aws::codepipeline::{ApprovalResult, PutApprovalResultInput, PutApprovalResultOutput, approval_status};
use kernel::{Caller, CommitError, Page, Scope, Stored, crash_point};

use crate::error::{Failed, stage_not_found};
use crate::model::{ActionExecution, ActionFailure, Pipeline};
use crate::rules::status::ActionStatus;
use crate::run::ATTEMPTS;
use crate::service::Service;

impl Service {
    pub(super) async fn put_approval(
        &self,
        caller: &Caller,
        input: PutApprovalResultInput,
    ) -> Result<PutApprovalResultOutput, Failed> {
        let scope = caller.scope();
        for _ in 0..ATTEMPTS {
            let pipeline = self.pipeline(&scope, input.pipeline_name.as_deref().unwrap_or_default()).await?;
            let mut action = self.asked_approval(&scope, &pipeline, &input).await?;
            answer(&mut action.value, caller, input.result.clone().unwrap_or_default(), self.clock.now());
            crash_point!("codepipeline_before_approval");
            match self.commit_end(&scope, &action).await? {
                Ok(()) => return Ok(PutApprovalResultOutput { approved_at: Some(action.updated) }),
                // Somebody else was faster with this or with another change of the pipeline: what is so now decides.
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// The approval that waits for this very answer.
    async fn asked_approval(
        &self,
        scope: &Scope,
        pipeline: &Pipeline,
        input: &PutApprovalResultInput,
    ) -> Result<Stored<ActionExecution>, Failed> {
        let (stage, name) =
            (input.stage_name.as_deref().unwrap_or_default(), input.action_name.as_deref().unwrap_or_default());
        self.check_place(scope, pipeline, stage, name).await?;
        let token = input.token.as_deref().unwrap_or_default();
        let found =
            self.documents.find::<ActionExecution>(scope, ActionExecution::TOKEN, token, Page::first(1)).await?;
        let here = |action: &Stored<ActionExecution>| {
            action.pipeline_id == pipeline.id && action.stage == stage && action.action == name
        };
        let Some(action) = found.into_iter().find(here) else {
            let text = format!("The token does not belong to an execution of approval action '{name}'");
            return Err(invalid_approval_token_exception(text).into());
        };
        if action.awaits_approval() {
            return Ok(action);
        }
        match action.updated_by {
            Some(_) => {
                let text = format!("Approval action '{name}' has already been approved or rejected");
                Err(approval_already_completed_exception(text).into())
            }
            None => {
                let text = format!("The approval request of action '{name}' has expired or was abandoned");
                Err(invalid_approval_token_exception(text).into())
            }
        }
    }

    async fn check_place(&self, scope: &Scope, pipeline: &Pipeline, stage: &str, action: &str) -> Result<(), Failed> {
        let definition = self.definition(scope, &pipeline.id, pipeline.current_version).await?;
        if definition.stage(stage).is_none() {
            return Err(stage_not_found(&pipeline.name, stage).into());
        }
        let declared = definition.action(stage, action).filter(|action| action.kind.category == "Approval");
        match declared {
            Some(_) => Ok(()),
            None => {
                let text = format!("Stage '{stage}' does not have an approval action with name '{action}'");
                Err(action_not_found_exception(text).into())
            }
        }
    }
}

/// Ends an approval with an answer.
fn answer(action: &mut ActionExecution, caller: &Caller, result: ApprovalResult, now: kernel::Timestamp) {
    let approved = result.status.as_deref() == Some(approval_status::APPROVED);
    let summary = result.summary.unwrap_or_default();
    if !approved {
        let message = match summary.as_str() {
            "" => format!("Rejected by {}", caller.arn()),
            reason => format!("Rejected by {}: {reason}", caller.arn()),
        };
        action.failure = Some(ActionFailure { code: "JobFailed".to_owned(), message, summary: None });
    }
    action.summary = Some(summary);
    action.updated_by = Some(caller.arn());
    action.end(if approved { ActionStatus::Succeeded } else { ActionStatus::Failed }, now);
}
