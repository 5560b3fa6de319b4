//! Content: a list of blobs.

use kernel::{Document, Index};
use serde::{Deserialize, Serialize};

/// The index of documents by the blobs that they refer to.
pub(crate) const BLOB: &str = "blob";

/// How many extents one document holds.
pub(crate) const INLINE_EXTENTS: usize = 200;

/// One blob of a content: a whole object, or one part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extent {
    /// The blob.
    pub(crate) digest: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its checksum as a part, where the upload named an algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<String>,
}

/// What an object's content is made of: the blobs in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// In bytes.
    pub(crate) size: u64,
    /// The first [`INLINE_EXTENTS`] blobs; none of an empty content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) extents: Vec<Extent>,
    /// Where the others are: the id of [`Extents`] documents, owned by this content alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) more: Option<String>,
}

impl Content {
    /// One index row for each blob referred to here.
    pub(crate) fn references(&self) -> Vec<Index> {
        references(&self.extents)
    }
}

/// Further extents of a [`Content`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Extents {
    /// [`Content::more`].
    pub(crate) id: String,
    /// The place among the documents of this id, from 0.
    pub(crate) place: usize,
    pub(crate) extents: Vec<Extent>,
}

impl Document for Extents {
    const KIND: &'static str = "s3.extents";

    fn key(&self) -> String {
        format!("{}/{:05}", self.id, self.place)
    }

    fn indexes(&self) -> Vec<Index> {
        references(&self.extents)
    }
}

fn references(extents: &[Extent]) -> Vec<Index> {
    let mut digests: Vec<&str> = extents.iter().map(|extent| extent.digest.as_str()).collect();
    digests.sort_unstable();
    digests.dedup();
    digests.into_iter().map(|digest| Index::new(BLOB, digest)).collect()
}
