//! iam as the listener and the other services use it, on a real store.
#![expect(clippy::unwrap_used, reason = "tests")]

mod api;
mod door;
mod git;
mod ground;
mod permissions;
mod roles;
mod sessions;
