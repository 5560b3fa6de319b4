//! AWS CodeBuild.
#![forbid(unsafe_code)]

pub mod model;
pub mod rules;
