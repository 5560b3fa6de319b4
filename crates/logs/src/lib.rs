//! CloudWatch Logs: groups, streams, and the events in them.
//!
//! Groups and streams are documents; events are not. A stream's events lie in the order of their arrival in segment files
//! under `DIR/logs/ACCOUNT/REGION/GROUP-ID/STREAM-ID/`, each an append-only row of checked records ([`segments`]). An answered
//! `PutLogEvents` is on disk: puts that wait for the same stream share one fsync.
//!
//! `GetLogEvents` pages by place in the stream, so that following it loses and repeats nothing, even when events arrive
//! late; `FilterLogEvents` pages by (time, stream, place) over all streams of a group.
#![forbid(unsafe_code)]

mod api;
pub mod authorization;
#[doc(hidden)]
pub mod fuzz;
mod model;
mod rules;
mod run;
mod segments;
mod service;

pub use api::violation;
pub use authorization::AUTHORIZATION;
pub use service::{Dependencies, Service};
