//! Listings of objects and versions.

use super::ObjectMeta;
use serde::{Deserialize, Serialize};

/// Where a listing of objects goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// After this key.
    Key(String),
    /// After every key that begins so: the last thing listed was this common prefix.
    Prefix(String),
}

/// Which current objects to list.
#[derive(Debug, Clone, Default)]
pub struct ListObjects {
    /// The bucket.
    pub bucket: String,
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys that share what comes before this are rolled up into one common prefix; empty for none.
    pub delimiter: String,
    /// Where to go on: [`ObjectPage::next`] of the page before.
    pub from: Option<Position>,
    /// At most so many keys and prefixes; 1,000 where it is absent, and never more.
    pub limit: Option<usize>,
}

/// A page of objects.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectPage {
    /// By key. Headers and metadata are not filled in.
    pub objects: Vec<ObjectMeta>,
    /// Rolled-up prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// Where the next page goes on, if there is one.
    pub next: Option<Position>,
}

/// Where a listing of versions goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionPosition {
    /// After every version of this key.
    Key(String),
    /// After this version of this key.
    Version(String, String),
    /// After every key that begins so.
    Prefix(String),
}

/// Which versions to list.
#[derive(Debug, Clone, Default)]
pub struct ListObjectVersions {
    /// The bucket.
    pub bucket: String,
    /// Only keys that begin so.
    pub prefix: String,
    /// As in [`ListObjects::delimiter`].
    pub delimiter: String,
    /// Where to go on.
    pub from: Option<VersionPosition>,
    /// At most so many; 1,000 where it is absent, and never more.
    pub limit: Option<usize>,
}

/// One version in a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedVersion {
    /// Its facts; `version_id` is `Some("null")` for a version without one.
    pub meta: ObjectMeta,
    /// Whether it is the key's current version.
    pub is_latest: bool,
    /// Whether it is a delete marker.
    pub delete_marker: bool,
}

/// A page of versions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VersionPage {
    /// By key, then newest first.
    pub versions: Vec<ListedVersion>,
    /// Rolled-up prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// Where the next page goes on, if there is one.
    pub next: Option<VersionPosition>,
}
