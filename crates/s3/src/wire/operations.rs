//! The operations that s3s calls, each by name.

use aws::s3::{S3, Settings};
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

/// S3's operations that are built here.
pub const BUILT_OPERATIONS: &[&str] = &[
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateBucket",
    "CreateMultipartUpload",
    "DeleteBucket",
    "DeleteBucketCors",
    "DeleteBucketEncryption",
    "DeleteBucketLifecycle",
    "DeleteBucketOwnershipControls",
    "DeleteBucketPolicy",
    "DeleteBucketTagging",
    "DeleteBucketWebsite",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjects",
    "DeletePublicAccessBlock",
    "GetBucketAccelerateConfiguration",
    "GetBucketAcl",
    "GetBucketCors",
    "GetBucketEncryption",
    "GetBucketLifecycleConfiguration",
    "GetBucketLocation",
    "GetBucketLogging",
    "GetBucketNotificationConfiguration",
    "GetBucketOwnershipControls",
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketReplication",
    "GetBucketRequestPayment",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetBucketWebsite",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectLockConfiguration",
    "GetObjectTagging",
    "GetPublicAccessBlock",
    "HeadBucket",
    "HeadObject",
    "ListBuckets",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PutBucketAccelerateConfiguration",
    "PutBucketAcl",
    "PutBucketCors",
    "PutBucketEncryption",
    "PutBucketLifecycleConfiguration",
    "PutBucketLogging",
    "PutBucketNotificationConfiguration",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketRequestPayment",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutObject",
    "PutObjectAcl",
    "PutObjectTagging",
    "PutPublicAccessBlock",
    "UploadPart",
    "UploadPartCopy",
];

/// s3s's side of the trait: what is not here, s3s answers with `NotImplemented`.
pub(super) struct Adapter {
    pub(super) s3: Arc<dyn S3>,
    pub(super) settings: Arc<dyn Settings>,
}

/// What an adapter's method answers: an output, or one with headers that s3s does not know.
trait Answer<T> {
    fn answer(self) -> S3Response<T>;
}

impl<T> Answer<T> for T {
    fn answer(self) -> S3Response<T> {
        S3Response::new(self)
    }
}

impl<T> Answer<T> for S3Response<T> {
    fn answer(self) -> Self {
        self
    }
}

/// Hands operations to the adapter's methods of another name.
macro_rules! operations {
    ($($operation:ident => $method:ident: $input:ident -> $output:ident;)*) => {
        #[async_trait::async_trait]
        impl s3s::S3 for Adapter {
            $(
                async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    self.$method(request).await.map(Answer::<$output>::answer)
                }
            )*
        }
    };
}

