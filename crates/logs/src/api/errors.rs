//! The errors of logs in AWS's words.

use aws::logs::error::invalid_parameter_exception;
use aws::{Error, Violation, validation_message};
use kernel::CommitError;

/// Constraint violations: `InvalidParameterException`.
#[must_use]
pub fn violation(_operation: &str, violations: &[Violation]) -> Error {
    invalid_parameter_exception(validation_message(violations))
}

/// `InvalidParameterException` with a reason.
pub(super) fn invalid(reason: impl ToString) -> Error {
    invalid_parameter_exception(reason.to_string())
}

/// A token that this request did not give.
pub(super) fn invalid_token() -> Error {
    invalid("The specified nextToken is invalid.")
}

/// Why a commit failed; `exists` where what it makes is there already.
pub(super) fn commit(error: CommitError, exists: Error) -> Error {
    match error {
        CommitError::Exists { .. } => exists,
        CommitError::Conflict { .. } | CommitError::LeaseLost { .. } => changed(),
        CommitError::Store(error) => Error::internal(error),
    }
}

/// Why a commit failed that makes nothing new.
pub(super) fn commit_failed(error: CommitError) -> Error {
    commit(error, changed())
}

/// `OperationAbortedException`: somebody else changed the same thing at the same time.
pub(super) fn changed() -> Error {
    let text = "A conflicting operation is currently in progress against this resource. Please try again.";
    aws::logs::error::operation_aborted_exception(text)
}
