//! What S3 keeps beside content: the settings of buckets, the tags and parts of objects.
//!
//! A trait of its own, so that a sister service that only moves objects need not know of it.

mod cors;
mod lifecycle;
mod notifications;

pub use cors::CorsRule;
pub use lifecycle::{Lifecycle, LifecycleExpiry, LifecycleFilter, LifecycleRule, NoncurrentExpiry};
pub use notifications::{NotificationTarget, Notifications, TargetKind};

use super::{ChecksumAlgorithm, ObjectMeta};
use crate::Error;
use async_trait::async_trait;
use kernel::Caller;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tags of a bucket or an object.
pub type Tags = BTreeMap<String, String>;

/// S3's settings, as CloudFormation and the wire see them.
///
/// Errors are as in [`super::S3`]; a setting that a bucket does not have answers with the code that S3 has for it
/// (`NoSuchBucketPolicy`, `NoSuchTagSet`, …).
#[async_trait]
pub trait Settings: Send + Sync {
    /// Replaces one setting of a bucket, after a check that Landfall can honour all of it.
    async fn put_bucket_setting(&self, caller: &Caller, bucket: &str, setting: Setting) -> Result<(), Error>;

    /// One setting of a bucket: as it was put, or what S3 says of a bucket where it never was.
    async fn get_bucket_setting(&self, caller: &Caller, bucket: &str, kind: SettingKind) -> Result<Setting, Error>;

    /// Takes one setting away. That it was not there does not matter.
    async fn delete_bucket_setting(&self, caller: &Caller, bucket: &str, kind: SettingKind) -> Result<(), Error>;

    /// Whether the bucket's policy lets everybody in; `NoSuchBucketPolicy` if it has none.
    async fn get_bucket_policy_status(&self, caller: &Caller, bucket: &str) -> Result<bool, Error>;

    /// The bucket's cross-origin rules, for the wire to apply: a browser asks before anybody signs. None of a bucket
    /// that is not there.
    async fn cors_rules(&self, bucket: &str) -> Result<Vec<CorsRule>, Error>;

    /// Replaces the tags of an object version; none takes them away. Answers the version's id.
    async fn put_object_tagging(
        &self,
        caller: &Caller,
        object: &ObjectVersion,
        tags: Tags,
    ) -> Result<Option<String>, Error>;

    /// The tags of an object version, and its id.
    async fn get_object_tagging(
        &self,
        caller: &Caller,
        object: &ObjectVersion,
    ) -> Result<(Tags, Option<String>), Error>;

    /// What is known of an object version and of the parts that it was uploaded in.
    async fn get_object_attributes(&self, caller: &Caller, object: &ObjectVersion) -> Result<ObjectAttributes, Error>;

    /// Whether the object is there, for those who ask for its access control list: its owner alone has all of it.
    async fn get_object_acl(&self, caller: &Caller, object: &ObjectVersion) -> Result<(), Error>;

    /// Accepts that only the owner has the object, which is so anyway.
    async fn put_object_acl(&self, caller: &Caller, object: &ObjectVersion) -> Result<(), Error>;
}

/// Names one version of an object; the current one where it says none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectVersion {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// One version.
    pub version_id: Option<String>,
}

/// What [`Settings::get_object_attributes`] knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectAttributes {
    /// The object's facts.
    pub meta: ObjectMeta,
    /// The parts of a multipart upload, from number 1; empty of a single one.
    pub parts: Vec<PartAttributes>,
}

/// One part of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartAttributes {
    /// In bytes.
    pub size: u64,
    /// Its checksum, where the upload named an algorithm.
    pub checksum: Option<(ChecksumAlgorithm, String)>,
}

