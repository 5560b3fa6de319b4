//! The decisions of CodeDeploy as pure functions: no clock, no store, no async.

pub mod lifecycle;
pub mod tags;
pub mod wave;
