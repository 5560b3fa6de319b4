//! The pure rules of CodeBuild: no clock, no I/O, no async.

pub mod arns;
pub mod artifact_location;
pub mod auto_retry;
pub mod buildspec;
pub mod buildspec_location;
pub mod compute;
pub mod environment;
pub mod events;
pub mod ids;
pub mod image;
pub mod job;
pub mod log_batches;
pub mod log_lines;
pub mod memory;
pub mod overrides;
pub mod phases;
pub mod pool;
pub mod project;
pub mod pull_progress;
pub mod reports;
pub mod runtimes;
pub mod source_location;
pub mod sources;
pub mod timeouts;
pub mod uploads;
pub mod yaml;
