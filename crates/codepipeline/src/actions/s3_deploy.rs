//! Deploy/S3: the input artifact, whole or extracted, in a bucket. Starting again writes the same objects again.

mod unpack;

use async_trait::async_trait;
use aws::s3::{ContentHeaders, CopyObject, GetObject, PutObject, Replacement};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kernel::crash_point;

use super::{Completion, Course, Job, Provider, Trouble};
use crate::error::Failed;
use crate::model::{Artifact, External};
use crate::rules::site::{content_type, fill_key};
use crate::service::Service;

/// How many files are written at once: the store writes them together.
const AT_ONCE: usize = 16;

/// The access control lists that change nothing where a bucket's owner owns every object.
const HARMLESS_ACLS: [&str; 2] = ["private", "bucket-owner-full-control"];

pub(super) struct S3Deploy;

#[async_trait]
impl Provider for S3Deploy {
    async fn start(&self, service: &Service, job: &Job) -> Result<Course, Trouble> {
        check_acl(job)?;
        let Some(artifact) = job.inputs.first() else {
            return Err(Trouble::configuration("the action has no input artifact"));
        };
        if job.setting("Extract").eq_ignore_ascii_case("true") {
            extract(service, job, artifact).await?;
        } else {
            copy(service, job, artifact).await?;
        }
        let summary = match self.remark(job) {
            Some(remark) => format!("Deployment Succeeded. {remark}"),
            None => "Deployment Succeeded".to_owned(),
        };
        Ok(Course::done(Completion { summary: Some(summary), ..Completion::default() }))
    }

    async fn look(&self, service: &Service, job: &Job, _: &External) -> Result<Course, Trouble> {
        self.start(service, job).await
    }

    fn remark(&self, job: &Job) -> Option<String> {
        let key = job.configuration.get("KMSEncryptionKeyARN")?;
        Some(format!("The objects are not encrypted with {key}: this server has no AWS KMS yet"))
    }
}

fn check_acl(job: &Job) -> Result<(), Trouble> {
    match job.configuration.get("CannedACL") {
        Some(acl) if !HARMLESS_ACLS.contains(&acl.as_str()) => Err(Trouble::configuration(format!(
            "The bucket does not allow ACLs: its owner owns every object. Leave CannedACL {acl} out \
             (AccessControlListNotSupported)"
        ))),
        _ => Ok(()),
    }
}

/// `ObjectKey`: the object's key, or what the keys of all extracted files begin with.
fn object_key(job: &Job) -> Option<String> {
    job.configuration.get("ObjectKey").map(|key| fill_key(key, job.started, &job.token))
}

fn headers(job: &Job, key: &str) -> ContentHeaders {
    ContentHeaders {
        content_type: Some(content_type(key)),
        cache_control: job.configuration.get("CacheControl").cloned(),
        ..ContentHeaders::default()
    }
}

async fn copy(service: &Service, job: &Job, artifact: &Artifact) -> Result<(), Trouble> {
    let Some(key) = object_key(job) else {
        return Err(Trouble::configuration("ObjectKey is missing, which Extract=false needs"));
    };
    let copy = CopyObject {
        source_bucket: artifact.bucket.clone(),
        source_key: artifact.key.clone(),
        bucket: job.setting("BucketName").to_owned(),
        replace: Some(Replacement { headers: headers(job, &key), ..Replacement::default() }),
        key,
        ..CopyObject::default()
    };
    service.s3.copy_object(&job.caller, copy).await?;
    Ok(())
}

async fn extract(service: &Service, job: &Job, artifact: &Artifact) -> Result<(), Trouble> {
    let object = service.s3.get_object(&job.caller, GetObject::new(&artifact.bucket, &artifact.key)).await?;
    let archive = unpack::spool(&service.spool, object.body).await.map_err(Failed::from)?;
    let mut unpacking = unpack::Unpacking::begin(archive, object_key(job));
    let deployed = put_all(service, job, &mut unpacking).await;
    // Where the archive broke off, so did an upload: it is the archive that is told of.
    end(unpacking, artifact).await?;
    deployed
}

/// Behind a large file the next comes when that one is written: both are waited for.
async fn put_all(service: &Service, job: &Job, unpacking: &mut unpack::Unpacking) -> Result<(), Trouble> {
    let (mut puts, mut all) = (FuturesUnordered::new(), false);
    while !all || !puts.is_empty() {
        tokio::select! {
            file = unpacking.next(), if !all && puts.len() < AT_ONCE => match file {
                Some(file) => puts.push(put(service, job, file)),
                None => all = true,
            },
            Some(done) = puts.next(), if !puts.is_empty() => done?,
        }
    }
    Ok(())
}

async fn put(service: &Service, job: &Job, file: unpack::Unpacked) -> Result<(), Trouble> {
    if service.clock.now() >= job.deadline {
        return Err(Trouble::job_failed("Not all files were deployed within the action's time limit"));
    }
    let headers = headers(job, &file.key);
    let put = PutObject { headers, ..PutObject::new(job.setting("BucketName"), file.key, file.content) };
    service.s3.put_object(&job.caller, put).await?;
    crash_point!("codepipeline_object_deployed");
    Ok(())
}

async fn end(unpacking: unpack::Unpacking, artifact: &Artifact) -> Result<(), Trouble> {
    let broken = |broken| Trouble::job_failed(format!("The artifact {} cannot be extracted: {broken}", artifact.name));
    unpacking.end().await.map_err(broken)
}
