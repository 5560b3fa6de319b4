//! AWS CodeCommit: Git repositories, served over smart HTTP and read through the API.
//!
//! A repository is a document and a bare Git folder (`DIR/git/ID.git`). Packs are made and taken by the `git`
//! program; [`http`](Service::serve_git) speaks HTTP around it. References live in Git, outside of the store, so
//! each one that was announced is a document too: after each push, at start and every minute they are compared,
//! and each difference becomes an event in the same commit as the new knowledge (`run/`, `rules/changes.rs`).
//! A push is decided in `http/receive_pack.rs`.
#![forbid(unsafe_code)]

mod api;
mod authorization;
#[doc(hidden)]
pub mod fuzz;
mod git;
mod http;
mod model;
mod repositories;
mod rules;
mod run;
mod service;
mod sources;

pub use crate::http::{Body, unauthorized};
pub use authorization::AUTHORIZATION;
pub use rules::violation::violation;
pub use service::{Dependencies, Service};
