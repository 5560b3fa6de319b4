//! S3's errors, by their codes on the wire (Amazon S3 API Reference, "Error responses").

use crate::Error;

/// Nothing has that key (404).
pub fn no_such_key(key: &str) -> Error {
    Error::modelled("NoSuchKey", 404, format!("The specified key does not exist: {key}"))
}

/// Nothing has that version (404).
pub fn no_such_version(key: &str, version_id: &str) -> Error {
    Error::modelled("NoSuchVersion", 404, format!("The specified version does not exist: {key}, version {version_id}"))
}

/// No bucket has that name (404).
pub fn no_such_bucket(bucket: &str) -> Error {
    Error::modelled("NoSuchBucket", 404, format!("The specified bucket does not exist: {bucket}"))
}

/// The upload was never opened, or it was completed or aborted (404).
pub fn no_such_upload(upload_id: &str) -> Error {
    Error::modelled(
        "NoSuchUpload",
        404,
        format!("The specified upload does not exist, or it was completed or aborted: {upload_id}"),
    )
}

/// The caller made that bucket before (409).
pub fn bucket_already_owned_by_you(bucket: &str) -> Error {
    Error::modelled("BucketAlreadyOwnedByYou", 409, format!("You already own the bucket {bucket}."))
}

/// Another account has that bucket (409).
pub fn bucket_already_exists(bucket: &str) -> Error {
    Error::modelled(
        "BucketAlreadyExists",
        409,
        format!("The bucket name {bucket} is taken; names are shared by all accounts."),
    )
}

/// Something is left in the bucket (409).
pub fn bucket_not_empty(bucket: &str) -> Error {
    Error::modelled(
        "BucketNotEmpty",
        409,
        format!("The bucket {bucket} still has objects or versions; delete them first."),
    )
}

/// The name breaks the rules (400).
pub fn invalid_bucket_name(bucket: &str, rule: &str) -> Error {
    Error::modelled("InvalidBucketName", 400, format!("The bucket name {bucket:?} is not valid: {rule}."))
}

/// The caller may not (403).
pub fn access_denied(message: impl Into<String>) -> Error {
    Error::modelled("AccessDenied", 403, message.into())
}

/// A condition of the request does not hold (412).
pub fn precondition_failed(condition: &str) -> Error {
    Error::modelled("PreconditionFailed", 412, format!("At least one of the preconditions did not hold: {condition}"))
}

/// The caller's copy is still good (304).
pub fn not_modified() -> Error {
    Error::modelled("NotModified", 304, "Not Modified")
}

/// Another write of the same key came between (409).
pub fn conditional_request_conflict(key: &str) -> Error {
    Error::modelled(
        "ConditionalRequestConflict",
        409,
        format!("A conflicting operation on {key} occurred while this one was in progress; try again."),
    )
}

/// The range is not in the object (416).
pub fn invalid_range(size: u64) -> Error {
    Error::modelled(
        "InvalidRange",
        416,
        format!("The requested range is not satisfiable: the object has {size} bytes."),
    )
}

/// The part is not in the object (416).
pub fn invalid_part_number(parts: u32) -> Error {
    Error::modelled(
        "InvalidPartNumber",
        416,
        format!("The requested part number is not satisfiable: the object has {parts}."),
    )
}

/// The body is not what its checksum says (400).
pub fn bad_digest(header: &str, given: &str, computed: &str) -> Error {
    Error::modelled(
        "BadDigest",
        400,
        format!("The {header} you specified ({given}) did not match what we received ({computed})."),
    )
}

/// A checksum header is not base64 of the right length (400).
pub fn invalid_digest(header: &str) -> Error {
    Error::modelled("InvalidDigest", 400, format!("The {header} you specified was invalid."))
}

/// The body ended before its length (400).
pub fn incomplete_body(promised: u64, received: u64) -> Error {
    Error::modelled(
        "IncompleteBody",
        400,
        format!("You did not provide the number of bytes specified by Content-Length: {received} of {promised}."),
    )
}

/// A parameter is wrong (400).
pub fn invalid_argument(message: impl Into<String>) -> Error {
    Error::modelled("InvalidArgument", 400, message.into())
}

