//! PutHostCommandComplete: an event ended; the target's next one is queued in the same commit.

use super::acknowledge::is_current;
use super::{ATTEMPTS, client_error};
use crate::Service;
use crate::events::Reporter;
use crate::rules::diagnostics::Diagnostics;
use crate::rules::lifecycle::EventStatus;
use aws::Error;
use aws::codedeploy_commands::PutHostCommandCompleteInput;
use kernel::{Batch, Caller, CommitError};

impl Service {
    /// Records the end of a command. The first report counts: agent 1.8 reports each failure twice.
    pub(super) async fn complete(&self, caller: &Caller, input: &PutHostCommandCompleteInput) -> Result<(), Error> {
        let status = match input.command_status.as_str() {
            "Succeeded" => EventStatus::Succeeded,
            "Failed" => EventStatus::Failed,
            other => return Err(client_error(format!("CommandStatus must be Succeeded or Failed, not '{other}'."))),
        };
        let report = input.diagnostics.as_ref().map_or("", |envelope| envelope.payload.as_str());
        let diagnostics = Diagnostics::of_host(report, status == EventStatus::Succeeded);
        for _ in 0..ATTEMPTS {
            match self.record(caller, &input.host_command_identifier, status, diagnostics.clone()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(CommitError::Conflict { .. })) => {}
                Ok(Err(error)) => return Err(Error::internal(error)),
                Err(error) => return Err(error),
            }
        }
        Err(Error::internal("a target changed too often to be completed"))
    }

    async fn record(
        &self,
        caller: &Caller,
        identifier: &str,
        status: EventStatus,
        diagnostics: Diagnostics,
    ) -> Result<Result<(), CommitError>, Error> {
        let (mut target, id) = self.commanded(caller, identifier).await?;
        if !is_current(&target, id.event) {
            return Ok(Ok(()));
        }
        let (scope, now) = (caller.scope(), self.now());
        target.value.end_event(status, diagnostics, now, &self.deadlines);
        let mut batch = Batch::new(&scope).replace(&target);
        if target.ended()
            && let Some(event) = (Reporter { ids: &*self.ids, scope: &scope, now }).target(&target)
        {
            batch = batch.publish(&event);
        }
        let committed = self.documents.commit(batch).await;
        if committed.is_ok() {
            kernel::crash_point!("codedeploy_after_completion");
            self.bells.ring(&scope, &target.identity);
        }
        Ok(committed)
    }
}
