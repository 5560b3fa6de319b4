//! An S3 that has nothing and notes what it was asked.

use async_trait::async_trait;
use aws::Error;
use aws::s3::*;
use kernel::Caller;
use std::fmt::Debug;
use std::sync::Mutex;

/// A body is read so far.
const LONGEST: usize = 1 << 20;

/// What it was asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Call {
    /// To keep a setting.
    Setting(SettingKind, Setting),
    /// To keep a content, with what was said of it; nothing where it broke off.
    Content(String, Option<Vec<u8>>),
    /// Anything else.
    Other(String),
}

#[derive(Default)]
pub(super) struct Recorder {
    pub(super) calls: Mutex<Vec<Call>>,
    /// Every bucket's setting.
    pub(super) setting: Option<Setting>,
}

impl Recorder {
    fn note(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
    }

    fn other<T>(&self, asked: impl Debug, answer: Result<T, Error>) -> Result<T, Error> {
        self.note(Call::Other(format!("{asked:?}")));
        answer
    }

    fn nothing<T>(&self, asked: impl Debug) -> Result<T, Error> {
        self.other(asked, Err(error::no_such_bucket("nothing")))
    }
}

#[async_trait]
impl S3 for Recorder {
    async fn create_bucket(&self, _: &Caller, input: CreateBucket) -> Result<Bucket, Error> {
        self.nothing(input)
    }
    async fn head_bucket(&self, _: &Caller, bucket: &str) -> Result<Bucket, Error> {
        self.nothing(bucket)
    }
    async fn get_bucket_location(&self, _: &Caller, bucket: &str) -> Result<String, Error> {
        self.other(bucket, Ok("eu-west-1".to_owned()))
    }
    async fn delete_bucket(&self, _: &Caller, bucket: &str) -> Result<(), Error> {
        self.other(bucket, Ok(()))
    }
    async fn list_buckets(&self, _: &Caller, input: ListBuckets) -> Result<BucketPage, Error> {
        self.other(input, Ok(BucketPage::default()))
    }
    async fn put_bucket_versioning(&self, _: &Caller, bucket: &str, versioning: Versioning) -> Result<(), Error> {
        self.other((bucket, versioning), Ok(()))
    }
    async fn get_bucket_versioning(&self, _: &Caller, bucket: &str) -> Result<Versioning, Error> {
        self.other(bucket, Ok(Versioning::Enabled))
    }
    async fn put_object(&self, _: &Caller, mut input: PutObject) -> Result<PutObjectOutput, Error> {
        let content = std::mem::take(&mut input.body).collect(LONGEST).await.ok().map(Into::into);
        self.note(Call::Content(format!("{} {} {:?}", input.bucket, input.key, input.headers), content));
        Err(error::no_such_bucket("nothing"))
    }
    async fn get_object(&self, _: &Caller, input: GetObject) -> Result<Object, Error> {
        self.nothing(input)
    }
    async fn head_object(&self, _: &Caller, input: GetObject) -> Result<ObjectMeta, Error> {
        self.nothing(input)
    }
    async fn delete_object(&self, _: &Caller, input: DeleteObject) -> Result<DeleteObjectOutput, Error> {
        self.other(input, Ok(DeleteObjectOutput::default()))
    }
    async fn delete_objects(&self, _: &Caller, input: DeleteObjects) -> Result<DeleteObjectsOutput, Error> {
        self.other(input, Ok(DeleteObjectsOutput::default()))
    }
    async fn list_objects(&self, _: &Caller, input: ListObjects) -> Result<ObjectPage, Error> {
        self.other(input, Ok(ObjectPage::default()))
    }
    async fn list_object_versions(&self, _: &Caller, input: ListObjectVersions) -> Result<VersionPage, Error> {
        self.other(input, Ok(VersionPage::default()))
    }
    async fn copy_object(&self, _: &Caller, input: CopyObject) -> Result<CopyObjectOutput, Error> {
        self.nothing(input)
    }
    async fn create_multipart_upload(&self, _: &Caller, input: CreateMultipartUpload) -> Result<Upload, Error> {
        self.nothing(input)
    }
    async fn upload_part(&self, _: &Caller, mut input: UploadPart) -> Result<UploadPartOutput, Error> {
        let content = std::mem::take(&mut input.body).collect(LONGEST).await.ok().map(Into::into);
        self.note(Call::Content(format!("{} {}", input.bucket, input.key), content));
        Err(error::no_such_bucket("nothing"))
    }
    async fn complete_multipart_upload(
        &self,
        _: &Caller,
        input: CompleteMultipartUpload,
    ) -> Result<PutObjectOutput, Error> {
        self.nothing(input)
    }
    async fn abort_multipart_upload(&self, _: &Caller, input: AbortMultipartUpload) -> Result<(), Error> {
        self.other(input, Ok(()))
    }
    async fn list_parts(&self, _: &Caller, input: ListParts) -> Result<PartPage, Error> {
        self.nothing(input)
    }
    async fn list_multipart_uploads(&self, _: &Caller, input: ListMultipartUploads) -> Result<UploadPage, Error> {
        self.other(input, Ok(UploadPage::default()))
    }
}

#[async_trait]
impl Settings for Recorder {
    async fn put_bucket_setting(&self, _: &Caller, _: &str, setting: Setting) -> Result<(), Error> {
        self.note(Call::Setting(setting.kind(), setting));
        Ok(())
    }
    async fn get_bucket_setting(&self, _: &Caller, bucket: &str, kind: SettingKind) -> Result<Setting, Error> {
        let kept = self.setting.clone().filter(|setting| setting.kind() == kind);
        self.other((bucket, kind), kept.ok_or_else(|| error::not_configured(kind, bucket)))
    }
    async fn delete_bucket_setting(&self, _: &Caller, bucket: &str, kind: SettingKind) -> Result<(), Error> {
        self.other((bucket, kind), Ok(()))
    }
    async fn get_bucket_policy_status(&self, _: &Caller, bucket: &str) -> Result<bool, Error> {
        self.other(bucket, Ok(false))
    }
    async fn cors_rules(&self, bucket: &str) -> Result<Vec<CorsRule>, Error> {
        self.other(bucket, Ok(vec![]))
    }
    async fn put_object_tagging(&self, _: &Caller, of: &ObjectVersion, tags: Tags) -> Result<Option<String>, Error> {
        self.other((of, tags), Ok(None))
    }
    async fn get_object_tagging(&self, _: &Caller, of: &ObjectVersion) -> Result<(Tags, Option<String>), Error> {
        self.other(of, Ok((Tags::new(), None)))
    }
    async fn get_object_attributes(&self, _: &Caller, of: &ObjectVersion) -> Result<ObjectAttributes, Error> {
        self.nothing(of)
    }
    async fn get_object_acl(&self, _: &Caller, of: &ObjectVersion) -> Result<(), Error> {
        self.other(of, Ok(()))
    }
    async fn put_object_acl(&self, _: &Caller, of: &ObjectVersion) -> Result<(), Error> {
        self.other(of, Ok(()))
    }
}
