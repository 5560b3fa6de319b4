//! A bucket.

use aws::s3::{Bucket, Versioning};
use kernel::{Document, Index, Timestamp};
use serde::{Deserialize, Serialize};

/// The index of buckets by the account that owns them.
pub(crate) const OWNER: &str = "owner";

/// A bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BucketRecord {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) created: Timestamp,
    pub(crate) versioning: Versioning,
    /// Whether changes are told to EventBridge: part of the notification setting, here for every write to see.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) eventbridge: bool,
    /// Set while a delete looks whether the bucket is empty: writes fail meanwhile. Undone then if the delete died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleting_until: Option<Timestamp>,
}

impl BucketRecord {
    /// What callers see of it.
    pub(crate) fn facts(&self) -> Bucket {
        Bucket {
            name: self.name.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
            created: self.created,
            versioning: self.versioning,
        }
    }
}

impl Document for BucketRecord {
    const KIND: &'static str = "s3.bucket";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn indexes(&self) -> Vec<Index> {
        vec![Index::new(OWNER, &self.account).sorted(&self.name)]
    }

    fn due(&self) -> Option<Timestamp> {
        self.deleting_until
    }
}
