//! Objects: put, get, delete, copy.

use super::{Body, Checksum, ChecksumAlgorithm, Expected, Tags};
use crate::Error;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The HTTP headers that S3 keeps with an object and gives back on a read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContentHeaders {
    /// Content-Type; `binary/octet-stream` is given back where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Content-Encoding, without `aws-chunked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// Content-Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// Content-Disposition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// Cache-Control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// Expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// What must hold of the current object for a write to happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteCondition {
    /// Its entity tag must be this one (`NoSuchKey` if there is no object).
    pub if_match: Option<String>,
    /// `If-None-Match: *`: there must be no object.
    pub if_absent: bool,
}

/// What must hold of an object for a read to happen (RFC 9110, section 13).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadCondition {
    /// `PreconditionFailed` unless the entity tag is this one (or this is `*`).
    pub if_match: Option<String>,
    /// `NotModified` if the entity tag is this one (or this is `*`).
    pub if_none_match: Option<String>,
    /// `NotModified` unless it changed since.
    pub if_modified_since: Option<Timestamp>,
    /// `PreconditionFailed` if it changed since.
    pub if_unmodified_since: Option<Timestamp>,
}

/// Stores an object. Begin with [`PutObject::new`].
#[derive(Debug, Default)]
pub struct PutObject {
    /// The bucket.
    pub bucket: String,
    /// The key: at most 1,024 bytes of UTF-8.
    pub key: String,
    /// The content.
    pub body: Body,
    /// Headers to keep.
    pub headers: ContentHeaders,
    /// User metadata (`x-amz-meta-*`), by lower-case name: at most 2 KiB of names and values.
    pub metadata: BTreeMap<String, String>,
    /// Its tags: at most 10.
    pub tags: Tags,
    /// Checksums to verify and keep. The first one is the object's; CRC64NVME where there is none.
    pub checksums: Vec<Expected>,
    /// Content-MD5, in base64.
    pub content_md5: Option<String>,
    /// The SHA-256, in hex, that the request's signature covers.
    pub sha256: Option<String>,
    /// When to refuse.
    pub condition: WriteCondition,
}

impl PutObject {
    /// A plain write.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, body: impl Into<Body>) -> Self {
        Self { bucket: bucket.into(), key: key.into(), body: body.into(), ..Self::default() }
    }
}

/// What was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct PutObjectOutput {
    /// Its entity tag, without quotes: the MD5 in hex, with `-N` behind it after a multipart upload of N parts.
    pub etag: String,
    /// Its version id, in a bucket that is or was versioned.
    pub version_id: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

/// One byte range of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From a position to the end.
    From(u64),
    /// Both ends included.
    Between(u64, u64),
    /// The last so many bytes.
    Last(u64),
}

/// Reads an object. Begin with [`GetObject::new`].
#[derive(Debug, Clone, Default)]
pub struct GetObject {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// One version; the current one where it is absent.
    pub version_id: Option<String>,
    /// One part of an object that was uploaded in parts, from 1.
    pub part_number: Option<u32>,
    /// One range.
    pub range: Option<ByteRange>,
    /// When to refuse.
    pub condition: ReadCondition,
}

impl GetObject {
    /// The whole current version.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into(), ..Self::default() }
    }

    /// That version instead.
    #[must_use]
    pub fn version(mut self, version_id: Option<String>) -> Self {
        self.version_id = version_id;
        self
    }
}

/// An object's facts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectMeta {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its version id, in a bucket that is or was versioned.
    pub version_id: Option<String>,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its whole size in bytes.
    pub size: u64,
    /// When it was written.
    pub last_modified: Timestamp,
    /// Headers kept with it.
    pub headers: ContentHeaders,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// Its checksum.
    pub checksum: Option<Checksum>,
    /// How many parts it was uploaded in.
    pub parts: Option<u32>,
    /// How many tags it has.
    pub tag_count: usize,
    /// First and last byte of what was asked for, where a range or a part was.
    pub range: Option<(u64, u64)>,
}

/// An object with its content.
#[derive(Debug)]
pub struct Object {
    /// Its facts.
    pub meta: ObjectMeta,
    /// Its content, or the range that was asked for.
    pub body: Body,
}

/// Names an object or one version of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectIdentifier {
    /// The key.
    pub key: String,
    /// One version.
    pub version_id: Option<String>,
    /// To delete it only if its entity tag is this one.
    pub if_match: Option<String>,
}

/// Deletes an object or one version.
#[derive(Debug, Clone, Default)]
pub struct DeleteObject {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// This version for good; else the current one, as the bucket's versioning has it.
    pub version_id: Option<String>,
    /// Only if the current entity tag is this one.
    pub if_match: Option<String>,
}

/// What a delete did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteObjectOutput {
    /// The version that was removed, or the new delete marker's.
    pub version_id: Option<String>,
    /// Whether that version is a delete marker.
    pub delete_marker: bool,
}

/// Deletes many objects of one bucket.
#[derive(Debug, Clone, Default)]
pub struct DeleteObjects {
    /// The bucket.
    pub bucket: String,
    /// At most 1,000.
    pub objects: Vec<ObjectIdentifier>,
}

/// What became of each object.
#[derive(Debug, Default)]
pub struct DeleteObjectsOutput {
    /// Those that are gone.
    pub deleted: Vec<DeletedObject>,
    /// Those that stay.
    pub failed: Vec<FailedDelete>,
}

/// One object of [`DeleteObjects`] that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedObject {
    /// As it was named.
    pub object: ObjectIdentifier,
    /// What was done.
    pub output: DeleteObjectOutput,
}

/// One object of [`DeleteObjects`] that stays.
#[derive(Debug)]
pub struct FailedDelete {
    /// As it was named.
    pub object: ObjectIdentifier,
    /// Why it stays.
    pub error: Error,
}

/// Copies an object.
#[derive(Debug, Clone, Default)]
pub struct CopyObject {
    /// From this bucket.
    pub source_bucket: String,
    /// From this key.
    pub source_key: String,
    /// From this version; the current one where it is absent.
    pub source_version_id: Option<String>,
    /// What must hold of the source; each failure is `PreconditionFailed`.
    pub source_condition: ReadCondition,
    /// To this bucket.
    pub bucket: String,
    /// To this key.
    pub key: String,
    /// New headers and metadata (`x-amz-metadata-directive: REPLACE`); those of the source where it is absent.
    pub replace: Option<Replacement>,
    /// New tags (`x-amz-tagging-directive: REPLACE`); those of the source where it is absent.
    pub replace_tags: Option<Tags>,
    /// The checksum that the copy shall have; the source's where it is absent.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
    /// When to refuse.
    pub condition: WriteCondition,
}

/// What replaces the source's headers and metadata in a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replacement {
    /// Headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
}

/// What a copy made.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyObjectOutput {
    /// The copy's entity tag.
    pub etag: String,
    /// When it was made.
    pub last_modified: Timestamp,
    /// Its version id.
    pub version_id: Option<String>,
    /// The version that was copied.
    pub source_version_id: Option<String>,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}
