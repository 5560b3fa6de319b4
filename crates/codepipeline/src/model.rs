//! CodePipeline's documents.
//!
//! - [`Pipeline`]: the name, the current version's number, the stages' locks. Every change of the pipeline's flow
//!   replaces it, so that it is also the lock over all of its executions.
//! - [`PipelineVersion`]: one version's structure; never changed.
//! - [`Execution`]: how far one execution has come. It keeps its pipeline's version to its end.
//! - [`ActionExecution`]: one attempt at one action, and the only document with a due time.
//!
//! All but the first are keyed by the pipeline's id, so that a new pipeline of an old name has no history.

mod action_execution;
mod execution;
mod pipeline;

pub use action_execution::{ActionExecution, ActionFailure, Artifact, External, Phase, Revision};
pub use execution::{Execution, ExecutionInput, Trigger};
pub use pipeline::{Pipeline, PipelineVersion, pipeline_arn};
