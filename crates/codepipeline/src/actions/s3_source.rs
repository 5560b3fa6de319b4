//! Source/S3: an object of a versioned bucket, as it is.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws::s3::{CopyObject, GetObject, ObjectMeta};

use super::{Completion, Course, Job, Provider, Trouble};
use crate::model::{External, Revision};
use crate::service::Service;

/// Metadata that takes the place of the usual summary.
const SUMMARY: &str = "codepipeline-artifact-revision-summary";

pub(super) struct S3Source;

#[async_trait]
impl Provider for S3Source {
    async fn start(&self, service: &Service, job: &Job) -> Result<Course, Trouble> {
        let (key, version) = wanted(job);
        let bucket = job.setting("S3Bucket");
        let object = service.s3.head_object(&job.caller, GetObject::new(bucket, &key).version(version)).await?;
        let Some(version) = object.version_id.clone().filter(|version| version != "null") else {
            let text = format!(
                "The Amazon S3 bucket {bucket} is not versioned. Enable versioning: a source needs object versions"
            );
            return Err(Trouble::configuration(text));
        };
        let Some(output) = job.outputs.first() else {
            return Err(Trouble::configuration("the action has no output artifact"));
        };
        let copy = CopyObject {
            source_bucket: bucket.to_owned(),
            source_key: key.clone(),
            source_version_id: Some(version.clone()),
            bucket: output.bucket.clone(),
            key: output.key.clone(),
            ..CopyObject::default()
        };
        service.s3.copy_object(&job.caller, copy).await?;
        Ok(Course::done(completion(bucket, &key, &version, &object)))
    }

    async fn look(&self, service: &Service, job: &Job, _: &External) -> Result<Course, Trouble> {
        self.start(service, job).await
    }
}

/// The object's key and version: as an earlier attempt took it, or as asked for at the start of the execution, else the current
/// version.
fn wanted(job: &Job) -> (String, Option<String>) {
    let key = job.setting("S3ObjectKey").to_owned();
    let (key, version) = match &job.wanted {
        Some(wanted) if wanted.kind == "S3_OBJECT_KEY" => (wanted.value.clone(), None),
        Some(wanted) => (key, Some(wanted.value.clone())),
        None => (key, None),
    };
    (key, job.found_before.clone().or(version))
}

fn completion(bucket: &str, key: &str, version: &str, object: &ObjectMeta) -> Completion {
    let summary = object.metadata.get(SUMMARY).cloned().unwrap_or_else(|| format!("Amazon S3 version id: {version}"));
    let variables = BTreeMap::from([
        ("BucketName".to_owned(), bucket.to_owned()),
        ("ETag".to_owned(), object.etag.clone()),
        ("ObjectKey".to_owned(), key.to_owned()),
        ("VersionId".to_owned(), version.to_owned()),
    ]);
    let revision = Revision { id: version.to_owned(), summary: summary.clone(), created: object.last_modified };
    Completion { summary: Some(summary), variables, revision: Some(revision) }
}
