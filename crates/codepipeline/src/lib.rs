//! CodePipeline: pipelines of stages of actions, and their executions.
//!
//! [`rules::step`] decides what happens next; `run` carries it out; `actions` holds one file per action provider; `api`
//! answers clients. Every change of a pipeline's flow is one commit: the stages' locks, the executions, the action
//! executions that it starts, and the events that tell of it. An action execution is the only document that
//! is ever due: it is prepared, started and looked at, each step kept before the next one relies on it.
#![forbid(unsafe_code)]
#![cfg_attr(test, expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests"))]

mod actions;
mod api;
mod authorization;
mod error;
pub mod model;
pub mod rules;
mod run;
mod service;

pub use authorization::{AUTHORIZATION, PASSING};
pub use service::{Dependencies, Service};
