//! CompleteMultipartUpload: by reference.

use super::change::{Attempt, Change, Found};
use super::put::output_of;
use crate::Service;
use crate::events::Happened;
use crate::model::{Extent, UploadRecord, UploadedPart, Version, scope};
use crate::rules::condition::check_write;
use crate::rules::digest::{combine, composite, multipart_etag};
use crate::rules::parts::select;
use async_trait::async_trait;
use aws::Error;
use aws::s3::{Checksum, ChecksumAlgorithm, ChecksumKind, CompleteMultipartUpload, PutObjectOutput, error};
use kernel::{Batch, Caller, Stored};
use std::collections::BTreeMap;

#[async_trait]
impl Change for CompleteMultipartUpload {
    type Output = Version;

    async fn attempt(&self, service: &Service, found: Found<'_>) -> Result<Attempt<Version>, Error> {
        if let Some(version) = found.live().filter(|version| version.upload_id.as_ref() == Some(&self.upload_id)) {
            // The reply to the first request was lost.
            return Ok(Attempt::Done(version.clone()));
        }
        let upload = service.upload((&self.bucket, &self.key), &self.upload_id).await?;
        check_write(&self.condition, found.key, found.etag())?;
        let stored = service.all_parts(&self.upload_id).await?;
        let by_number: BTreeMap<u32, &UploadedPart> = stored.iter().map(|part| (part.number, &part.value)).collect();
        let parts = select(&self.parts, |number| by_number.get(&number).copied())?;
        let mut version = assemble(&upload, &parts);
        let extents = parts.iter().flat_map(|part| extents_of(part, upload.checksum_algorithm)).collect();
        let (content, batch) = service.gather(extents, Batch::new(&scope()).remove(&upload));
        version.content = content;
        version.last_modified = service.clock.now();
        verify(self, &version)?;
        let batch = service.without_parts(&stored, &parts, batch).await?;
        service.put_on_top(found, version, Happened::Created("CompleteMultipartUpload"), batch).await
    }
}

impl Service {
    pub(crate) async fn complete(
        &self,
        caller: &Caller,
        input: CompleteMultipartUpload,
    ) -> Result<PutObjectOutput, Error> {
        self.bucket(caller, &input.bucket).await?;
        let _alone = self.locks.lock(&input.upload_id).await;
        let written = self.change(caller, (&input.bucket, &input.key), &input).await?;
        Ok(output_of(&written))
    }

    /// Removes the parts' documents; the content of those that the client did not name goes too.
    async fn without_parts(
        &self,
        stored: &[Stored<UploadedPart>],
        used: &[&UploadedPart],
        mut batch: Batch,
    ) -> Result<Batch, Error> {
        for part in stored {
            batch = batch.remove(part);
            if used.binary_search_by_key(&part.number, |used| used.number).is_err() {
                batch = self.release(&part.content, batch).await?;
            }
        }
        Ok(batch)
    }
}

/// A part's extents; an upload that named an algorithm is asked for the checksums of its parts later.
fn extents_of(part: &UploadedPart, algorithm: Option<ChecksumAlgorithm>) -> impl Iterator<Item = Extent> {
    let checksum = part.checksum.as_ref().filter(|_| algorithm.is_some()).map(|checksum| checksum.value.clone());
    part.content.extents.iter().map(move |extent| Extent { checksum: checksum.clone(), ..extent.clone() })
}

/// The object that the parts make, but for its content and time.
fn assemble(upload: &UploadRecord, parts: &[&UploadedPart]) -> Version {
    let algorithm = upload.algorithm();
    let value = |part: &UploadedPart| part.checksum.as_ref().map(|checksum| checksum.value.clone());
    let values: Option<Vec<String>> = parts.iter().map(|part| value(part)).collect();
    let checksum: Option<Checksum> = values.and_then(|values| match upload.checksum_kind {
        ChecksumKind::Composite => Some(composite(algorithm, values.iter().map(String::as_str))),
        ChecksumKind::FullObject => {
            let sizes = parts.iter().map(|part| part.content.size);
            combine(algorithm, values.iter().map(String::as_str).zip(sizes))
        }
    });
    Version {
        etag: multipart_etag(parts.iter().map(|part| part.etag.as_str())),
        headers: upload.headers.clone(),
        metadata: upload.metadata.clone(),
        tags: upload.tags.clone(),
        checksum,
        parts: u32::try_from(parts.len()).ok(),
        upload_id: Some(upload.upload_id.clone()),
        ..Version::default()
    }
}

