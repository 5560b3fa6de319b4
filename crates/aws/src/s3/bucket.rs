//! Buckets.

use super::{Ownership, Tags};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether a bucket keeps old versions of its objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// Never switched on: one version an object, with no version id.
    #[default]
    Unversioned,
    /// Each write makes a version; a delete leaves a marker.
    Enabled,
    /// Old versions stay; new writes have the version id `null` and replace each other.
    Suspended,
}

/// Makes a bucket.
#[derive(Debug, Clone, Default)]
pub struct CreateBucket {
    /// Its name: 3 to 63 of lower-case letters, digits, dots and hyphens.
    pub bucket: String,
    /// Its region; the caller's where it is absent.
    pub region: Option<String>,
    /// Who owns what others upload.
    pub ownership: Ownership,
    /// Its tags.
    pub tags: Tags,
}

/// A bucket's facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub account: String,
    /// The region that it was made for.
    pub region: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its versioning.
    pub versioning: Versioning,
}

/// Which of the caller's buckets to list.
#[derive(Debug, Clone, Default)]
pub struct ListBuckets {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Only buckets of this region.
    pub region: Option<String>,
    /// Only names after this one: [`BucketPage::next`] of the page before.
    pub after: Option<String>,
    /// At most so many; 10,000 where it is absent.
    pub limit: Option<usize>,
}

/// A page of buckets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BucketPage {
    /// By name.
    pub buckets: Vec<Bucket>,
    /// Where the next page goes on.
    pub next: Option<String>,
}
