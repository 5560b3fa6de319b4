//! Whether an execution may be stopped.

use super::status::ExecutionStatus;

/// Why an execution cannot be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopRefusal {
    /// It is over: `PipelineExecutionNotStoppableException`.
    NotStoppable,
    /// It is stopping already, in the same way: `DuplicatedStopRequestException`.
    Duplicate,
}

/// StopPipelineExecution: a running execution may be stopped; one that is stopping may still be abandoned.
///
/// # Errors
/// The reason against it.
pub const fn may_stop(status: ExecutionStatus, abandon: bool) -> Result<(), StopRefusal> {
    match status {
        ExecutionStatus::InProgress => Ok(()),
        ExecutionStatus::Stopping if abandon => Ok(()),
        ExecutionStatus::Stopping => Err(StopRefusal::Duplicate),
        _ => Err(StopRefusal::NotStoppable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_moves_can_be_stopped() {
        use ExecutionStatus::{Failed, InProgress, Stopped, Stopping, Succeeded, Superseded};
        for (status, abandon, expected) in [
            (InProgress, false, Ok(())),
            (InProgress, true, Ok(())),
            (Stopping, true, Ok(())),
            (Stopping, false, Err(StopRefusal::Duplicate)),
            (Stopped, true, Err(StopRefusal::NotStoppable)),
            (Succeeded, false, Err(StopRefusal::NotStoppable)),
            (Failed, false, Err(StopRefusal::NotStoppable)),
            (Superseded, true, Err(StopRefusal::NotStoppable)),
        ] {
            assert_eq!(may_stop(status, abandon), expected, "{status:?} abandon={abandon}");
        }
    }
}
