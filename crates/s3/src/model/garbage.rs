//! Blobs on their way out.

use kernel::{Document, Timestamp};
use serde::{Deserialize, Serialize};

/// A blob that a document referred to until the commit that wrote this.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Garbage {
    pub(crate) digest: String,
    /// Tells several for one blob apart.
    pub(crate) id: String,
    /// Since when; it is due at once.
    pub(crate) since: Timestamp,
}

impl Document for Garbage {
    const KIND: &'static str = "s3.garbage";

    fn key(&self) -> String {
        format!("{}/{}", self.digest, self.id)
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.since)
    }
}
