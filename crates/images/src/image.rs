use std::time::SystemTime;

use crate::{Platform, RunConfig};

/// An image that is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id: the digest of its configuration, as `docker images` shows it.
    pub id: String,
    /// The names that lead to it here, as people write them, in order.
    pub references: Vec<String>,
    /// For which machine it is.
    pub platform: Platform,
    /// Bytes of its files, unpacked; images share layers, so that several take less together.
    pub size: u64,
    /// How many layers it has.
    pub layers: usize,
    /// When it was made, as it says itself (RFC 3339).
    pub created: Option<String>,
    /// When it came here.
    pub pulled: SystemTime,
    /// When a container was last prepared or started from it.
    pub used: SystemTime,
    /// Containers run from it now.
    pub in_use: bool,
    /// What it says about containers.
    pub run: RunConfig,
}
