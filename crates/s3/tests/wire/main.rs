//! The REST API, request by request: what clients that are no SDK send, and what must not hurt.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bodies;
mod door;
mod hostile;
mod listings;
mod requests;
mod server;
mod settings;
