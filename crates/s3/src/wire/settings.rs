//! Settings of buckets on the wire: those of a few members each; larger ones have files of their own.

mod acl;
mod cors;
mod lifecycle;
mod notifications;

use super::convert::{caller, refused};
use super::operations::Adapter;
use super::to_s3s;
use crate::rules::tags::unique;
use aws::Error;
use aws::s3::{self as ours, Setting, SettingKind, Tags, error};
use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Result};

impl Adapter {
    /// Puts a setting.
    async fn put_setting<T>(
        &self,
        request: &S3Request<T>,
        bucket: &str,
        setting: Result<Setting, Error>,
    ) -> S3Result<()> {
        let caller = caller(request)?;
        let setting = setting.map_err(refused(&caller))?;
        self.settings.put_bucket_setting(&caller, bucket, setting).await.map_err(refused(&caller))
    }

    async fn setting<T>(&self, request: &S3Request<T>, bucket: &str, kind: SettingKind) -> S3Result<Setting> {
        let caller = caller(request)?;
        self.settings.get_bucket_setting(&caller, bucket, kind).await.map_err(refused(&caller))
    }

    async fn delete_setting<T>(&self, request: &S3Request<T>, bucket: &str, kind: SettingKind) -> S3Result<()> {
        let caller = caller(request)?;
        self.settings.delete_bucket_setting(&caller, bucket, kind).await.map_err(refused(&caller))
    }

    pub(super) async fn put_ownership(
        &self,
        request: S3Request<PutBucketOwnershipControlsInput>,
    ) -> S3Result<PutBucketOwnershipControlsOutput> {
        let setting = match &request.input.ownership_controls.rules[..] {
            [rule] => ownership(&rule.object_ownership).map(Setting::Ownership),
            _ => Err(error::malformed_xml("OwnershipControls holds exactly one rule.")),
        };
        self.put_setting(&request, &request.input.bucket, setting).await?;
        Ok(PutBucketOwnershipControlsOutput::default())
    }

    pub(super) async fn get_ownership(
        &self,
        request: S3Request<GetBucketOwnershipControlsInput>,
    ) -> S3Result<GetBucketOwnershipControlsOutput> {
        let setting = self.setting(&request, &request.input.bucket, SettingKind::Ownership).await?;
        let Setting::Ownership(ownership) = setting else { return Err(another(&setting)) };
        let rule = OwnershipControlsRule { object_ownership: ObjectOwnership::from_static(ownership.name()) };
        Ok(GetBucketOwnershipControlsOutput { ownership_controls: Some(OwnershipControls { rules: vec![rule] }) })
    }

    pub(super) async fn delete_ownership(
        &self,
        request: S3Request<DeleteBucketOwnershipControlsInput>,
    ) -> S3Result<DeleteBucketOwnershipControlsOutput> {
        self.delete_setting(&request, &request.input.bucket, SettingKind::Ownership).await?;
        Ok(DeleteBucketOwnershipControlsOutput::default())
    }

    pub(super) async fn put_encryption(
        &self,
        request: S3Request<PutBucketEncryptionInput>,
    ) -> S3Result<PutBucketEncryptionOutput> {
        let setting = encryption(&request.input.server_side_encryption_configuration.rules);
        self.put_setting(&request, &request.input.bucket, setting.map(Setting::Encryption)).await?;
        Ok(PutBucketEncryptionOutput::default())
    }

