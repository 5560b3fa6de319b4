//! The real program against the server's end of its protocols.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod build;
mod files;
mod harness;
mod host;
mod names;
mod server;
