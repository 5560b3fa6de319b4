//! PutHostCommandAcknowledgement: a host takes a command over, or learns that it is too late.

use super::ATTEMPTS;
use crate::Service;
use crate::model::DeploymentTarget;
use crate::rules::lifecycle::EventStatus;
use aws::Error;
use aws::codedeploy_commands::PutHostCommandAcknowledgementOutput;
use kernel::{Batch, Caller, CommitError};

impl Service {
    /// Takes the command over. `InProgress` means run it; an end means drop it.
    ///
    /// A repeated acknowledgement of a running command answers `InProgress` again: its first answer may have
    /// been lost on the way, and an agent knows a command that it already runs by its identifier.
    pub(super) async fn acknowledge(
        &self,
        caller: &Caller,
        identifier: &str,
    ) -> Result<PutHostCommandAcknowledgementOutput, Error> {
        for _ in 0..ATTEMPTS {
            let (mut target, id) = self.commanded(caller, identifier).await?;
            if !is_current(&target, id.event) {
                return Ok(answer(after_the_fact(target.events[id.event].status)));
            }
            target.value.acknowledge(self.now(), &self.deadlines);
            match self.documents.commit(Batch::new(&caller.scope()).replace(&target)).await {
                Ok(()) => {
                    kernel::crash_point!("codedeploy_after_acknowledgement");
                    return Ok(answer(EventStatus::InProgress));
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(Error::internal(error)),
            }
        }
        Err(Error::internal("a target changed too often to be acknowledged"))
    }
}

/// Whether the event is the one that the host is to run.
pub(super) fn is_current(target: &DeploymentTarget, event: usize) -> bool {
    target.command.as_ref().is_some_and(|command| command.event == event)
}

/// The answer for a command that is no longer to be run: `Failed` unless it is known to have ended well.
fn after_the_fact(status: EventStatus) -> EventStatus {
    if status == EventStatus::Succeeded { EventStatus::Succeeded } else { EventStatus::Failed }
}

fn answer(status: EventStatus) -> PutHostCommandAcknowledgementOutput {
    PutHostCommandAcknowledgementOutput { command_status: status.name().to_owned() }
}
