//! The gate in front of S3: authorize → audit → call.
//!
//! The actions are those of the Service Authorization Reference, "Actions, resources, and condition keys for Amazon
//! S3". S3's constraints are checked by its service, since they are about headers and names, not about a model.

mod settings;

use super::{error::access_denied, *};
use aws_shape::Guard;
use std::sync::Arc;

/// An [`S3`] whose every call is authorized and written down.
pub struct Gated {
    inner: Arc<dyn S3>,
    settings: Arc<dyn Settings>,
    guard: Guard,
}

impl Gated {
    /// Puts the gate in front of `inner`.
    pub fn new<T: S3 + Settings + 'static>(inner: Arc<T>, guard: Guard) -> Self {
        Self { settings: Arc::clone(&inner) as _, inner, guard }
    }

    /// Lets a call in, or answers `AccessDenied`; either way it is written down.
    async fn admit(&self, caller: &Caller, operation: &str, action: &str, resource: &str) -> Result<(), Error> {
        let resources = [resource.to_owned()];
        self.guard.pass(caller, "s3", operation, action, &resources).await.map_err(in_words_of_s3)
    }

    /// As [`Gated::admit`], for what touches one object.
    async fn admit_object(
        &self,
        caller: &Caller,
        operation: &str,
        action: &str,
        object: (&str, &str),
    ) -> Result<(), Error> {
        let resource = object_arn(caller, object.0, object.1);
        self.admit(caller, operation, action, &resource).await
    }

    /// As [`Gated::admit_object`], for what writes one object; its tags are a right of their own.
    async fn admit_write(
        &self,
        caller: &Caller,
        operation: &str,
        object: (&str, &str),
        tagged: bool,
    ) -> Result<(), Error> {
        self.admit_object(caller, operation, "s3:PutObject", object).await?;
        if tagged {
            self.admit_object(caller, operation, "s3:PutObjectTagging", object).await?;
        }
        Ok(())
    }

    /// As [`Gated::admit`], for what touches one bucket.
    async fn admit_bucket(&self, caller: &Caller, operation: &str, action: &str, bucket: &str) -> Result<(), Error> {
        let resource = bucket_arn(caller, bucket);
        self.admit(caller, operation, action, &resource).await
    }
}

/// The ARN of a bucket.
pub fn bucket_arn(caller: &Caller, bucket: &str) -> String {
    format!("arn:{}:s3:::{bucket}", caller.partition)
}

/// The ARN of an object.
pub fn object_arn(caller: &Caller, bucket: &str, key: &str) -> String {
    format!("arn:{}:s3:::{bucket}/{key}", caller.partition)
}

/// S3 says `AccessDenied` where the other services say `AccessDeniedException`.
fn in_words_of_s3(error: Error) -> Error {
    if error.is("AccessDeniedException") { access_denied(error.message) } else { error }
}

/// The action on an object, or on one version of it.
fn versioned<'a>(version_id: &Option<String>, current: &'a str, version: &'a str) -> &'a str {
    if version_id.is_some() { version } else { current }
}

#[async_trait]
impl S3 for Gated {
    async fn create_bucket(&self, caller: &Caller, input: CreateBucket) -> Result<Bucket, Error> {
        self.admit_bucket(caller, "CreateBucket", "s3:CreateBucket", &input.bucket).await?;
        if input.ownership != Ownership::default() {
            self.admit_bucket(caller, "CreateBucket", "s3:PutBucketOwnershipControls", &input.bucket).await?;
        }
        if !input.tags.is_empty() {
            self.admit_bucket(caller, "CreateBucket", "s3:TagResource", &input.bucket).await?;
        }
        self.inner.create_bucket(caller, input).await
    }

    async fn head_bucket(&self, caller: &Caller, bucket: &str) -> Result<Bucket, Error> {
        self.admit_bucket(caller, "HeadBucket", "s3:ListBucket", bucket).await?;
        self.inner.head_bucket(caller, bucket).await
    }

    async fn get_bucket_location(&self, caller: &Caller, bucket: &str) -> Result<String, Error> {
        self.admit_bucket(caller, "GetBucketLocation", "s3:GetBucketLocation", bucket).await?;
        self.inner.get_bucket_location(caller, bucket).await
    }

    async fn delete_bucket(&self, caller: &Caller, bucket: &str) -> Result<(), Error> {
        self.admit_bucket(caller, "DeleteBucket", "s3:DeleteBucket", bucket).await?;
        self.inner.delete_bucket(caller, bucket).await
    }

    async fn list_buckets(&self, caller: &Caller, input: ListBuckets) -> Result<BucketPage, Error> {
        self.admit(caller, "ListBuckets", "s3:ListAllMyBuckets", "*").await?;
        self.inner.list_buckets(caller, input).await
    }

    async fn put_bucket_versioning(&self, caller: &Caller, bucket: &str, versioning: Versioning) -> Result<(), Error> {
        let action = "s3:PutBucketVersioning";
        self.admit_bucket(caller, "PutBucketVersioning", action, bucket).await?;
        self.inner.put_bucket_versioning(caller, bucket, versioning).await
    }

    async fn get_bucket_versioning(&self, caller: &Caller, bucket: &str) -> Result<Versioning, Error> {
        let action = "s3:GetBucketVersioning";
        self.admit_bucket(caller, "GetBucketVersioning", action, bucket).await?;
        self.inner.get_bucket_versioning(caller, bucket).await
    }

