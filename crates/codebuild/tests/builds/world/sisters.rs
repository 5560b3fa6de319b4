//! The services that builds use, in memory: as much of them as builds need.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Cursor, Write};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use aws::Error;
use aws::internal::codecommit::{Checkout, Sources};
use aws::logs::*;
use aws::s3::*;
use bytes::Bytes;
use futures::future::BoxFuture;
use kernel::{Caller, Credentials, Door, Principal, PrincipalError, Principals, Scope, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Streams by group and name, and whether the group was made.
type Streams = BTreeMap<String, BTreeMap<String, Vec<OutputLogEvent>>>;

/// Logs, S3, CodeCommit and IAM.
#[derive(Default)]
pub(crate) struct Sisters {
    pub(crate) logs: Mutex<Streams>,
    pub(crate) objects: Mutex<BTreeMap<(String, String), Bytes>>,
    pub(crate) repositories: Mutex<BTreeMap<String, Vec<(String, String)>>>,
}

/// A zip of these files.
pub(crate) fn zip(files: &[(&str, &str)]) -> Bytes {
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner().into()
}

impl Sisters {
    pub(crate) fn put(&self, bucket: &str, key: &str, content: impl Into<Bytes>) {
        self.objects.lock().unwrap().insert((bucket.to_owned(), key.to_owned()), content.into());
    }

    pub(crate) fn object(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.objects.lock().unwrap().get(&(bucket.to_owned(), key.to_owned())).cloned()
    }

    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        self.objects.lock().unwrap().keys().filter(|(of, _)| of == bucket).map(|(_, key)| key.clone()).collect()
    }

    /// The whole text of a stream.
    pub(crate) fn log(&self, group: &str, stream: &str) -> String {
        let logs = self.logs.lock().unwrap();
        logs.get(group)
            .and_then(|group| group.get(stream))
            .into_iter()
            .flatten()
            .filter_map(|event| event.message.as_deref())
            .collect()
    }
}

fn absent<T>(what: &str) -> Result<T, Error> {
    Err(Error::new("NotHere", format!("the test's S3 has no {what}")))
}

fn missing<T>() -> Result<T, Error> {
    Err(aws::logs::error::resource_not_found_exception("not there"))
}

#[async_trait]
impl Principals for Sisters {
    async fn assume(
        &self,
        scope: &Scope,
        role_arn: &str,
        service: &str,
        session: &str,
    ) -> Result<Caller, PrincipalError> {
        let name = role_arn.rsplit('/').next().unwrap_or_default().to_owned();
        if name == "untrusting" {
            return Err(PrincipalError::NotTrusted { service: service.to_owned(), role_arn: role_arn.to_owned() });
        }
        let mut caller = Caller::root(scope, "");
        caller.principal = Principal::Role { id: "AROATEST".into(), name };
        caller.session = Some(Session { name: session.to_owned(), ..Session::default() });
        Ok(caller)
    }

    async fn session_credentials(&self, _: &Caller, _: Duration) -> Result<Credentials, PrincipalError> {
        Ok(Credentials {
            access_key_id: "ASIATEST".into(),
            secret_access_key: "secret".into(),
            session_token: Some("token".into()),
            expiration: None,
        })
    }
}

impl Door for Sisters {
    fn connection(&self, mut stream: UnixStream, _: &str) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nlandfall").await;
        })
    }

    fn tls_connection(&self, stream: UnixStream, label: &str) -> BoxFuture<'static, ()> {
        self.connection(stream, label)
    }

    fn authority(&self) -> std::io::Result<Option<String>> {
        Ok(None)
    }
}

#[async_trait]
impl Logs for Sisters {
    async fn create_log_group(&self, _: &Caller, input: CreateLogGroupInput) -> Result<CreateLogGroupOutput, Error> {
        self.logs.lock().unwrap().entry(input.log_group_name.unwrap()).or_default();
        Ok(CreateLogGroupOutput::default())
    }

    async fn create_log_stream(&self, _: &Caller, input: CreateLogStreamInput) -> Result<CreateLogStreamOutput, Error> {
        let mut logs = self.logs.lock().unwrap();
        let Some(group) = logs.get_mut(&input.log_group_name.unwrap()) else { return missing() };
        match group.entry(input.log_stream_name.unwrap()) {
            Entry::Vacant(entry) => drop(entry.insert(vec![])),
            Entry::Occupied(_) => return Err(aws::logs::error::resource_already_exists_exception("it is there")),
        }
        Ok(CreateLogStreamOutput::default())
    }

    async fn put_log_events(&self, caller: &Caller, input: PutLogEventsInput) -> Result<PutLogEventsOutput, Error> {
        assert!(matches!(caller.principal, Principal::Role { .. }), "logs are written as the service role");
        let mut logs = self.logs.lock().unwrap();
        let stream = logs
            .get_mut(&input.log_group_name.unwrap())
            .and_then(|group| group.get_mut(&input.log_stream_name.unwrap()));
        let Some(stream) = stream else { return missing() };
        stream.extend(input.log_events.unwrap().into_iter().map(|event| OutputLogEvent {
            timestamp: event.timestamp,
            message: event.message,
            ingestion_time: event.timestamp,
        }));
        Ok(PutLogEventsOutput::default())
    }