operations! {
    abort_multipart_upload => abort_upload: AbortMultipartUploadInput -> AbortMultipartUploadOutput;
    complete_multipart_upload => complete_upload: CompleteMultipartUploadInput -> CompleteMultipartUploadOutput;
    copy_object => copy: CopyObjectInput -> CopyObjectOutput;
    create_bucket => make_bucket: CreateBucketInput -> CreateBucketOutput;
    create_multipart_upload => open_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput;
    delete_bucket => remove_bucket: DeleteBucketInput -> DeleteBucketOutput;
    delete_bucket_cors => delete_cors: DeleteBucketCorsInput -> DeleteBucketCorsOutput;
    delete_bucket_encryption => delete_encryption: DeleteBucketEncryptionInput -> DeleteBucketEncryptionOutput;
    delete_bucket_lifecycle => delete_lifecycle: DeleteBucketLifecycleInput -> DeleteBucketLifecycleOutput;
    delete_bucket_ownership_controls => delete_ownership: DeleteBucketOwnershipControlsInput -> DeleteBucketOwnershipControlsOutput;
    delete_bucket_policy => delete_policy: DeleteBucketPolicyInput -> DeleteBucketPolicyOutput;
    delete_bucket_tagging => delete_bucket_tags: DeleteBucketTaggingInput -> DeleteBucketTaggingOutput;
    delete_bucket_website => delete_website: DeleteBucketWebsiteInput -> DeleteBucketWebsiteOutput;
    delete_object => delete: DeleteObjectInput -> DeleteObjectOutput;
    delete_object_tagging => delete_object_tags: DeleteObjectTaggingInput -> DeleteObjectTaggingOutput;
    delete_objects => delete_many: DeleteObjectsInput -> DeleteObjectsOutput;
    delete_public_access_block => delete_public_access: DeletePublicAccessBlockInput -> DeletePublicAccessBlockOutput;
    get_bucket_accelerate_configuration => get_accelerate: GetBucketAccelerateConfigurationInput -> GetBucketAccelerateConfigurationOutput;
    get_bucket_acl => get_bucket_acl: GetBucketAclInput -> GetBucketAclOutput;
    get_bucket_cors => get_cors: GetBucketCorsInput -> GetBucketCorsOutput;
    get_bucket_encryption => get_encryption: GetBucketEncryptionInput -> GetBucketEncryptionOutput;
    get_bucket_lifecycle_configuration => get_lifecycle: GetBucketLifecycleConfigurationInput -> GetBucketLifecycleConfigurationOutput;
    get_bucket_location => bucket_location: GetBucketLocationInput -> GetBucketLocationOutput;
    get_bucket_logging => get_logging: GetBucketLoggingInput -> GetBucketLoggingOutput;
    get_bucket_notification_configuration => get_notifications: GetBucketNotificationConfigurationInput -> GetBucketNotificationConfigurationOutput;
    get_bucket_ownership_controls => get_ownership: GetBucketOwnershipControlsInput -> GetBucketOwnershipControlsOutput;
    get_bucket_policy => get_policy: GetBucketPolicyInput -> GetBucketPolicyOutput;
    get_bucket_policy_status => policy_status: GetBucketPolicyStatusInput -> GetBucketPolicyStatusOutput;
    get_bucket_replication => get_replication: GetBucketReplicationInput -> GetBucketReplicationOutput;
    get_bucket_request_payment => get_payment: GetBucketRequestPaymentInput -> GetBucketRequestPaymentOutput;
    get_bucket_tagging => get_bucket_tags: GetBucketTaggingInput -> GetBucketTaggingOutput;
    get_bucket_versioning => versioning: GetBucketVersioningInput -> GetBucketVersioningOutput;
    get_bucket_website => get_website: GetBucketWebsiteInput -> GetBucketWebsiteOutput;
    get_object => get: GetObjectInput -> GetObjectOutput;
    get_object_acl => get_object_acl: GetObjectAclInput -> GetObjectAclOutput;
    get_object_attributes => attributes: GetObjectAttributesInput -> GetObjectAttributesOutput;
    get_object_lock_configuration => get_object_lock: GetObjectLockConfigurationInput -> GetObjectLockConfigurationOutput;
    get_object_tagging => get_object_tags: GetObjectTaggingInput -> GetObjectTaggingOutput;
    get_public_access_block => get_public_access: GetPublicAccessBlockInput -> GetPublicAccessBlockOutput;
    head_bucket => look_at_bucket: HeadBucketInput -> HeadBucketOutput;
    head_object => head: HeadObjectInput -> HeadObjectOutput;
    list_buckets => buckets: ListBucketsInput -> ListBucketsOutput;
    list_multipart_uploads => uploads: ListMultipartUploadsInput -> ListMultipartUploadsOutput;
    list_object_versions => versions: ListObjectVersionsInput -> ListObjectVersionsOutput;
    list_objects => objects: ListObjectsInput -> ListObjectsOutput;
    list_objects_v2 => objects_v2: ListObjectsV2Input -> ListObjectsV2Output;
    list_parts => parts: ListPartsInput -> ListPartsOutput;
    put_bucket_accelerate_configuration => put_accelerate: PutBucketAccelerateConfigurationInput -> PutBucketAccelerateConfigurationOutput;
    put_bucket_acl => put_bucket_acl: PutBucketAclInput -> PutBucketAclOutput;
    put_bucket_cors => put_cors: PutBucketCorsInput -> PutBucketCorsOutput;
    put_bucket_encryption => put_encryption: PutBucketEncryptionInput -> PutBucketEncryptionOutput;
    put_bucket_lifecycle_configuration => put_lifecycle: PutBucketLifecycleConfigurationInput -> PutBucketLifecycleConfigurationOutput;
    put_bucket_logging => put_logging: PutBucketLoggingInput -> PutBucketLoggingOutput;
    put_bucket_notification_configuration => put_notifications: PutBucketNotificationConfigurationInput -> PutBucketNotificationConfigurationOutput;
    put_bucket_ownership_controls => put_ownership: PutBucketOwnershipControlsInput -> PutBucketOwnershipControlsOutput;
    put_bucket_policy => put_policy: PutBucketPolicyInput -> PutBucketPolicyOutput;
    put_bucket_request_payment => put_payment: PutBucketRequestPaymentInput -> PutBucketRequestPaymentOutput;
    put_bucket_tagging => put_bucket_tags: PutBucketTaggingInput -> PutBucketTaggingOutput;
    put_bucket_versioning => set_versioning: PutBucketVersioningInput -> PutBucketVersioningOutput;
    put_object => put: PutObjectInput -> PutObjectOutput;
    put_object_acl => put_object_acl: PutObjectAclInput -> PutObjectAclOutput;
    put_object_tagging => put_object_tags: PutObjectTaggingInput -> PutObjectTaggingOutput;
    put_public_access_block => put_public_access: PutPublicAccessBlockInput -> PutPublicAccessBlockOutput;
    upload_part => put_part: UploadPartInput -> UploadPartOutput;
    upload_part_copy => copy_part: UploadPartCopyInput -> UploadPartCopyOutput;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_operations_is_the_table() {
        let source = include_str!("operations.rs");
        let table = source.split("operations! {\n").nth(1).unwrap_or_default();
        let rows = table.lines().take_while(|line| *line != "}").count();
        assert_eq!(rows, BUILT_OPERATIONS.len());
        assert!(BUILT_OPERATIONS.is_sorted());
    }
}