    async fn put_object(&self, caller: &Caller, input: PutObject) -> Result<PutObjectOutput, Error> {
        let object = (input.bucket.as_str(), input.key.as_str());
        self.admit_write(caller, "PutObject", object, !input.tags.is_empty()).await?;
        self.inner.put_object(caller, input).await
    }

    async fn get_object(&self, caller: &Caller, input: GetObject) -> Result<Object, Error> {
        let action = versioned(&input.version_id, "s3:GetObject", "s3:GetObjectVersion");
        self.admit_object(caller, "GetObject", action, (&input.bucket, &input.key)).await?;
        self.inner.get_object(caller, input).await
    }

    async fn head_object(&self, caller: &Caller, input: GetObject) -> Result<ObjectMeta, Error> {
        let action = versioned(&input.version_id, "s3:GetObject", "s3:GetObjectVersion");
        self.admit_object(caller, "HeadObject", action, (&input.bucket, &input.key)).await?;
        self.inner.head_object(caller, input).await
    }

    async fn delete_object(&self, caller: &Caller, input: DeleteObject) -> Result<DeleteObjectOutput, Error> {
        let action = delete_action(&input.version_id);
        self.admit_object(caller, "DeleteObject", action, (&input.bucket, &input.key)).await?;
        self.inner.delete_object(caller, input).await
    }

    /// Each object is asked for by itself; one that is denied fails by itself.
    async fn delete_objects(&self, caller: &Caller, mut input: DeleteObjects) -> Result<DeleteObjectsOutput, Error> {
        let mut failed = Vec::new();
        for object in std::mem::take(&mut input.objects) {
            let action = delete_action(&object.version_id);
            let name = (input.bucket.as_str(), object.key.as_str());
            match self.admit_object(caller, "DeleteObjects", action, name).await {
                Ok(()) => input.objects.push(object),
                Err(error) => failed.push(FailedDelete { object, error }),
            }
        }
        let mut output = self.inner.delete_objects(caller, input).await?;
        output.failed.extend(failed);
        Ok(output)
    }

    async fn list_objects(&self, caller: &Caller, input: ListObjects) -> Result<ObjectPage, Error> {
        self.admit_bucket(caller, "ListObjectsV2", "s3:ListBucket", &input.bucket).await?;
        self.inner.list_objects(caller, input).await
    }

    async fn list_object_versions(&self, caller: &Caller, input: ListObjectVersions) -> Result<VersionPage, Error> {
        let action = "s3:ListBucketVersions";
        self.admit_bucket(caller, "ListObjectVersions", action, &input.bucket).await?;
        self.inner.list_object_versions(caller, input).await
    }

    async fn copy_object(&self, caller: &Caller, input: CopyObject) -> Result<CopyObjectOutput, Error> {
        let read = versioned(&input.source_version_id, "s3:GetObject", "s3:GetObjectVersion");
        let source = (input.source_bucket.as_str(), input.source_key.as_str());
        self.admit_object(caller, "CopyObject", read, source).await?;
        let target = (input.bucket.as_str(), input.key.as_str());
        let tagged = input.replace_tags.as_ref().is_some_and(|tags| !tags.is_empty());
        self.admit_write(caller, "CopyObject", target, tagged).await?;
        self.inner.copy_object(caller, input).await
    }

    async fn create_multipart_upload(&self, caller: &Caller, input: CreateMultipartUpload) -> Result<Upload, Error> {
        let object = (input.bucket.as_str(), input.key.as_str());
        self.admit_write(caller, "CreateMultipartUpload", object, !input.tags.is_empty()).await?;
        self.inner.create_multipart_upload(caller, input).await
    }

    async fn upload_part(&self, caller: &Caller, input: UploadPart) -> Result<UploadPartOutput, Error> {
        let object = (input.bucket.as_str(), input.key.as_str());
        self.admit_object(caller, "UploadPart", "s3:PutObject", object).await?;
        self.inner.upload_part(caller, input).await
    }

    async fn complete_multipart_upload(
        &self,
        caller: &Caller,
        input: CompleteMultipartUpload,
    ) -> Result<PutObjectOutput, Error> {
        let object = (input.bucket.as_str(), input.key.as_str());
        self.admit_object(caller, "CompleteMultipartUpload", "s3:PutObject", object).await?;
        self.inner.complete_multipart_upload(caller, input).await
    }

    async fn abort_multipart_upload(&self, caller: &Caller, input: AbortMultipartUpload) -> Result<(), Error> {
        let action = "s3:AbortMultipartUpload";
        let object = (input.bucket.as_str(), input.key.as_str());
        self.admit_object(caller, "AbortMultipartUpload", action, object).await?;
        self.inner.abort_multipart_upload(caller, input).await
    }

    async fn list_parts(&self, caller: &Caller, input: ListParts) -> Result<PartPage, Error> {
        let action = "s3:ListMultipartUploadParts";
        self.admit_object(caller, "ListParts", action, (&input.bucket, &input.key)).await?;
        self.inner.list_parts(caller, input).await
    }

    async fn list_multipart_uploads(&self, caller: &Caller, input: ListMultipartUploads) -> Result<UploadPage, Error> {
        let action = "s3:ListBucketMultipartUploads";
        self.admit_bucket(caller, "ListMultipartUploads", action, &input.bucket).await?;
        self.inner.list_multipart_uploads(caller, input).await
    }
}

fn delete_action(version_id: &Option<String>) -> &'static str {
    versioned(version_id, "s3:DeleteObject", "s3:DeleteObjectVersion")
}
