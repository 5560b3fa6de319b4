//! UploadPart and ListParts.

use super::list::MOST;
use crate::Service;
use crate::content::{Claims, Received};
use crate::model::{UploadRecord, UploadedPart, scope};
use crate::rules::parts::check_number;
use aws::Error;
use aws::s3::{
    Checksum, ChecksumKind, Expectation, Expected, ListParts, PartPage, UploadPart, UploadPartOutput, error,
};
use kernel::{Batch, Caller, CommitError, Page, Stored};

/// How often a part is tried against other writes of the same part.
const ATTEMPTS: usize = 16;

impl Service {
    pub(crate) async fn put_part(&self, caller: &Caller, mut input: UploadPart) -> Result<UploadPartOutput, Error> {
        check_number(input.part_number)?;
        self.bucket(caller, &input.bucket).await?;
        let upload = self.upload((&input.bucket, &input.key), &input.upload_id).await?;
        expect_algorithm(&upload, &mut input.checksums)?;
        let claims = Claims {
            checksums: &input.checksums,
            content_md5: input.content_md5.as_deref(),
            sha256: input.sha256.as_deref(),
        };
        let received = self.receive(input.body, claims).await?;
        kernel::crash_point!("s3_after_part");
        let part = part_of(&upload, input.part_number, &received, self.clock.now());
        let written = self.write_part((&input.bucket, &input.key), &part).await;
        if let Err(error) = written {
            self.discard(received).await;
            return Err(error);
        }
        Ok(UploadPartOutput { etag: part.etag, checksum: part.checksum, last_modified: part.last_modified })
    }

    async fn write_part(&self, object: (&str, &str), part: &UploadedPart) -> Result<(), Error> {
        let _open = self.locks.share(&part.upload_id).await;
        for _ in 0..ATTEMPTS {
            let upload = self.upload(object, &part.upload_id).await?;
            let key = UploadedPart::key_of(&part.upload_id, part.number);
            let batch = Batch::new(&scope()).require(&upload);
            let batch = match self.documents.get::<UploadedPart>(&scope(), &key).await? {
                None => batch.insert(part),
                Some(mut before) => {
                    let batch = self.release(&before.content, batch).await?;
                    before.value = part.clone();
                    batch.replace(&before)
                }
            };
            match self.documents.commit(batch).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Conflict { .. } | CommitError::Exists { .. }) => {}
                Err(failure) => return Err(Error::internal(failure)),
            }
        }
        Err(error::conditional_request_conflict(object.1))
    }

    pub(crate) async fn page_of_parts(&self, caller: &Caller, input: ListParts) -> Result<PartPage, Error> {
        self.bucket(caller, &input.bucket).await?;
        let upload = self.upload((&input.bucket, &input.key), &input.upload_id).await?;
        let limit = input.limit.unwrap_or(MOST).min(MOST);
        let after = input.after.map(|number| UploadedPart::key_of(&input.upload_id, number));
        let page = Page::first(limit).prefix(format!("{}/", input.upload_id)).after(after);
        let found: Vec<Stored<UploadedPart>> = self.documents.list(&scope(), page).await?;
        let next = match found.last() {
            Some(last) if found.len() == limit && self.has_part_after(last).await? => Some(last.number),
            _ => None,
        };
        Ok(PartPage { upload: upload.facts(), parts: found.iter().map(|part| part.facts()).collect(), next })
    }

    async fn has_part_after(&self, last: &Stored<UploadedPart>) -> Result<bool, Error> {
        let after = Some(last.position().to_owned());
        let page = Page::first(1).prefix(format!("{}/", last.upload_id)).after(after);
        Ok(!self.documents.list::<UploadedPart>(&scope(), page).await?.is_empty())
    }
}

/// Each part of an upload has the checksum of the upload's algorithm, also where the client sends none.
fn expect_algorithm(upload: &UploadRecord, checksums: &mut Vec<Expected>) -> Result<(), Error> {
    let algorithm = upload.algorithm();
    let other = checksums.iter().find(|expected| expected.algorithm != algorithm);
    if let (Some(other), Some(announced)) = (other, upload.checksum_algorithm) {
        return Err(error::invalid_request(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {announced}, actual checksum Type: {}.",
            other.algorithm
        )));
    }
    if checksums.iter().all(|expected| expected.algorithm != algorithm) {
        checksums.push(Expected { algorithm, value: Expectation::Any });
    }
    Ok(())
}

fn part_of(upload: &UploadRecord, number: u32, received: &Received, now: kernel::Timestamp) -> UploadedPart {
    let algorithm = upload.algorithm();
    let checksum = received.digests.checksums.get(&algorithm).cloned();
    UploadedPart {
        upload_id: upload.upload_id.clone(),
        number,
        etag: received.digests.md5.clone(),
        content: received.content.clone(),
        last_modified: now,
        checksum: checksum.map(|value| Checksum { algorithm, value, kind: ChecksumKind::FullObject }),
    }
}
