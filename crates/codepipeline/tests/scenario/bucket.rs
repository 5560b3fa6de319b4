//! S3 as far as a pipeline uses it: objects go in, and copies are made.

use async_trait::async_trait;
use aws::Error;
use aws::s3::*;
use kernel::{Caller, Timestamp};

use super::sisters::Sisters;

fn unused(operation: &str) -> Error {
    Error::new("NotScripted", format!("a pipeline does not call {operation}"))
}

#[async_trait]
impl S3 for Sisters {
    async fn put_object(&self, _: &Caller, input: PutObject) -> Result<PutObjectOutput, Error> {
        let content = input.body.collect(1 << 20).await.map_err(Error::internal)?;
        let text = String::from_utf8_lossy(&content).into_owned();
        let size = content.len() as u64;
        self.objects.lock().unwrap().insert(format!("{}/{}", input.bucket, input.key), text);
        Ok(PutObjectOutput { etag: "e".to_owned(), version_id: None, size, checksum: None })
    }

    async fn head_object(&self, _: &Caller, input: GetObject) -> Result<ObjectMeta, Error> {
        if !self.objects.lock().unwrap().contains_key(&format!("{}/{}", input.bucket, input.key)) {
            return Err(error::no_such_key(&input.key));
        }
        let versioned = input.bucket != "unversioned";
        let version_id = input.version_id.or_else(|| versioned.then(|| "v-1".to_owned()));
        Ok(ObjectMeta { version_id, etag: "e".to_owned(), ..ObjectMeta::default() })
    }

    async fn copy_object(&self, _: &Caller, input: CopyObject) -> Result<CopyObjectOutput, Error> {
        let mut objects = self.objects.lock().unwrap();
        let source = objects.get(&format!("{}/{}", input.source_bucket, input.source_key)).cloned();
        objects.insert(
            format!("{}/{}", input.bucket, input.key),
            source.ok_or_else(|| error::no_such_key(&input.source_key))?,
        );
        Ok(CopyObjectOutput {
            etag: "e".to_owned(),
            last_modified: Timestamp::default(),
            version_id: None,
            source_version_id: input.source_version_id,
            checksum: None,
        })
    }

    async fn create_bucket(&self, _: &Caller, _: CreateBucket) -> Result<Bucket, Error> {
        Err(unused("create_bucket"))
    }

    async fn head_bucket(&self, _: &Caller, _: &str) -> Result<Bucket, Error> {
        Err(unused("head_bucket"))
    }

    async fn get_bucket_location(&self, _: &Caller, _: &str) -> Result<String, Error> {
        Err(unused("get_bucket_location"))
    }

    async fn delete_bucket(&self, _: &Caller, _: &str) -> Result<(), Error> {
        Err(unused("delete_bucket"))
    }

    async fn list_buckets(&self, _: &Caller, _: ListBuckets) -> Result<BucketPage, Error> {
        Err(unused("list_buckets"))
    }

    async fn put_bucket_versioning(&self, _: &Caller, _: &str, _: Versioning) -> Result<(), Error> {
        Err(unused("put_bucket_versioning"))
    }

    async fn get_bucket_versioning(&self, _: &Caller, _: &str) -> Result<Versioning, Error> {
        Err(unused("get_bucket_versioning"))
    }

    async fn get_object(&self, _: &Caller, _: GetObject) -> Result<Object, Error> {
        Err(unused("get_object"))
    }

    async fn delete_object(&self, _: &Caller, input: DeleteObject) -> Result<DeleteObjectOutput, Error> {
        self.objects.lock().unwrap().remove(&format!("{}/{}", input.bucket, input.key));
        Ok(DeleteObjectOutput::default())
    }

    async fn delete_objects(&self, _: &Caller, _: DeleteObjects) -> Result<DeleteObjectsOutput, Error> {
        Err(unused("delete_objects"))
    }

    async fn list_objects(&self, _: &Caller, _: ListObjects) -> Result<ObjectPage, Error> {
        Err(unused("list_objects"))
    }

    async fn list_object_versions(&self, _: &Caller, _: ListObjectVersions) -> Result<VersionPage, Error> {
        Err(unused("list_object_versions"))
    }

    async fn create_multipart_upload(&self, _: &Caller, _: CreateMultipartUpload) -> Result<Upload, Error> {
        Err(unused("create_multipart_upload"))
    }

    async fn upload_part(&self, _: &Caller, _: UploadPart) -> Result<UploadPartOutput, Error> {
        Err(unused("upload_part"))
    }

    async fn complete_multipart_upload(
        &self,
        _: &Caller,
        _: CompleteMultipartUpload,
    ) -> Result<PutObjectOutput, Error> {
        Err(unused("complete_multipart_upload"))
    }

    async fn abort_multipart_upload(&self, _: &Caller, _: AbortMultipartUpload) -> Result<(), Error> {
        Err(unused("abort_multipart_upload"))
    }

    async fn list_parts(&self, _: &Caller, _: ListParts) -> Result<PartPage, Error> {
        Err(unused("list_parts"))
    }

    async fn list_multipart_uploads(&self, _: &Caller, _: ListMultipartUploads) -> Result<UploadPage, Error> {
        Err(unused("list_multipart_uploads"))
    }
}