/// Which setting of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SettingKind {
    /// Transfer acceleration.
    Accelerate,
    /// The access control list.
    Acl,
    /// Cross-origin rules.
    Cors,
    /// Default encryption.
    Encryption,
    /// Lifecycle rules.
    Lifecycle,
    /// Access logs.
    Logging,
    /// Event notifications.
    Notification,
    /// Object lock; never configured here.
    ObjectLock,
    /// Who owns what others upload.
    Ownership,
    /// The bucket's policy.
    Policy,
    /// Block public access.
    PublicAccessBlock,
    /// Replication; never configured here.
    Replication,
    /// Who pays.
    RequestPayment,
    /// Tags.
    Tagging,
    /// Static website hosting; never configured here.
    Website,
}

/// A setting of a bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Setting {
    /// Transfer acceleration: always off.
    Accelerate,
    /// The access control list: the owner alone.
    Acl,
    /// Cross-origin rules, in order.
    Cors(Vec<CorsRule>),
    /// What new objects are encrypted with. Kept and returned; contents lie on disk as they came.
    Encryption(Encryption),
    /// Which objects go when.
    Lifecycle(Lifecycle),
    /// Access logs: always off.
    Logging,
    /// Whom changes are told.
    Notification(Notifications),
    /// Who owns what others upload.
    Ownership(Ownership),
    /// A policy document in JSON, as it was put.
    Policy(String),
    /// Block public access.
    PublicAccessBlock(PublicAccessBlock),
    /// Who pays: always the owner.
    RequestPayment,
    /// Tags.
    Tagging(Tags),
}

impl Setting {
    /// Which setting this is.
    pub const fn kind(&self) -> SettingKind {
        match self {
            Self::Accelerate => SettingKind::Accelerate,
            Self::Acl => SettingKind::Acl,
            Self::Cors(_) => SettingKind::Cors,
            Self::Encryption(_) => SettingKind::Encryption,
            Self::Lifecycle(_) => SettingKind::Lifecycle,
            Self::Logging => SettingKind::Logging,
            Self::Notification(_) => SettingKind::Notification,
            Self::Ownership(_) => SettingKind::Ownership,
            Self::Policy(_) => SettingKind::Policy,
            Self::PublicAccessBlock(_) => SettingKind::PublicAccessBlock,
            Self::RequestPayment => SettingKind::RequestPayment,
            Self::Tagging(_) => SettingKind::Tagging,
        }
    }
}

/// Default encryption (ServerSideEncryptionRule).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// The KMS key, for the latter two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// Whether data keys are shared by objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_key: Option<bool>,
}

impl Encryption {
    /// What every bucket has since 2023, unless it says otherwise.
    pub fn standard() -> Self {
        Self { algorithm: "AES256".to_owned(), kms_key_id: None, bucket_key: Some(false) }
    }
}

/// Object ownership.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// ACLs are off: the bucket's owner owns everything. What new buckets have since 2023.
    #[default]
    BucketOwnerEnforced,
    /// The bucket's owner owns what is uploaded with `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// Whoever uploads owns.
    ObjectWriter,
}

impl Ownership {
    /// Every value with its name on the wire.
    const NAMES: [(Self, &'static str); 3] = [
        (Self::BucketOwnerEnforced, "BucketOwnerEnforced"),
        (Self::BucketOwnerPreferred, "BucketOwnerPreferred"),
        (Self::ObjectWriter, "ObjectWriter"),
    ];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }

    /// The value of a wire name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(value, _)| value)
    }
}

/// Block public access, by its four switches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    /// Refuse public ACLs.
    pub block_public_acls: bool,
    /// Ignore public ACLs.
    pub ignore_public_acls: bool,
    /// Refuse a policy that lets everybody in.
    pub block_public_policy: bool,
    /// Let only AWS services and the owner's account in while the policy lets everybody in.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// What new buckets have since 2023.
    pub const fn all() -> Self {
        Self {
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ownership_is_read_as_it_is_written() {
        for (value, name) in Ownership::NAMES {
            assert_eq!((value.name(), Ownership::parse(name)), (name, Some(value)));
        }
        assert_eq!(Ownership::parse("Nobody"), None);
    }
}
