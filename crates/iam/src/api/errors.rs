//! iam's errors in AWS's words.

use aws::Error;
use aws::iam::error;
use kernel::CommitError;

/// `NoSuchEntity` for a user, role, policy or key.
pub(crate) fn not_found(what: &str, name: &str) -> Error {
    error::no_such_entity_exception(format!("The {what} with name {name} cannot be found."))
}

/// `EntityAlreadyExists` for a user or role.
pub(crate) fn exists(what: &str, name: &str) -> Error {
    error::entity_already_exists_exception(format!("{what} with name {name} already exists."))
}

/// `ValidationError`, for what the model cannot say.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::modelled("ValidationError", 400, message)
}

/// Why a commit failed; `exists` is the error where the document is already there.
pub(crate) fn commit(error: CommitError, exists: Error) -> Error {
    match error {
        CommitError::Exists { .. } => exists,
        CommitError::Conflict { .. } | CommitError::LeaseLost { .. } => changed(),
        CommitError::Store(error) => Error::internal(error),
    }
}

/// `ConcurrentModification`: somebody else changed the same entity at the same time.
pub(crate) fn changed() -> Error {
    error::concurrent_modification_exception(
        "The request was rejected because another one changed the same entity. Try again.",
    )
}

/// Why a change of what exists failed.
pub(crate) fn change(error: CommitError) -> Error {
    commit(error, changed())
}
