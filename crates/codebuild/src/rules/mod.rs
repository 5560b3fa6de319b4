//! The pure rules of CodeBuild: no clock, no I/O, no async.

pub mod artifact_location;
pub mod buildspec;
pub mod buildspec_location;
pub mod compute;
pub mod environment;
pub mod ids;
pub mod image;
pub mod log_lines;
pub mod overrides;
pub mod phases;
pub mod project;
pub mod source_location;
pub mod yaml;
