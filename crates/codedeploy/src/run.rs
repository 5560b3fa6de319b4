//! The reconcilers: deployments choose hosts and waves; targets watch their deadlines.
//!
//! A target that ends is due once more, to make its deployment due. So a deployment is looked at as soon as one of
//! its hosts ends, and after a crash just the same.

mod deployment;
mod end;
mod fleet;
mod retention;
mod rollback;
#[cfg(test)]
#[expect(clippy::panic, reason = "tests")]
mod simulation;
mod start;
mod target;
mod wave;

pub(crate) use deployment::{Deployments, targets_of};
pub(crate) use end::last;
pub(crate) use fleet::selection;
pub(crate) use rollback::deployment_id;
pub(crate) use target::Targets;

use kernel::{Batch, CommitError, Documents, StepError};

/// Commits a step. A conflict means that the document moved on meanwhile: it is due again and the step is
/// taken anew from what is there then.
async fn commit(documents: &Documents, batch: Batch) -> Result<bool, StepError> {
    match documents.commit(batch).await {
        Ok(()) => Ok(true),
        Err(CommitError::Conflict { .. } | CommitError::Exists { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
