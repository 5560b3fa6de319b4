//! The service: what it stands on, and the trait.

use crate::locks::Locks;
use async_trait::async_trait;
use aws::Error;
use aws::s3::*;
use kernel::{Blobs, Caller, Clock, Documents, Ids};
use std::sync::Arc;

/// What S3 stands on.
pub struct Dependencies {
    /// The store's handle for service `s3`.
    pub documents: Documents,
    /// S3's own blob area (`Blobs::open(data_dir, "s3")`): what it does not refer to, it removes.
    pub blobs: Blobs,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub ids: Arc<dyn Ids>,
}

/// S3.
pub struct Service {
    pub(crate) documents: Documents,
    pub(crate) blobs: Blobs,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    /// By blob digest: putting a blob to use and removing it exclude each other. By object: writes take turns.
    pub(crate) locks: Locks,
}

impl Service {
    /// S3 on these.
    pub fn new(dependencies: Dependencies) -> Arc<Self> {
        let Dependencies { documents, blobs, clock, ids } = dependencies;
        Arc::new(Self { documents, blobs, clock, ids, locks: Locks::default() })
    }
}

#[async_trait]
impl Settings for Service {
    async fn put_bucket_setting(&self, caller: &Caller, bucket: &str, setting: Setting) -> Result<(), Error> {
        self.put_setting(caller, bucket, setting).await
    }

    async fn get_bucket_setting(&self, caller: &Caller, bucket: &str, kind: SettingKind) -> Result<Setting, Error> {
        self.stored_setting(caller, bucket, kind).await
    }

    async fn delete_bucket_setting(&self, caller: &Caller, bucket: &str, kind: SettingKind) -> Result<(), Error> {
        self.delete_setting(caller, bucket, kind).await
    }

    async fn get_bucket_policy_status(&self, caller: &Caller, bucket: &str) -> Result<bool, Error> {
        self.policy_is_public(caller, bucket).await
    }

    async fn cors_rules(&self, bucket: &str) -> Result<Vec<CorsRule>, Error> {
        self.rules_of_origin(bucket).await
    }

    async fn put_object_tagging(
        &self,
        caller: &Caller,
        object: &ObjectVersion,
        tags: Tags,
    ) -> Result<Option<String>, Error> {
        self.retag(caller, object, &tags).await
    }

    async fn get_object_tagging(
        &self,
        caller: &Caller,
        object: &ObjectVersion,
    ) -> Result<(Tags, Option<String>), Error> {
        self.tags(caller, object).await
    }

    async fn get_object_attributes(&self, caller: &Caller, object: &ObjectVersion) -> Result<ObjectAttributes, Error> {
        self.attributes(caller, object).await
    }

    async fn get_object_acl(&self, caller: &Caller, object: &ObjectVersion) -> Result<(), Error> {
        self.named_version(caller, object).await.map(drop)
    }

    async fn put_object_acl(&self, caller: &Caller, object: &ObjectVersion) -> Result<(), Error> {
        self.named_version(caller, object).await.map(drop)
    }
}

#[async_trait]
impl S3 for Service {
    async fn create_bucket(&self, caller: &Caller, input: CreateBucket) -> Result<Bucket, Error> {
        self.make_bucket(caller, input).await
    }

    async fn head_bucket(&self, caller: &Caller, bucket: &str) -> Result<Bucket, Error> {
        Ok(self.bucket(caller, bucket).await?.facts())
    }

    async fn get_bucket_location(&self, caller: &Caller, bucket: &str) -> Result<String, Error> {
        Ok(self.bucket(caller, bucket).await?.value.region)
    }

    async fn delete_bucket(&self, caller: &Caller, bucket: &str) -> Result<(), Error> {
        self.remove_bucket(caller, bucket).await
    }

    async fn list_buckets(&self, caller: &Caller, input: ListBuckets) -> Result<BucketPage, Error> {
        self.page_of_buckets(caller, input).await
    }

    async fn put_bucket_versioning(&self, caller: &Caller, bucket: &str, versioning: Versioning) -> Result<(), Error> {
        self.set_versioning(caller, bucket, versioning).await
    }

    async fn get_bucket_versioning(&self, caller: &Caller, bucket: &str) -> Result<Versioning, Error> {
        Ok(self.bucket(caller, bucket).await?.versioning)
    }

    async fn put_object(&self, caller: &Caller, input: PutObject) -> Result<PutObjectOutput, Error> {
        self.put(caller, input).await
    }

    async fn get_object(&self, caller: &Caller, input: GetObject) -> Result<Object, Error> {
        self.get(caller, input).await
    }

    async fn head_object(&self, caller: &Caller, input: GetObject) -> Result<ObjectMeta, Error> {
        self.head(caller, &input).await
    }

    async fn delete_object(&self, caller: &Caller, input: DeleteObject) -> Result<DeleteObjectOutput, Error> {
        self.delete(caller, &input).await
    }

    async fn delete_objects(&self, caller: &Caller, input: DeleteObjects) -> Result<DeleteObjectsOutput, Error> {
        self.delete_many(caller, input).await
    }

    async fn list_objects(&self, caller: &Caller, input: ListObjects) -> Result<ObjectPage, Error> {
        self.page_of_objects(caller, input).await
    }

    async fn list_object_versions(&self, caller: &Caller, input: ListObjectVersions) -> Result<VersionPage, Error> {
        self.page_of_versions(caller, input).await
    }

    async fn copy_object(&self, caller: &Caller, input: CopyObject) -> Result<CopyObjectOutput, Error> {
        self.copy(caller, input).await
    }

    async fn create_multipart_upload(&self, caller: &Caller, input: CreateMultipartUpload) -> Result<Upload, Error> {
        self.open_upload(caller, input).await
    }

    async fn upload_part(&self, caller: &Caller, input: UploadPart) -> Result<UploadPartOutput, Error> {
        self.put_part(caller, input).await
    }

    async fn complete_multipart_upload(
        &self,
        caller: &Caller,
        input: CompleteMultipartUpload,
    ) -> Result<PutObjectOutput, Error> {
        self.complete(caller, input).await
    }

    async fn abort_multipart_upload(&self, caller: &Caller, input: AbortMultipartUpload) -> Result<(), Error> {
        self.abort(caller, &input).await
    }

    async fn list_parts(&self, caller: &Caller, input: ListParts) -> Result<PartPage, Error> {
        self.page_of_parts(caller, input).await
    }

    async fn list_multipart_uploads(&self, caller: &Caller, input: ListMultipartUploads) -> Result<UploadPage, Error> {
        self.page_of_uploads(caller, input).await
    }
}
