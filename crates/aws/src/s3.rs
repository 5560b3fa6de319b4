//! S3 between services: the [`S3`] trait, which `crates/s3` implements and every other crate calls.
//!
//! S3 is the one service whose shapes are written by hand: its bodies stream, and half of its wire is headers.
//! The wire (`crates/s3/src/wire`) is only the outside of this trait. Sister services hold an `Arc<dyn S3>` behind
//! [`Gated`], so that their calls are authorized and audited like those from outside.
//!
//! Names follow the Amazon S3 API Reference. Three things differ from the wire, and make it simpler to call:
//! entity tags are bare (no quotes), the place where a listing goes on is typed ([`Position`]) instead of an opaque
//! token, and a checksum is one value with its algorithm instead of five optional members.

mod body;
mod bucket;
mod checksum;
pub mod error;
mod gated;
mod list;
mod multipart;
mod object;
mod settings;

pub use body::Body;
pub use bucket::{Bucket, BucketPage, CreateBucket, ListBuckets, Versioning};
pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumKind, Expectation, Expected};
pub use gated::{Gated, bucket_arn, object_arn};
pub use list::{ListObjectVersions, ListObjects, ListedVersion, ObjectPage, Position, VersionPage, VersionPosition};
pub use multipart::{
    AbortMultipartUpload, CompleteMultipartUpload, CompletedPart, CreateMultipartUpload, ListMultipartUploads,
    ListParts, Part, PartPage, Upload, UploadPage, UploadPart, UploadPartOutput, UploadPosition,
};
pub use object::{
    ByteRange, ContentHeaders, CopyObject, CopyObjectOutput, DeleteObject, DeleteObjectOutput, DeleteObjects,
    DeleteObjectsOutput, DeletedObject, FailedDelete, GetObject, Object, ObjectIdentifier, ObjectMeta, PutObject,
    PutObjectOutput, ReadCondition, Replacement, WriteCondition,
};
pub use settings::{
    CorsRule, Encryption, Lifecycle, LifecycleExpiry, LifecycleFilter, LifecycleRule, NoncurrentExpiry,
    NotificationTarget, Notifications, ObjectAttributes, ObjectVersion, Ownership, PartAttributes, PublicAccessBlock,
    Setting, SettingKind, Settings, Tags, TargetKind,
};

use crate::Error;
use async_trait::async_trait;
use kernel::Caller;

/// Amazon S3, as its sister services and its wire see it.
///
/// Every method fails with an [`Error`] that carries S3's own code (`NoSuchBucket`, `PreconditionFailed`, …; the
/// constructors are in [`error`]). A write that returned is durable. A bucket's name is unique over all accounts and
/// regions; a bucket of another account answers `AccessDenied`.
#[async_trait]
pub trait S3: Send + Sync {
    /// Makes a bucket; `BucketAlreadyOwnedByYou` or `BucketAlreadyExists` if the name is taken.
    async fn create_bucket(&self, caller: &Caller, input: CreateBucket) -> Result<Bucket, Error>;

    /// The bucket's facts: region, owner, versioning. `NoSuchBucket` if there is none.
    async fn head_bucket(&self, caller: &Caller, bucket: &str) -> Result<Bucket, Error>;

    /// The bucket's region, for those who may ask no more.
    async fn get_bucket_location(&self, caller: &Caller, bucket: &str) -> Result<String, Error>;

    /// Removes an empty bucket; `BucketNotEmpty` while any object version is left. Open uploads are aborted.
    async fn delete_bucket(&self, caller: &Caller, bucket: &str) -> Result<(), Error>;

    /// The caller's own buckets, by name.
    async fn list_buckets(&self, caller: &Caller, input: ListBuckets) -> Result<BucketPage, Error>;

    /// Switches versioning on, or suspends it. It never goes back to [`Versioning::Unversioned`].
    async fn put_bucket_versioning(&self, caller: &Caller, bucket: &str, versioning: Versioning) -> Result<(), Error>;

    /// The bucket's versioning state.
    async fn get_bucket_versioning(&self, caller: &Caller, bucket: &str) -> Result<Versioning, Error>;

    /// Stores an object, streaming its body to disk while hashing it once.
    async fn put_object(&self, caller: &Caller, input: PutObject) -> Result<PutObjectOutput, Error>;

    /// Reads an object or one range of it.
    async fn get_object(&self, caller: &Caller, input: GetObject) -> Result<Object, Error>;

    /// What [`S3::get_object`] would say, without its body.
    async fn head_object(&self, caller: &Caller, input: GetObject) -> Result<ObjectMeta, Error>;

    /// Deletes an object, leaving a delete marker where the bucket is versioned, or one version for good. Deleting
    /// what is not there succeeds.
    async fn delete_object(&self, caller: &Caller, input: DeleteObject) -> Result<DeleteObjectOutput, Error>;

    /// Deletes up to 1,000 objects or versions; each succeeds or fails by itself.
    async fn delete_objects(&self, caller: &Caller, input: DeleteObjects) -> Result<DeleteObjectsOutput, Error>;

    /// Current objects in UTF-8 byte order, at most 1,000 a page.
    async fn list_objects(&self, caller: &Caller, input: ListObjects) -> Result<ObjectPage, Error>;

    /// All versions and delete markers, by key and then newest first, at most 1,000 a page.
    async fn list_object_versions(&self, caller: &Caller, input: ListObjectVersions) -> Result<VersionPage, Error>;

    /// Copies an object by reference: no byte of its content moves.
    async fn copy_object(&self, caller: &Caller, input: CopyObject) -> Result<CopyObjectOutput, Error>;

    /// Opens a multipart upload.
    async fn create_multipart_upload(&self, caller: &Caller, input: CreateMultipartUpload) -> Result<Upload, Error>;

    /// Stores one part; the same number again replaces it.
    async fn upload_part(&self, caller: &Caller, input: UploadPart) -> Result<UploadPartOutput, Error>;

    /// Makes the parts one object, by reference.
    async fn complete_multipart_upload(
        &self,
        caller: &Caller,
        input: CompleteMultipartUpload,
    ) -> Result<PutObjectOutput, Error>;

    /// Drops an upload and its parts.
    async fn abort_multipart_upload(&self, caller: &Caller, input: AbortMultipartUpload) -> Result<(), Error>;

    /// The parts that an open upload has, by number.
    async fn list_parts(&self, caller: &Caller, input: ListParts) -> Result<PartPage, Error>;

    /// Open uploads, by key and then by age.
    async fn list_multipart_uploads(&self, caller: &Caller, input: ListMultipartUploads) -> Result<UploadPage, Error>;
}
