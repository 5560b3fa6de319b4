//! S3's documents and their invariants.
//!
//! All lie in one scope ([`scope`]), since bucket names are shared by all accounts and regions.
//!
//! - [`BucketRecord`]: every other document's commit checks that it did not change.
//! - [`Head`]: one a key, while the key has any version. It holds the current version, be it a delete marker, and
//!   every write of the key replaces it, so that writes of one key exclude each other.
//! - [`Archived`]: each version that is not current, newest first behind its key.
//! - [`UploadRecord`] and [`UploadedPart`]: open uploads.
//! - [`Extents`]: the tail of a content that has too many parts for one document.
//! - [`SettingRecord`]: what a bucket is set to, and [`LifecycleWalk`], which carries out its lifecycle rules.
//! - [`Garbage`]: a blob that a document stopped referring to; the reconciler removes it when no other does.
//!
//! Each document that refers to a blob says so by an index row of [`BLOB`].

mod bucket;
mod content;
mod garbage;
mod setting;
mod upload;
mod version;

pub(crate) use bucket::{BucketRecord, OWNER};
pub(crate) use content::{BLOB, Content, Extent, Extents, INLINE_EXTENTS};
pub(crate) use garbage::Garbage;
pub(crate) use setting::{LifecycleWalk, SettingRecord};
pub(crate) use upload::{UploadRecord, UploadedPart};
pub(crate) use version::{Archived, Head, LIVE, Version, VersionId};

use kernel::Scope;

/// Where S3's documents lie.
pub(crate) fn scope() -> Scope {
    Scope::new("-", "-")
}

/// The key of what belongs to an object, in the order in which S3 lists objects.
pub(crate) fn object_key(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}
