//! Whole pipelines on a real store, among scripted sister services.
#![expect(clippy::unwrap_used, reason = "tests")]

mod api;
mod bucket;
mod journey;
mod modes;
mod notices;
mod restarts;
mod sisters;
mod triggers;
mod world;
