//! CopyObject: by reference.
//!
//! The copy of an object that was uploaded in parts keeps its entity tag and its parts, where AWS would make one part
//! of it: no byte is read.

use super::change::{Attempt, Change, Found};
use super::get::Holder;
use crate::Service;
use crate::events::Happened;
use crate::model::{Content, Version, object_key, scope};
use crate::rules::condition::{Validators, check_source, check_write};
use crate::rules::digest::Hasher;
use crate::rules::names::{check_key, check_metadata};
use crate::rules::tags::check_object_tags;
use async_trait::async_trait;
use aws::Error;
use aws::s3::{Checksum, ChecksumAlgorithm, ChecksumKind, CopyObject, CopyObjectOutput, error};
use futures::StreamExt;
use kernel::{Batch, Caller, Document};

/// The largest source (Amazon S3 API Reference, CopyObject).
const LARGEST: u64 = 5 * 1024 * 1024 * 1024;

/// Answers the copy, and the version id of what was copied.
#[async_trait]
impl Change for CopyObject {
    type Output = (Version, Option<String>);

    async fn attempt(&self, service: &Service, found: Found<'_>) -> Result<Attempt<Self::Output>, Error> {
        check_write(&self.condition, found.key, found.etag())?;
        let source_id = self.source_version_id.as_deref();
        let (source, holder) = service.version(&self.source_bucket, &self.source_key, source_id).await?;
        let validators = Validators { etag: &source.etag, last_modified: source.last_modified };
        check_source(&self.source_condition, validators)?;
        let source_version_id = source.id.clone();
        let batch = require(Batch::new(&scope()), &holder, (&self.bucket, &self.key));
        let (version, batch) = service.reborn(self, source, batch).await?;
        let attempt = service.put_on_top(found, version, Happened::Created("CopyObject"), batch).await?;
        Ok(attempt.map(|written| (written, source_version_id)))
    }
}

impl Service {
    pub(crate) async fn copy(&self, caller: &Caller, input: CopyObject) -> Result<CopyObjectOutput, Error> {
        check(&input)?;
        self.bucket(caller, &input.source_bucket).await?;
        let (written, source_version_id) = self.change(caller, (&input.bucket, &input.key), &input).await?;
        Ok(CopyObjectOutput {
            etag: written.etag,
            last_modified: written.last_modified,
            version_id: written.id,
            source_version_id,
            checksum: written.checksum,
        })
    }

    /// The source as a new version.
    async fn reborn(&self, input: &CopyObject, source: Version, batch: Batch) -> Result<(Version, Batch), Error> {
        if source.content.size > LARGEST {
            let message = format!("The specified copy source is larger than the maximum of {LARGEST} bytes.");
            return Err(error::invalid_request(message));
        }
        let checksum = match input.checksum_algorithm {
            Some(algorithm) if source.checksum.as_ref().is_none_or(|checksum| checksum.algorithm != algorithm) => {
                Some(self.checksum_over(&source.content, algorithm).await?)
            }
            _ => source.checksum,
        };
        let (content, batch) = match source.content.more {
            Some(_) => self.gather(self.extents(&source.content).await?, batch),
            None => (source.content, batch),
        };
        let (headers, metadata) = match &input.replace {
            Some(replacement) => (replacement.headers.clone(), replacement.metadata.clone()),
            None => (source.headers, source.metadata),
        };
        let last_modified = self.clock.now();
        let tags = input.replace_tags.clone().unwrap_or(source.tags);
        let version = Version { content, headers, metadata, tags, checksum, last_modified, upload_id: None, ..source };
        Ok((version, batch))
    }

    /// Reads a content for a checksum that it does not have yet.
    async fn checksum_over(&self, content: &Content, algorithm: ChecksumAlgorithm) -> Result<Checksum, Error> {
        let mut hasher = Hasher::new([algorithm]);
        if content.size > 0 {
            let mut body = self.read(content, 0, content.size - 1).await?;
            while let Some(chunk) = body.next().await {
                hasher.update(&chunk.map_err(Error::internal)?);
            }
        }
        let value = hasher.finish().checksums.remove(&algorithm).unwrap_or_default();
        Ok(Checksum { algorithm, value, kind: ChecksumKind::FullObject })
    }
}

/// The source must still be there when the copy is committed, else its blobs may be gone. A copy onto itself replaces
/// the very document, which checks that anyway.
fn require(batch: Batch, source: &Holder, (bucket, key): (&str, &str)) -> Batch {
    match source {
        Holder::Head(head) if head.key() == object_key(bucket, key) => batch,
        Holder::Head(head) => batch.require(head),
        Holder::Archived(archived) => batch.require(archived),
    }
}

fn check(input: &CopyObject) -> Result<(), Error> {
    check_key(&input.key)?;
    check_key(&input.source_key)?;
    if let Some(replacement) = &input.replace {
        check_metadata(&replacement.metadata)?;
    }
    if let Some(tags) = &input.replace_tags {
        check_object_tags(tags)?;
    }
    let itself = input.source_bucket == input.bucket && input.source_key == input.key;
    let nothing_new =
        input.replace.is_none() && input.source_version_id.is_none() && input.checksum_algorithm.is_none();
    if itself && nothing_new {
        return Err(error::invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the \
             object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    Ok(())
}
