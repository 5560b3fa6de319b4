//! Whole pipelines on a real store, among scripted sister services.
#![expect(clippy::unwrap_used, reason = "tests")]

mod again;
mod api;
mod approvals;
mod bucket;
mod journey;
mod modes;
mod notices;
mod restarts;
mod retention;
mod sisters;
mod triggers;
mod world;
