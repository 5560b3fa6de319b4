//! AWS CodeDeploy: deployments that go out over hosts in waves, and the protocol of the host agents.
#![forbid(unsafe_code)]

pub mod rules;
pub mod signing;
