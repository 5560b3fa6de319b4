//! CodeBuild's documents and what they consist of.

pub(crate) mod build;
mod phase;
mod plan;
pub(crate) mod project;

pub use build::{Build, LogPlace, Logged, PipelineStart, Upload};
pub use phase::{Context, Phase, PhaseType, Status};
pub use plan::Plan;
pub use project::{Counter, Project};