    async fn get_log_events(&self, caller: &Caller, input: GetLogEventsInput) -> Result<GetLogEventsOutput, Error> {
        assert!(matches!(caller.principal, Principal::Service(_)), "a service role may not read its logs");
        let logs = self.logs.lock().unwrap();
        let stream =
            logs.get(&input.log_group_name.unwrap()).and_then(|group| group.get(&input.log_stream_name.unwrap()));
        let Some(stream) = stream else { return missing() };
        let first = input.next_token.is_none();
        let events = stream.iter().filter(|event| first && event.timestamp >= input.start_time);
        Ok(GetLogEventsOutput {
            events: Some(events.cloned().collect()),
            next_forward_token: Some("end".into()),
            next_backward_token: None,
        })
    }
}

#[async_trait]
impl Sources for Sisters {
    async fn archive(&self, _: &Caller, _: &str, _: &str) -> Result<Body, Error> {
        absent("archive")
    }

    async fn checkout(
        &self,
        _: &Caller,
        repository: &str,
        version: Option<&str>,
        _: Option<u32>,
    ) -> Result<Checkout, Error> {
        let files = self.repositories.lock().unwrap().get(repository).cloned();
        let files = files
            .ok_or_else(|| Error::new("RepositoryDoesNotExistException", format!("{repository} does not exist")))?;
        let mut tar = tokio_tar::Builder::new(vec![]);
        for (name, text) in files {
            let mut header = tokio_tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, text.as_bytes()).await.unwrap();
        }
        let commit = if version == Some("main") { "c".repeat(40) } else { version.unwrap_or("default").to_owned() };
        Ok(Checkout { commit: Some(commit), tar: tar.into_inner().await.unwrap().into() })
    }
}

#[async_trait]
impl S3 for Sisters {
    async fn put_object(&self, caller: &Caller, input: PutObject) -> Result<PutObjectOutput, Error> {
        assert!(matches!(caller.principal, Principal::Role { .. }), "artifacts are stored as the service role");
        if input.bucket == "missing" {
            return Err(aws::s3::error::no_such_bucket(&input.bucket));
        }
        let content = input.body.collect(1 << 24).await.unwrap();
        let size = content.len() as u64;
        self.put(&input.bucket, &input.key, content);
        Ok(PutObjectOutput { etag: "0123456789abcdef0123456789abcdef".into(), version_id: None, size, checksum: None })
    }

    async fn get_object(&self, _: &Caller, input: GetObject) -> Result<Object, Error> {
        let content = self.object(&input.bucket, &input.key).ok_or_else(|| aws::s3::error::no_such_key(&input.key))?;
        let meta = ObjectMeta { size: content.len() as u64, ..ObjectMeta::default() };
        Ok(Object { meta, body: content.into() })
    }

    async fn list_objects(&self, _: &Caller, input: ListObjects) -> Result<ObjectPage, Error> {
        let keys = self.keys(&input.bucket).into_iter().filter(|key| key.starts_with(&input.prefix));
        let objects =
            keys.map(|key| ObjectMeta { bucket: input.bucket.clone(), key, ..ObjectMeta::default() }).collect();
        Ok(ObjectPage { objects, ..ObjectPage::default() })
    }

    async fn create_bucket(&self, _: &Caller, _: CreateBucket) -> Result<Bucket, Error> {
        absent("create_bucket")
    }
    async fn head_bucket(&self, _: &Caller, _: &str) -> Result<Bucket, Error> {
        absent("head_bucket")
    }
    async fn get_bucket_location(&self, _: &Caller, _: &str) -> Result<String, Error> {
        absent("get_bucket_location")
    }
    async fn delete_bucket(&self, _: &Caller, _: &str) -> Result<(), Error> {
        absent("delete_bucket")
    }
    async fn list_buckets(&self, _: &Caller, _: ListBuckets) -> Result<BucketPage, Error> {
        absent("list_buckets")
    }
    async fn put_bucket_versioning(&self, _: &Caller, _: &str, _: Versioning) -> Result<(), Error> {
        absent("put_bucket_versioning")
    }
    async fn get_bucket_versioning(&self, _: &Caller, _: &str) -> Result<Versioning, Error> {
        absent("get_bucket_versioning")
    }
    async fn head_object(&self, _: &Caller, _: GetObject) -> Result<ObjectMeta, Error> {
        absent("head_object")
    }
    async fn delete_object(&self, _: &Caller, _: DeleteObject) -> Result<DeleteObjectOutput, Error> {
        absent("delete_object")
    }
    async fn delete_objects(&self, _: &Caller, _: DeleteObjects) -> Result<DeleteObjectsOutput, Error> {
        absent("delete_objects")
    }
    async fn list_object_versions(&self, _: &Caller, _: ListObjectVersions) -> Result<VersionPage, Error> {
        absent("list_object_versions")
    }
    async fn copy_object(&self, _: &Caller, _: CopyObject) -> Result<CopyObjectOutput, Error> {
        absent("copy_object")
    }
    async fn create_multipart_upload(&self, _: &Caller, _: CreateMultipartUpload) -> Result<Upload, Error> {
        absent("create_multipart_upload")
    }
    async fn upload_part(&self, _: &Caller, _: UploadPart) -> Result<UploadPartOutput, Error> {
        absent("upload_part")
    }
    async fn complete_multipart_upload(
        &self,
        _: &Caller,
        _: CompleteMultipartUpload,
    ) -> Result<PutObjectOutput, Error> {
        absent("complete_multipart_upload")
    }
    async fn abort_multipart_upload(&self, _: &Caller, _: AbortMultipartUpload) -> Result<(), Error> {
        absent("abort_multipart_upload")
    }
    async fn list_parts(&self, _: &Caller, _: ListParts) -> Result<PartPage, Error> {
        absent("list_parts")
    }
    async fn list_multipart_uploads(&self, _: &Caller, _: ListMultipartUploads) -> Result<UploadPage, Error> {
        absent("list_multipart_uploads")
    }
}
