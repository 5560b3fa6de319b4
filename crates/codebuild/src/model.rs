//! CodeBuild's documents and what they consist of.

mod phase;
mod plan;

pub use phase::{Context, Phase, PhaseType, Status};
pub use plan::Plan;