/// The request makes no sense (400).
pub fn invalid_request(message: impl Into<String>) -> Error {
    Error::modelled("InvalidRequest", 400, message.into())
}

/// A part was never uploaded, or its entity tag or checksum is another (400).
pub fn invalid_part(part_number: u32) -> Error {
    Error::modelled(
        "InvalidPart",
        400,
        format!("Part {part_number} could not be found, or its entity tag or checksum is not the one you gave."),
    )
}

/// The list of parts does not ascend (400).
pub fn invalid_part_order() -> Error {
    Error::modelled("InvalidPartOrder", 400, "The list of parts was not in ascending order by part number.")
}

/// A part other than the last is below 5 MiB (400).
pub fn entity_too_small(part_number: u32, size: u64) -> Error {
    Error::modelled(
        "EntityTooSmall",
        400,
        format!("Part {part_number} has {size} bytes; each part but the last needs at least 5242880."),
    )
}

/// A body is above its limit (400).
pub fn entity_too_large(limit: u64) -> Error {
    Error::modelled(
        "EntityTooLarge",
        400,
        format!("Your proposed upload exceeds the maximum allowed size of {limit} bytes."),
    )
}

/// User metadata is above 2 KiB (400).
pub fn metadata_too_large(size: usize) -> Error {
    Error::modelled(
        "MetadataTooLarge",
        400,
        format!("Your metadata headers have {size} bytes; at most 2048 are allowed."),
    )
}

/// The key is above 1,024 bytes (400).
pub fn key_too_long(size: usize) -> Error {
    Error::modelled("KeyTooLongError", 400, format!("Your key has {size} bytes; at most 1024 are allowed."))
}

/// Not for this resource (405).
pub fn method_not_allowed(message: impl Into<String>) -> Error {
    Error::modelled("MethodNotAllowed", 405, message.into())
}

/// A setting that the bucket does not have (404), by S3's own code for it.
pub fn not_configured(kind: super::SettingKind, bucket: &str) -> Error {
    use super::SettingKind::{
        Accelerate, Acl, Cors, Encryption, Lifecycle, Logging, Notification, ObjectLock, Ownership, Policy,
        PublicAccessBlock, Replication, RequestPayment, Tagging, Website,
    };
    let (code, what) = match kind {
        Cors => ("NoSuchCORSConfiguration", "CORS configuration"),
        Encryption => ("ServerSideEncryptionConfigurationNotFoundError", "server side encryption configuration"),
        Lifecycle => ("NoSuchLifecycleConfiguration", "lifecycle configuration"),
        ObjectLock => ("ObjectLockConfigurationNotFoundError", "Object Lock configuration"),
        Ownership => ("OwnershipControlsNotFoundError", "ownership controls"),
        Policy => ("NoSuchBucketPolicy", "bucket policy"),
        PublicAccessBlock => ("NoSuchPublicAccessBlockConfiguration", "public access block configuration"),
        Replication => ("ReplicationConfigurationNotFoundError", "replication configuration"),
        Tagging => ("NoSuchTagSet", "tag set"),
        Website => ("NoSuchWebsiteConfiguration", "website configuration"),
        Accelerate | Acl | Logging | Notification | RequestPayment => ("NoSuchConfiguration", "configuration"),
    };
    Error::modelled(code, 404, format!("The bucket {bucket} has no {what}."))
}

/// A header or document asks for what Landfall does not do (501).
pub fn not_implemented(what: &str) -> Error {
    let message = format!("A header or setting you provided implies functionality that is not implemented: {what}.");
    Error::modelled("NotImplemented", 501, message)
}

/// A document is not what its schema says (400).
pub fn malformed_xml(message: impl Into<String>) -> Error {
    Error::new("MalformedXML", message)
}

/// A tag breaks a rule (400).
pub fn invalid_tag(message: impl Into<String>) -> Error {
    Error::new("InvalidTag", message)
}

/// ACLs are off, or say more than that the owner has everything (400).
pub fn acl_not_supported() -> Error {
    Error::new("AccessControlListNotSupported", "The bucket does not allow ACLs: its owner owns every object.")
}
