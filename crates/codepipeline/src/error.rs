//! How things fail here: in a way that is the caller's to know, or in one that is ours.

use aws::Error;
use aws::codepipeline::error;
use kernel::{BlobError, CommitError, Scope, StoreError};

use crate::rules::invalid::{Invalid, InvalidKind};

/// Why a request or a step failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// The caller's mistake, in AWS's words.
    #[error(transparent)]
    Aws(#[from] Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A blob.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A stored text that does not parse.
    #[error("stored text is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// A secret setting that does not open.
    #[error(transparent)]
    Seal(#[from] kernel::SealError),
    /// A document that must be there.
    #[error("{0} is missing in the store")]
    Missing(String),
    /// Somebody else writes the same pipeline all the time.
    #[error("the pipeline is being changed by others")]
    Busy,
}

impl Failed {
    pub(crate) fn missing(what: impl Into<String>) -> Self {
        Self::Missing(what.into())
    }
}

impl From<CommitError> for Failed {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => Self::Store(error),
            _ => Self::Busy,
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Aws(error) => error,
            Failed::Busy => {
                error::conflict_exception("The pipeline is busy handling ongoing activities. Try again later.")
            }
            ours => Self::internal(ours),
        }
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        let shape = match invalid.kind {
            InvalidKind::Structure => error::invalid_structure_exception,
            InvalidKind::Stage => error::invalid_stage_declaration_exception,
            InvalidKind::Action => error::invalid_action_declaration_exception,
            InvalidKind::Blocker => error::invalid_blocker_declaration_exception,
        };
        shape(invalid.text)
    }
}

/// `PipelineNotFoundException` in AWS's words.
pub(crate) fn pipeline_not_found(scope: &Scope, name: &str) -> Error {
    error::pipeline_not_found_exception(format!(
        "Account '{}' does not have a pipeline with name '{name}'",
        scope.account
    ))
}

/// `StageNotFoundException`.
pub(crate) fn stage_not_found(pipeline: &str, stage: &str) -> Error {
    error::stage_not_found_exception(format!("Pipeline '{pipeline}' does not have a stage with name '{stage}'"))
}

/// `PipelineExecutionNotFoundException`.
pub(crate) fn execution_not_found(pipeline: &str, id: &str) -> Error {
    error::pipeline_execution_not_found_exception(format!(
        "Pipeline '{pipeline}' does not have an execution with id '{id}'"
    ))
}
