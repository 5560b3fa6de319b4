//! Object versions.

use super::{Content, object_key};
use aws::s3::{Checksum, ContentHeaders, ObjectMeta, Tags};
use kernel::{Document, Index, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The index of keys that have an object now, by bucket, in the order of keys.
pub(crate) const LIVE: &str = "live";

/// A version's id. The one without an id is called `null` on the wire; a key has at most one of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionId<'a> {
    Null,
    Id(&'a str),
}

impl<'a> VersionId<'a> {
    /// The id of a wire name.
    pub(crate) fn parse(name: &'a str) -> Self {
        if name == "null" { Self::Null } else { Self::Id(name) }
    }

    /// The id of the `sequence`th version of a key: 32 characters that tell where it lies.
    pub(crate) fn make(sequence: u64, random: &str) -> String {
        format!("{sequence:010x}{random}")
    }

    /// The sequence that [`VersionId::make`] put in.
    pub(crate) fn sequence(id: &str) -> Option<u64> {
        u64::from_str_radix(id.get(..10)?, 16).ok()
    }
}

/// One version of an object, or a delete marker.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Version {
    /// Absent of the null version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// Counts the writes of the key.
    pub(crate) sequence: u64,
    #[serde(default)]
    pub(crate) delete_marker: bool,
    pub(crate) etag: String,
    pub(crate) content: Content,
    pub(crate) last_modified: Timestamp,
    #[serde(default)]
    pub(crate) headers: ContentHeaders,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub(crate) tags: Tags,
    #[serde(default)]
    pub(crate) checksum: Option<Checksum>,
    /// How many parts it was uploaded in; absent of a single upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parts: Option<u32>,
    /// The upload that it was; to complete that again answers the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upload_id: Option<String>,
}

impl Version {
    pub(crate) fn is(&self, id: VersionId<'_>) -> bool {
        match id {
            VersionId::Null => self.id.is_none(),
            VersionId::Id(id) => self.id.as_deref() == Some(id),
        }
    }

    /// What callers see of it.
    pub(crate) fn facts(&self, bucket: &str, key: &str) -> ObjectMeta {
        ObjectMeta {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: self.id.clone(),
            etag: self.etag.clone(),
            size: self.content.size,
            last_modified: self.last_modified,
            headers: self.headers.clone(),
            metadata: self.metadata.clone(),
            checksum: self.checksum.clone(),
            parts: self.parts,
            tag_count: self.tags.len(),
            range: None,
        }
    }
}

/// A key that has versions, with the current one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) bucket: String,
    /// The object's key.
    pub(crate) key: String,
    pub(crate) current: Version,
    /// Where the null version is, if it is archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) archived_null: Option<u64>,
}

impl Document for Head {
    const KIND: &'static str = "s3.object";

    fn key(&self) -> String {
        object_key(&self.bucket, &self.key)
    }

    fn indexes(&self) -> Vec<Index> {
        let mut rows = self.current.content.references();
        if !self.current.delete_marker {
            rows.push(Index::new(LIVE, &self.bucket).sorted(&self.key));
        }
        rows
    }
}

/// A version that is not the current one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Archived {
    pub(crate) bucket: String,
    /// The object's key.
    pub(crate) key: String,
    pub(crate) version: Version,
}

impl Archived {
    /// The document key of the `sequence`th version of a key: newest first.
    pub(crate) fn key_of(bucket: &str, key: &str, sequence: u64) -> String {
        format!("{}{:016x}", Self::prefix(bucket, key), u64::MAX - sequence)
    }

    /// What the document keys of a key's versions begin with.
    pub(crate) fn prefix(bucket: &str, key: &str) -> String {
        format!("{}\0", object_key(bucket, key))
    }
}

impl Document for Archived {
    const KIND: &'static str = "s3.version";

    fn key(&self) -> String {
        Self::key_of(&self.bucket, &self.key, self.version.sequence)
    }

    fn indexes(&self) -> Vec<Index> {
        self.version.content.references()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_versions_come_first_and_before_longer_keys() {
        let keys = [Archived::key_of("b", "k", 2), Archived::key_of("b", "k", 1), Archived::key_of("b", "k!", 9)];
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn an_id_tells_its_sequence() {
        let id = VersionId::make(300, "0123456789012345678901");
        assert_eq!(id.len(), 32);
        assert_eq!(VersionId::sequence(&id), Some(300));
        assert_eq!(VersionId::sequence("nonsense"), None);
        assert_eq!(VersionId::parse("null"), VersionId::Null);
    }
}
