//! What CodePipeline decides, as pure functions: no clock, no I/O, no async.

pub mod artifact_key;
pub mod catalogue;
pub mod declaration;
pub mod definition;
pub mod flow;
pub mod invalid;
pub mod links;
pub mod retry;
pub mod rollback;
#[cfg(test)]
mod samples;
pub mod secrets;
#[cfg(test)]
mod simulation;
pub mod site;
pub mod sources;
pub mod start;
pub mod status;
pub mod step;
pub mod stop;
pub mod structure;
#[cfg(test)]
mod structure_properties;
pub mod timeouts;
pub mod variables;
pub mod wiring;
