//! Multipart uploads.

use super::{Body, Checksum, ChecksumAlgorithm, ChecksumKind, ContentHeaders, Expected, Tags, WriteCondition};
use kernel::Timestamp;
use std::collections::BTreeMap;

/// Opens an upload.
#[derive(Debug, Clone, Default)]
pub struct CreateMultipartUpload {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Headers of the object to be.
    pub headers: ContentHeaders,
    /// User metadata of the object to be.
    pub metadata: BTreeMap<String, String>,
    /// Tags of the object to be.
    pub tags: Tags,
    /// The checksum that each part will carry; CRC64NVME over the whole where it is absent.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
    /// What the object's checksum will cover; composite where it is absent, but CRC64NVME is always full.
    pub checksum_kind: Option<ChecksumKind>,
}

/// An open upload.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its id.
    pub upload_id: String,
    /// When it was opened.
    pub initiated: Timestamp,
    /// The checksum of the object to be.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
    /// What that checksum will cover.
    pub checksum_kind: ChecksumKind,
}

/// Stores one part.
#[derive(Debug, Default)]
pub struct UploadPart {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The upload.
    pub upload_id: String,
    /// 1 to 10,000.
    pub part_number: u32,
    /// The content.
    pub body: Body,
    /// Checksums to verify and keep.
    pub checksums: Vec<Expected>,
    /// Content-MD5, in base64.
    pub content_md5: Option<String>,
    /// The SHA-256, in hex, that the request's signature covers.
    pub sha256: Option<String>,
}

/// The stored part.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadPartOutput {
    /// Its MD5 in hex.
    pub etag: String,
    /// Its checksum.
    pub checksum: Option<Checksum>,
    /// When it was stored.
    pub last_modified: Timestamp,
}

/// One part as the client names it when it completes an upload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompletedPart {
    /// Its number.
    pub part_number: u32,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its checksum, verified where it is given.
    pub checksum: Option<(ChecksumAlgorithm, String)>,
}

/// Makes an object of parts.
#[derive(Debug, Clone, Default)]
pub struct CompleteMultipartUpload {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The upload.
    pub upload_id: String,
    /// In ascending order; each but the last has at least 5 MiB.
    pub parts: Vec<CompletedPart>,
    /// The object's checksum, verified where it is given.
    pub checksum: Option<(ChecksumAlgorithm, String)>,
    /// The object's size in bytes, verified where it is given.
    pub size: Option<u64>,
    /// When to refuse.
    pub condition: WriteCondition,
}

/// Names an upload to drop.
#[derive(Debug, Clone, Default)]
pub struct AbortMultipartUpload {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The upload.
    pub upload_id: String,
}

/// Which parts to list.
#[derive(Debug, Clone, Default)]
pub struct ListParts {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The upload.
    pub upload_id: String,
    /// Only parts after this number.
    pub after: Option<u32>,
    /// At most so many; 1,000 where it is absent, and never more.
    pub limit: Option<usize>,
}

/// One stored part.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its number.
    pub part_number: u32,
    /// Its entity tag.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored.
    pub last_modified: Timestamp,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

/// A page of parts.
#[derive(Debug, Clone, PartialEq)]
pub struct PartPage {
    /// The upload that they belong to.
    pub upload: Upload,
    /// By number.
    pub parts: Vec<Part>,
    /// The number after which the next page goes on.
    pub next: Option<u32>,
}

/// Where a listing of uploads goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadPosition {
    /// After every upload of this key.
    Key(String),
    /// After this upload of this key.
    Upload(String, String),
    /// After every key that begins so.
    Prefix(String),
}

/// Which uploads to list.
#[derive(Debug, Clone, Default)]
pub struct ListMultipartUploads {
    /// The bucket.
    pub bucket: String,
    /// Only keys that begin so.
    pub prefix: String,
    /// As in [`super::ListObjects::delimiter`].
    pub delimiter: String,
    /// Where to go on.
    pub from: Option<UploadPosition>,
    /// At most so many; 1,000 where it is absent, and never more.
    pub limit: Option<usize>,
}

/// A page of uploads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UploadPage {
    /// By key, then by age.
    pub uploads: Vec<Upload>,
    /// Rolled-up prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// Where the next page goes on, if there is one.
    pub next: Option<UploadPosition>,
}
