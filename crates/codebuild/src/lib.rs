//! AWS CodeBuild: projects, and builds that run a buildspec's phases in containers.
//!
//! `api/` answers the operations and writes what is wanted: a project, a build that waits in QUEUED. `run/` carries
//! each build from there to COMPLETED: it starts a container through [`engine::Engine`], talks to the agent in it
//! ([`agent::protocol`]), streams sources in, records phases and log lines as they are reported, and puts artifacts into
//! S3 as the project's service role. Every phase change is one commit with its events; what runs survives a restart of
//! the server. `rules/` decides: buildspec grammar, overrides, what follows a phase, where an artifact goes.
#![forbid(unsafe_code)]

mod api;
mod authorization;
pub mod model;
pub mod rules;
mod run;
mod service;

pub use authorization::{AUTHORIZATION, PASSING, violation};
pub use rules::image::ImageMap;
pub use service::{Dependencies, Options, Service};
