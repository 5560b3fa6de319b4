//! Lifecycle rules (Amazon S3 User Guide, "Managing the lifecycle of objects").

use super::Tags;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// A bucket's rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// 1 to 1,000.
    pub rules: Vec<LifecycleRule>,
}

/// One rule. It has no transitions: Landfall keeps everything in one storage class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LifecycleRule {
    /// Its name, unique in the bucket.
    pub id: String,
    /// Whether it is in force.
    pub enabled: bool,
    /// Which objects it is about.
    pub filter: LifecycleFilter,
    /// Whether the client wrote the filter as the rule's own `Prefix`, as was done before 2016.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bare_prefix: bool,
    /// When current versions go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<LifecycleExpiry>,
    /// When versions that are no longer current go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noncurrent: Option<NoncurrentExpiry>,
    /// Days after which an upload that was not completed goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_uploads_after: Option<u32>,
}

/// Which objects a rule is about: all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LifecycleFilter {
    /// The key begins so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The object has these tags.
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Larger than so many bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub larger_than: Option<u64>,
    /// Smaller than so many bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smaller_than: Option<u64>,
    /// Whether the client wrote the conditions inside of `And`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub and: bool,
}

/// When current versions go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LifecycleExpiry {
    /// So many days after they were written, at the next midnight UTC.
    Days(u32),
    /// From this midnight UTC on, all of them.
    Date(Timestamp),
    /// A delete marker goes once no version is behind it.
    DeleteMarker,
    /// A rule may say that it leaves such delete markers.
    KeepDeleteMarker,
}

/// When versions that are no longer current go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentExpiry {
    /// So many days after a newer version took their place, at the next midnight UTC.
    pub days: u32,
    /// But the newest so many of them stay, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<u32>,
}
