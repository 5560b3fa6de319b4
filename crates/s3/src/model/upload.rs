//! Multipart uploads.

use super::{Content, object_key};
use aws::s3::{Checksum, ChecksumAlgorithm, ChecksumKind, ContentHeaders, Part, Tags, Upload};
use kernel::{Document, Index, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An open upload. Each part's commit checks that it is still open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UploadRecord {
    pub(crate) bucket: String,
    /// The object's key.
    pub(crate) key: String,
    /// Sorts by time.
    pub(crate) upload_id: String,
    pub(crate) initiated: Timestamp,
    #[serde(default)]
    pub(crate) headers: ContentHeaders,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub(crate) tags: Tags,
    /// What the client asked for; CRC64NVME is computed where that is nothing.
    pub(crate) checksum_algorithm: Option<ChecksumAlgorithm>,
    pub(crate) checksum_kind: ChecksumKind,
}

impl UploadRecord {
    /// What callers see of it.
    pub(crate) fn facts(&self) -> Upload {
        Upload {
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            upload_id: self.upload_id.clone(),
            initiated: self.initiated,
            checksum_algorithm: self.checksum_algorithm,
            checksum_kind: self.checksum_kind,
        }
    }

    /// The algorithm of the object's checksum.
    pub(crate) fn algorithm(&self) -> ChecksumAlgorithm {
        self.checksum_algorithm.unwrap_or(ChecksumAlgorithm::Crc64Nvme)
    }

    /// The document key of an upload.
    pub(crate) fn key_of(bucket: &str, key: &str, upload_id: &str) -> String {
        format!("{}\0{upload_id}", object_key(bucket, key))
    }
}

impl Document for UploadRecord {
    const KIND: &'static str = "s3.upload";

    fn key(&self) -> String {
        Self::key_of(&self.bucket, &self.key, &self.upload_id)
    }
}

/// One stored part of an open upload.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct UploadedPart {
    pub(crate) upload_id: String,
    pub(crate) number: u32,
    /// MD5 in hex.
    pub(crate) etag: String,
    pub(crate) content: Content,
    pub(crate) last_modified: Timestamp,
    pub(crate) checksum: Option<Checksum>,
}

impl UploadedPart {
    /// What callers see of it.
    pub(crate) fn facts(&self) -> Part {
        Part {
            part_number: self.number,
            etag: self.etag.clone(),
            size: self.content.size,
            last_modified: self.last_modified,
            checksum: self.checksum.clone(),
        }
    }

    /// The document key of a part.
    pub(crate) fn key_of(upload_id: &str, number: u32) -> String {
        format!("{upload_id}/{number:05}")
    }
}

impl Document for UploadedPart {
    const KIND: &'static str = "s3.part";

    fn key(&self) -> String {
        Self::key_of(&self.upload_id, self.number)
    }

    fn indexes(&self) -> Vec<Index> {
        self.content.references()
    }
}