    pub(super) async fn get_encryption(
        &self,
        request: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<GetBucketEncryptionOutput> {
        let setting = self.setting(&request, &request.input.bucket, SettingKind::Encryption).await?;
        let Setting::Encryption(encryption) = setting else { return Err(another(&setting)) };
        let rule = ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
                kms_master_key_id: encryption.kms_key_id,
                sse_algorithm: ServerSideEncryption::from(encryption.algorithm),
            }),
            bucket_key_enabled: encryption.bucket_key,
        };
        let configuration = ServerSideEncryptionConfiguration { rules: vec![rule] };
        Ok(GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) })
    }

    pub(super) async fn delete_encryption(
        &self,
        request: S3Request<DeleteBucketEncryptionInput>,
    ) -> S3Result<DeleteBucketEncryptionOutput> {
        self.delete_setting(&request, &request.input.bucket, SettingKind::Encryption).await?;
        Ok(DeleteBucketEncryptionOutput::default())
    }

    pub(super) async fn put_policy(&self, request: S3Request<PutBucketPolicyInput>) -> S3Result<PutBucketPolicyOutput> {
        let setting = Setting::Policy(request.input.policy.clone());
        self.put_setting(&request, &request.input.bucket, Ok(setting)).await?;
        Ok(PutBucketPolicyOutput::default())
    }

    pub(super) async fn get_policy(&self, request: S3Request<GetBucketPolicyInput>) -> S3Result<GetBucketPolicyOutput> {
        let setting = self.setting(&request, &request.input.bucket, SettingKind::Policy).await?;
        let Setting::Policy(policy) = setting else { return Err(another(&setting)) };
        Ok(GetBucketPolicyOutput { policy: Some(policy) })
    }

    pub(super) async fn delete_policy(
        &self,
        request: S3Request<DeleteBucketPolicyInput>,
    ) -> S3Result<DeleteBucketPolicyOutput> {
        self.delete_setting(&request, &request.input.bucket, SettingKind::Policy).await?;
        Ok(DeleteBucketPolicyOutput::default())
    }

    pub(super) async fn policy_status(
        &self,
        request: S3Request<GetBucketPolicyStatusInput>,
    ) -> S3Result<GetBucketPolicyStatusOutput> {
        let caller = caller(&request)?;
        let public = self.settings.get_bucket_policy_status(&caller, &request.input.bucket).await;
        let is_public = Some(public.map_err(refused(&caller))?);
        Ok(GetBucketPolicyStatusOutput { policy_status: Some(PolicyStatus { is_public }) })
    }

    pub(super) async fn put_public_access(
        &self,
        request: S3Request<PutPublicAccessBlockInput>,
    ) -> S3Result<PutPublicAccessBlockOutput> {
        let asked = &request.input.public_access_block_configuration;
        let block = ours::PublicAccessBlock {
            block_public_acls: asked.block_public_acls.unwrap_or_default(),
            ignore_public_acls: asked.ignore_public_acls.unwrap_or_default(),
            block_public_policy: asked.block_public_policy.unwrap_or_default(),
            restrict_public_buckets: asked.restrict_public_buckets.unwrap_or_default(),
        };
        self.put_setting(&request, &request.input.bucket, Ok(Setting::PublicAccessBlock(block))).await?;
        Ok(PutPublicAccessBlockOutput::default())
    }

    pub(super) async fn get_public_access(
        &self,
        request: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<GetPublicAccessBlockOutput> {
        let setting = self.setting(&request, &request.input.bucket, SettingKind::PublicAccessBlock).await?;
        let Setting::PublicAccessBlock(block) = setting else { return Err(another(&setting)) };
        let configuration = PublicAccessBlockConfiguration {
            block_public_acls: Some(block.block_public_acls),
            ignore_public_acls: Some(block.ignore_public_acls),
            block_public_policy: Some(block.block_public_policy),
            restrict_public_buckets: Some(block.restrict_public_buckets),
        };
        Ok(GetPublicAccessBlockOutput { public_access_block_configuration: Some(configuration) })
    }

    pub(super) async fn delete_public_access(
        &self,
        request: S3Request<DeletePublicAccessBlockInput>,
    ) -> S3Result<DeletePublicAccessBlockOutput> {
        self.delete_setting(&request, &request.input.bucket, SettingKind::PublicAccessBlock).await?;
        Ok(DeletePublicAccessBlockOutput::default())
    }

    pub(super) async fn put_bucket_tags(
        &self,
        request: S3Request<PutBucketTaggingInput>,
    ) -> S3Result<PutBucketTaggingOutput> {
        let setting = tags(&request.input.tagging.tag_set).map(Setting::Tagging);
        self.put_setting(&request, &request.input.bucket, setting).await?;
        Ok(PutBucketTaggingOutput::default())
    }

    pub(super) async fn get_bucket_tags(
        &self,
        request: S3Request<GetBucketTaggingInput>,
    ) -> S3Result<GetBucketTaggingOutput> {
        let setting = self.setting(&request, &request.input.bucket, SettingKind::Tagging).await?;
        let Setting::Tagging(tags) = setting else { return Err(another(&setting)) };
        Ok(GetBucketTaggingOutput { tag_set: tag_set(tags) })
    }

    pub(super) async fn delete_bucket_tags(
        &self,
        request: S3Request<DeleteBucketTaggingInput>,
    ) -> S3Result<DeleteBucketTaggingOutput> {
        self.delete_setting(&request, &request.input.bucket, SettingKind::Tagging).await?;
        Ok(DeleteBucketTaggingOutput::default())
    }

    pub(super) async fn put_logging(
        &self,
        request: S3Request<PutBucketLoggingInput>,
    ) -> S3Result<PutBucketLoggingOutput> {
        let setting = match request.input.bucket_logging_status.logging_enabled {
            None => Ok(Setting::Logging),
            Some(_) => Err(error::not_implemented("LoggingEnabled")),
        };
        self.put_setting(&request, &request.input.bucket, setting).await?;
        Ok(PutBucketLoggingOutput::default())
    }

    pub(super) async fn get_logging(
        &self,
        request: S3Request<GetBucketLoggingInput>,
    ) -> S3Result<GetBucketLoggingOutput> {
        self.setting(&request, &request.input.bucket, SettingKind::Logging).await?;
        Ok(GetBucketLoggingOutput::default())
    }

    pub(super) async fn put_payment(
        &self,
        request: S3Request<PutBucketRequestPaymentInput>,
    ) -> S3Result<PutBucketRequestPaymentOutput> {
        let setting = match request.input.request_payment_configuration.payer.as_str() {
            Payer::BUCKET_OWNER => Ok(Setting::RequestPayment),
            Payer::REQUESTER => Err(error::not_implemented("Payer Requester")),
            _ => Err(error::malformed_xml("Payer is BucketOwner or Requester.")),
        };
        self.put_setting(&request, &request.input.bucket, setting).await?;
        Ok(PutBucketRequestPaymentOutput::default())
    }

    pub(super) async fn get_payment(
        &self,
        request: S3Request<GetBucketRequestPaymentInput>,
    ) -> S3Result<GetBucketRequestPaymentOutput> {
        self.setting(&request, &request.input.bucket, SettingKind::RequestPayment).await?;
        Ok(GetBucketRequestPaymentOutput { payer: Some(Payer::from_static(Payer::BUCKET_OWNER)) })
    }

    pub(super) async fn put_accelerate(
        &self,
        request: S3Request<PutBucketAccelerateConfigurationInput>,
    ) -> S3Result<PutBucketAccelerateConfigurationOutput> {
        let status = request.input.accelerate_configuration.status.as_ref();
        let setting = match status.map(BucketAccelerateStatus::as_str) {
            Some(BucketAccelerateStatus::SUSPENDED) => Ok(Setting::Accelerate),
            Some(BucketAccelerateStatus::ENABLED) => Err(error::not_implemented("AccelerateConfiguration Enabled")),
            _ => Err(error::malformed_xml("The status of an AccelerateConfiguration is Enabled or Suspended.")),
        };
        self.put_setting(&request, &request.input.bucket, setting).await?;
        Ok(PutBucketAccelerateConfigurationOutput::default())
    }

    pub(super) async fn get_accelerate(
        &self,
        request: S3Request<GetBucketAccelerateConfigurationInput>,
    ) -> S3Result<GetBucketAccelerateConfigurationOutput> {
        self.setting(&request, &request.input.bucket, SettingKind::Accelerate).await?;
        Ok(GetBucketAccelerateConfigurationOutput::default())
    }

    pub(super) async fn get_website(
        &self,
        request: S3Request<GetBucketWebsiteInput>,
    ) -> S3Result<GetBucketWebsiteOutput> {
        Err(another(&self.setting(&request, &request.input.bucket, SettingKind::Website).await?))
    }

    pub(super) async fn delete_website(
        &self,
        request: S3Request<DeleteBucketWebsiteInput>,
    ) -> S3Result<DeleteBucketWebsiteOutput> {
        self.delete_setting(&request, &request.input.bucket, SettingKind::Website).await?;
        Ok(DeleteBucketWebsiteOutput::default())
    }

    pub(super) async fn get_replication(
        &self,
        request: S3Request<GetBucketReplicationInput>,
    ) -> S3Result<GetBucketReplicationOutput> {
        Err(another(&self.setting(&request, &request.input.bucket, SettingKind::Replication).await?))
    }

    pub(super) async fn get_object_lock(
        &self,
        request: S3Request<GetObjectLockConfigurationInput>,
    ) -> S3Result<GetObjectLockConfigurationOutput> {
        Err(another(&self.setting(&request, &request.input.bucket, SettingKind::ObjectLock).await?))
    }
}