/// Whether the object is what the client says.
fn verify(input: &CompleteMultipartUpload, version: &Version) -> Result<(), Error> {
    if input.size.is_some_and(|size| size != version.content.size) {
        let size = version.content.size;
        return Err(error::invalid_request(format!(
            "The provided x-amz-mp-object-size does not match: the parts have {size} bytes."
        )));
    }
    match (&input.checksum, &version.checksum) {
        (Some((algorithm, given)), Some(computed)) if *algorithm == computed.algorithm => {
            let bare = computed.value.split('-').next().unwrap_or_default();
            if *given == computed.value || *given == bare {
                return Ok(());
            }
            Err(error::bad_digest(algorithm.header(), given, &computed.value))
        }
        (Some((algorithm, _)), _) => Err(error::invalid_request(format!("This upload has no {algorithm} checksum."))),
        (None, _) => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Dependencies;
    use crate::model::{Content, Extent};
    use aws::s3::{
        ByteRange, CompletedPart, CopyObject, CreateBucket, CreateMultipartUpload, GetObject, PutObject, S3,
    };
    use kernel::{Blobs, ManualClock, Scope, SequentialIds, Store, Timestamp};
    use std::path::Path;
    use std::sync::Arc;

    /// More than fits one document, twice.
    const PARTS: u32 = 450;
    const SIZE: u64 = 5 * 1024 * 1024;

    fn service(dir: &Path) -> Arc<Service> {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_700_000_000)));
        let store = Store::open(dir, Arc::clone(&clock) as _).unwrap();
        let blobs = Blobs::open(dir, "s3").unwrap();
        let ids = Arc::new(SequentialIds::new(0));
        Service::new(Dependencies { documents: store.service("s3"), blobs, clock, ids })
    }

    /// Parts that all have the same blob, written without uploading it each time.
    async fn write_parts(service: &Service, upload_id: &str) -> Vec<CompletedPart> {
        let blob = service.blobs.put_bytes(vec![b'p'; usize::try_from(SIZE).unwrap()]).await.unwrap();
        let extent = Extent { digest: blob.digest, size: blob.size, checksum: None };
        let mut parts = Vec::new();
        for number in 1..=PARTS {
            let etag = format!("{number:032x}");
            parts.push(CompletedPart { part_number: number, etag: etag.clone(), checksum: None });
            let content = Content { size: SIZE, extents: vec![extent.clone()], more: None };
            let part =
                UploadedPart { upload_id: upload_id.to_owned(), number, etag, content, ..UploadedPart::default() };
            service.documents.insert(&scope(), part).await.unwrap();
        }
        parts
    }

    async fn size_of(service: &Service, caller: &Caller, input: GetObject) -> usize {
        let object = service.get_object(caller, input).await.unwrap();
        object.body.collect(usize::MAX).await.unwrap().len()
    }

    #[tokio::test]
    async fn an_object_of_more_parts_than_one_document_holds_is_read_and_copied_whole() {
        let dir = tempfile::tempdir().unwrap();
        let service = service(dir.path());
        let caller = Caller::root(&Scope::new("111111111111", "eu-west-1"), "r");
        let (bucket, key) = ("house".to_owned(), "k".to_owned());
        service
            .create_bucket(&caller, CreateBucket { bucket: bucket.clone(), ..CreateBucket::default() })
            .await
            .unwrap();
        let input = CreateMultipartUpload { bucket: bucket.clone(), key: key.clone(), ..Default::default() };
        let upload_id = service.create_multipart_upload(&caller, input).await.unwrap().upload_id;
        let parts = write_parts(&service, &upload_id).await;
        let input = CompleteMultipartUpload { bucket, key, upload_id, parts, ..Default::default() };
        let stored = service.complete_multipart_upload(&caller, input).await.unwrap();
        assert_eq!(stored.size, u64::from(PARTS) * SIZE);
        let copy = CopyObject {
            source_bucket: "house".to_owned(),
            source_key: "k".to_owned(),
            bucket: "house".to_owned(),
            key: "copy".to_owned(),
            ..CopyObject::default()
        };
        service.copy_object(&caller, copy).await.unwrap();
        // The original goes, with the documents that held the rest of its parts.
        service.put_object(&caller, PutObject::new("house", "k", "short")).await.unwrap();
        let last = GetObject { part_number: Some(PARTS), ..GetObject::new("house", "copy") };
        assert_eq!(size_of(&service, &caller, last).await as u64, SIZE);
        let seam = ByteRange::Between(200 * SIZE - 2, 200 * SIZE + 1);
        let across = GetObject { range: Some(seam), ..GetObject::new("house", "copy") };
        assert_eq!(size_of(&service, &caller, across).await, 4);
    }
}
