//! Which settings a bucket may have, and what S3 says of one that was never put.

mod cors;
mod lifecycle;
mod notifications;

pub(crate) use cors::{Preflight, allow};

use super::{policy, tags};
use aws::Error;
use aws::s3::{Encryption, Notifications, PublicAccessBlock, Setting, SettingKind, error};

/// The most bytes of a setting: it is one document of the store. AWS has limits of its own below or near this one
/// (a policy 20 KB, cross-origin rules 64 KB); only more than some 400 lifecycle rules meet it before AWS's.
pub(crate) const LARGEST: usize = 60_000;

/// Whether a bucket may be set so.
///
/// # Errors
/// S3's code for what is wrong with it.
pub(crate) fn check(setting: &Setting, bucket: &str) -> Result<(), Error> {
    match setting {
        Setting::Cors(rules) => cors::check(rules),
        Setting::Encryption(encryption) => check_encryption(encryption),
        Setting::Lifecycle(lifecycle) => lifecycle::check(lifecycle),
        Setting::Notification(notifications) => notifications::check(notifications),
        Setting::Policy(text) => policy::check(text, bucket),
        Setting::Tagging(tags) => tags::check_tags(tags),
        Setting::Accelerate
        | Setting::Acl
        | Setting::Logging
        | Setting::Ownership(_)
        | Setting::PublicAccessBlock(_)
        | Setting::RequestPayment => Ok(()),
    }
}

/// Whether a policy may be put while public access is blocked so.
///
/// # Errors
/// `AccessDenied` for a policy that lets everybody in, where those are blocked.
pub(crate) fn check_public(setting: &Setting, block: PublicAccessBlock, bucket: &str) -> Result<(), Error> {
    match setting {
        Setting::Policy(text) if block.block_public_policy && policy::is_public(text) => {
            Err(error::access_denied(format!(
                "The policy lets everybody in, and public policies are blocked by the BlockPublicPolicy setting in \
                 Block Public Access of the bucket {bucket}."
            )))
        }
        _ => Ok(()),
    }
}

/// Whether there is anything to keep of a setting: some are the same in every bucket, and some are put empty to be
/// taken away.
pub(crate) fn is_kept(setting: &Setting) -> bool {
    match setting {
        Setting::Accelerate | Setting::Acl | Setting::Logging | Setting::RequestPayment => false,
        Setting::Notification(notifications) => notifications.eventbridge || !notifications.targets.is_empty(),
        _ => true,
    }
}

/// What S3 says of a bucket where a setting was never put, or was deleted.
///
/// # Errors
/// S3's code for the lack of it.
pub(crate) fn unset(kind: SettingKind, bucket: &str) -> Result<Setting, Error> {
    match kind {
        SettingKind::Accelerate => Ok(Setting::Accelerate),
        SettingKind::Acl => Ok(Setting::Acl),
        SettingKind::Encryption => Ok(Setting::Encryption(Encryption::standard())),
        SettingKind::Logging => Ok(Setting::Logging),
        SettingKind::Notification => Ok(Setting::Notification(Notifications::default())),
        SettingKind::RequestPayment => Ok(Setting::RequestPayment),
        SettingKind::Cors
        | SettingKind::Lifecycle
        | SettingKind::ObjectLock
        | SettingKind::Ownership
        | SettingKind::Policy
        | SettingKind::PublicAccessBlock
        | SettingKind::Replication
        | SettingKind::Tagging
        | SettingKind::Website => Err(error::not_configured(kind, bucket)),
    }
}

fn check_encryption(encryption: &Encryption) -> Result<(), Error> {
    let kms = match encryption.algorithm.as_str() {
        "AES256" => false,
        "aws:kms" | "aws:kms:dsse" => true,
        _ => return Err(error::malformed_xml("SSEAlgorithm is one of AES256, aws:kms and aws:kms:dsse.")),
    };
    if encryption.kms_key_id.is_some() && !kms {
        let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
        return Err(error::invalid_argument(message));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_without_settings_says_what_s3_says() {
        let table = [
            (SettingKind::Cors, "NoSuchCORSConfiguration"),
            (SettingKind::Lifecycle, "NoSuchLifecycleConfiguration"),
            (SettingKind::ObjectLock, "ObjectLockConfigurationNotFoundError"),
            (SettingKind::Ownership, "OwnershipControlsNotFoundError"),
            (SettingKind::Policy, "NoSuchBucketPolicy"),
            (SettingKind::PublicAccessBlock, "NoSuchPublicAccessBlockConfiguration"),
            (SettingKind::Replication, "ReplicationConfigurationNotFoundError"),
            (SettingKind::Tagging, "NoSuchTagSet"),
            (SettingKind::Website, "NoSuchWebsiteConfiguration"),
        ];
        for (kind, code) in table {
            let error = unset(kind, "b").unwrap_err();
            assert_eq!((error.code.as_str(), error.status), (code, 404), "{kind:?}");
        }
        for kind in [
            SettingKind::Accelerate,
            SettingKind::Acl,
            SettingKind::Encryption,
            SettingKind::Logging,
            SettingKind::Notification,
            SettingKind::RequestPayment,
        ] {
            assert_eq!(unset(kind, "b").unwrap().kind(), kind);
        }
    }

    #[test]
    fn encryption_names_an_algorithm_and_a_key_where_it_has_one() {
        let of = |algorithm: &str, key: Option<&str>| Encryption {
            algorithm: algorithm.to_owned(),
            kms_key_id: key.map(str::to_owned),
            bucket_key: None,
        };
        let code = |encryption: &Encryption| check_encryption(encryption).err().map(|error| error.code);
        assert_eq!(code(&of("AES256", None)), None);
        assert_eq!(code(&of("aws:kms", Some("k"))), None);
        assert_eq!(code(&of("AES256", Some("k"))), Some("InvalidArgument".to_owned()));
        assert_eq!(code(&of("ROT13", None)), Some("MalformedXML".to_owned()));
    }

    #[test]
    fn public_policies_are_blocked_where_they_are() {
        let policy = "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\"}}";
        let policy = Setting::Policy(policy.to_owned());
        assert!(check_public(&policy, PublicAccessBlock::all(), "b").unwrap_err().is("AccessDenied"));
        assert!(check_public(&policy, PublicAccessBlock::default(), "b").is_ok());
    }
}