/// The store answered with another setting than was asked for.
fn another(setting: &Setting) -> S3Error {
    to_s3s(Error::internal(format!("another setting was stored: {:?}", setting.kind())), "")
}

pub(super) fn ownership(name: &ObjectOwnership) -> Result<ours::Ownership, Error> {
    let message = "ObjectOwnership is BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter.";
    ours::Ownership::parse(name.as_str()).ok_or_else(|| error::malformed_xml(message))
}

fn encryption(rules: &[ServerSideEncryptionRule]) -> Result<ours::Encryption, Error> {
    let [rule] = rules else { return Err(error::malformed_xml("There is exactly one encryption rule.")) };
    let by_default = rule.apply_server_side_encryption_by_default.as_ref();
    let (algorithm, kms_key_id) = match by_default {
        Some(by_default) => (by_default.sse_algorithm.as_str().to_owned(), by_default.kms_master_key_id.clone()),
        None => return Err(error::malformed_xml("The rule lacks ApplyServerSideEncryptionByDefault.")),
    };
    Ok(ours::Encryption { algorithm, kms_key_id, bucket_key: rule.bucket_key_enabled })
}

/// Tags of a document.
///
/// # Errors
/// `MalformedXML` for one without a key or a value, `InvalidTag` for a key that is there twice.
pub(super) fn tags(set: &[Tag]) -> Result<Tags, Error> {
    let pairs = set.iter().map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect::<Option<Vec<_>>>();
    unique(pairs.ok_or_else(|| error::malformed_xml("A tag has a Key and a Value."))?)
}

pub(super) fn tag_set(tags: Tags) -> TagSet {
    tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect()
}
