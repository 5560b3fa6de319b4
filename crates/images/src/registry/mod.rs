//! The pulling half of the OCI distribution protocol, which is Docker's registry protocol too.

mod auth;
mod challenge;
mod connection;
mod download;
mod fault;
mod repository;

pub(crate) use connection::Connection;
pub(crate) use download::{Partial, download};
pub(crate) use fault::Fault;
pub(crate) use repository::{Found, Repository};

use std::time::Duration;

/// How long a registry is waited for, and how often it is asked again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the beginning of an answer, and for the whole of a small one.
    pub answer: Duration,
    /// For the next bytes of a layer.
    pub idle: Duration,
    /// A layer that comes more slowly than this, in bytes a second over a minute, is asked for again.
    pub slowest: u64,
    /// Before the second try; doubled before each further one.
    pub pause: Duration,
    /// How often something is tried with no progress made.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            slowest: 1024,
            pause: Duration::from_millis(500),
            tries: 4,
        }
    }
}
