//! The gate's rows for settings, tags and attributes.

use super::{Gated, bucket_arn, object_arn, versioned};
use crate::Error;
use crate::s3::{CorsRule, ObjectAttributes, ObjectVersion, Setting, SettingKind, Settings, Tags};
use async_trait::async_trait;
use kernel::Caller;

/// What is done to a setting.
#[derive(Clone, Copy)]
enum Verb {
    Get,
    Put,
    Delete,
}

/// Operation and action of reading, writing and deleting each setting.
type Row = (SettingKind, [(&'static str, &'static str); 3]);

/// By kind. Where S3 has no operation of that verb, the row names none: such a call does not exist on the wire.
const ROWS: &[Row] = &[
    (
        SettingKind::Accelerate,
        [
            ("GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration"),
            ("PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration"),
            NONE,
        ],
    ),
    (SettingKind::Acl, [("GetBucketAcl", "s3:GetBucketAcl"), ("PutBucketAcl", "s3:PutBucketAcl"), NONE]),
    (
        SettingKind::Cors,
        [
            ("GetBucketCors", "s3:GetBucketCORS"),
            ("PutBucketCors", "s3:PutBucketCORS"),
            ("DeleteBucketCors", "s3:PutBucketCORS"),
        ],
    ),
    (
        SettingKind::Encryption,
        [
            ("GetBucketEncryption", "s3:GetEncryptionConfiguration"),
            ("PutBucketEncryption", "s3:PutEncryptionConfiguration"),
            ("DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
        ],
    ),
    (
        SettingKind::Lifecycle,
        [
            ("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
            ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
            ("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"),
        ],
    ),
    (
        SettingKind::Logging,
        [("GetBucketLogging", "s3:GetBucketLogging"), ("PutBucketLogging", "s3:PutBucketLogging"), NONE],
    ),
    (
        SettingKind::Notification,
        [
            ("GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
            ("PutBucketNotificationConfiguration", "s3:PutBucketNotification"),
            NONE,
        ],
    ),
    (SettingKind::ObjectLock, [("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"), NONE, NONE]),
    (
        SettingKind::Ownership,
        [
            ("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls"),
            ("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
            ("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
        ],
    ),
    (
        SettingKind::Policy,
        [
            ("GetBucketPolicy", "s3:GetBucketPolicy"),
            ("PutBucketPolicy", "s3:PutBucketPolicy"),
            ("DeleteBucketPolicy", "s3:DeleteBucketPolicy"),
        ],
    ),
    (
        SettingKind::PublicAccessBlock,
        [
            ("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
            ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
            ("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
        ],
    ),
    (SettingKind::Replication, [("GetBucketReplication", "s3:GetReplicationConfiguration"), NONE, NONE]),
    (
        SettingKind::RequestPayment,
        [
            ("GetBucketRequestPayment", "s3:GetBucketRequestPayment"),
            ("PutBucketRequestPayment", "s3:PutBucketRequestPayment"),
            NONE,
        ],
    ),
    (
        SettingKind::Tagging,
        [
            ("GetBucketTagging", "s3:GetBucketTagging"),
            ("PutBucketTagging", "s3:PutBucketTagging"),
            ("DeleteBucketTagging", "s3:PutBucketTagging"),
        ],
    ),
    (
        SettingKind::Website,
        [("GetBucketWebsite", "s3:GetBucketWebsite"), NONE, ("DeleteBucketWebsite", "s3:DeleteBucketWebsite")],
    ),
];

/// No policy can allow the action without a name.
const NONE: (&str, &str) = ("", "s3:");

/// Operation and action.
fn row(kind: SettingKind, verb: Verb) -> (&'static str, &'static str) {
    let found = ROWS.iter().find(|(known, _)| *known == kind);
    found.map_or(NONE, |(_, verbs)| verbs[verb as usize])
}

impl Gated {
    async fn admit_setting(&self, caller: &Caller, kind: SettingKind, verb: Verb, bucket: &str) -> Result<(), Error> {
        let (operation, action) = row(kind, verb);
        self.admit(caller, operation, action, &bucket_arn(caller, bucket)).await
    }

    /// As [`Gated::admit`], for an action on an object or on one of its versions.
    async fn admit_version(
        &self,
        caller: &Caller,
        operation: &str,
        (current, version): (&str, &str),
        object: &ObjectVersion,
    ) -> Result<(), Error> {
        let action = versioned(&object.version_id, current, version);
        self.admit(caller, operation, action, &object_arn(caller, &object.bucket, &object.key)).await
    }
}

#[async_trait]
impl Settings for Gated {
    async fn put_bucket_setting(&self, caller: &Caller, bucket: &str, setting: Setting) -> Result<(), Error> {
        self.admit_setting(caller, setting.kind(), Verb::Put, bucket).await?;
        self.settings.put_bucket_setting(caller, bucket, setting).await
    }

    async fn get_bucket_setting(&self, caller: &Caller, bucket: &str, kind: SettingKind) -> Result<Setting, Error> {
        self.admit_setting(caller, kind, Verb::Get, bucket).await?;
        self.settings.get_bucket_setting(caller, bucket, kind).await
    }

    async fn delete_bucket_setting(&self, caller: &Caller, bucket: &str, kind: SettingKind) -> Result<(), Error> {
        self.admit_setting(caller, kind, Verb::Delete, bucket).await?;
        self.settings.delete_bucket_setting(caller, bucket, kind).await
    }

    async fn get_bucket_policy_status(&self, caller: &Caller, bucket: &str) -> Result<bool, Error> {
        let resource = bucket_arn(caller, bucket);
        self.admit(caller, "GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", &resource).await?;
        self.settings.get_bucket_policy_status(caller, bucket).await
    }

    /// Not an operation of S3's: it is told to browsers, without a caller.
    async fn cors_rules(&self, bucket: &str) -> Result<Vec<CorsRule>, Error> {
        self.settings.cors_rules(bucket).await
    }

    async fn put_object_tagging(
        &self,
        caller: &Caller,
        object: &ObjectVersion,
        tags: Tags,
    ) -> Result<Option<String>, Error> {
        let (operation, actions) = if tags.is_empty() {
            ("DeleteObjectTagging", ("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"))
        } else {
            ("PutObjectTagging", ("s3:PutObjectTagging", "s3:PutObjectVersionTagging"))
        };
        self.admit_version(caller, operation, actions, object).await?;
        self.settings.put_object_tagging(caller, object, tags).await
    }

    async fn get_object_tagging(
        &self,
        caller: &Caller,
        object: &ObjectVersion,
    ) -> Result<(Tags, Option<String>), Error> {
        let actions = ("s3:GetObjectTagging", "s3:GetObjectVersionTagging");
        self.admit_version(caller, "GetObjectTagging", actions, object).await?;
        self.settings.get_object_tagging(caller, object).await
    }

    /// Reading an object's attributes takes the right to read the object as well.
    async fn get_object_attributes(&self, caller: &Caller, object: &ObjectVersion) -> Result<ObjectAttributes, Error> {
        let operation = "GetObjectAttributes";
        self.admit_version(caller, operation, ("s3:GetObject", "s3:GetObjectVersion"), object).await?;
        let actions = ("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes");
        self.admit_version(caller, operation, actions, object).await?;
        self.settings.get_object_attributes(caller, object).await
    }

    async fn get_object_acl(&self, caller: &Caller, object: &ObjectVersion) -> Result<(), Error> {
        self.admit_version(caller, "GetObjectAcl", ("s3:GetObjectAcl", "s3:GetObjectVersionAcl"), object).await?;
        self.settings.get_object_acl(caller, object).await
    }

    async fn put_object_acl(&self, caller: &Caller, object: &ObjectVersion) -> Result<(), Error> {
        self.admit_version(caller, "PutObjectAcl", ("s3:PutObjectAcl", "s3:PutObjectVersionAcl"), object).await?;
        self.settings.put_object_acl(caller, object).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_setting_has_its_rows() {
        let kinds: BTreeSet<SettingKind> = ROWS.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds.len(), ROWS.len());
        for (kind, verbs) in ROWS {
            assert!(!verbs[Verb::Get as usize].0.is_empty(), "{kind:?} cannot be read");
            for (operation, action) in verbs.iter().filter(|row| **row != NONE) {
                assert!(action.starts_with("s3:") && action.len() > 3, "{operation}");
            }
        }
        assert_eq!(row(SettingKind::Cors, Verb::Delete), ("DeleteBucketCors", "s3:PutBucketCORS"));
        assert_eq!(row(SettingKind::Acl, Verb::Delete), NONE);
    }
}
