//! What CodeCommit promises to git clients, to API clients, to sister services and to those who wait for its events.
#![expect(clippy::unwrap_used, clippy::expect_used, unreachable_pub, reason = "tests")]

mod api;
mod crash;
mod events;
mod git_client;
mod server;
mod smart_http;
mod sources;
