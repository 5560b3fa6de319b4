//! AWS CodeDeploy: applications, deployment groups and deployments to hosts, wave by wave.
//!
//! A deployment is a document; so is each of its targets (a host). [`rules::wave`] decides which hosts go next,
//! [`rules::lifecycle`] which event follows on a host; `run` writes what they decide, and `hosts` speaks with the
//! agents: it hands out one command after the other and records how each ended.
//!
//! Built: the platform `Server`, deployments in place to on-premises instances, revisions in S3.
#![forbid(unsafe_code)]

mod api;
mod authorization;
mod events;
mod hosts;
pub mod model;
pub mod rules;
mod run;
mod service;
pub mod signing;

pub use authorization::{AUTHORIZATION, PASSING};
pub use rules::deadlines::Deadlines;
pub use rules::violations::violation;
pub use service::{Dependencies, Service};
