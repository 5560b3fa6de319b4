//! The decisions of CodeDeploy as pure functions: no clock, no store, no async.

pub mod command;
pub mod deadlines;
pub mod diagnostics;
pub mod lifecycle;
pub mod resource;
pub mod revision;
pub mod specification;
pub mod tags;
pub mod violations;
pub mod wave;
