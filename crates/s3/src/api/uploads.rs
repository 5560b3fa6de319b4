//! CreateMultipartUpload, AbortMultipartUpload, ListMultipartUploads.

use super::list::{LAST, MOST};
use crate::Service;
use crate::model::{UploadRecord, UploadedPart, object_key, scope};
use crate::rules::listing::{Offered, Rolled, Seek};
use crate::rules::names::{check_key, check_metadata};
use crate::rules::tags::check_object_tags;
use aws::Error;
use aws::s3::{
    AbortMultipartUpload, ChecksumAlgorithm, ChecksumKind, CreateMultipartUpload, ListMultipartUploads, Upload,
    UploadPage, UploadPosition, error,
};
use kernel::{Batch, Caller, CommitError, Page, Stored};

impl Service {
    pub(crate) async fn open_upload(&self, caller: &Caller, input: CreateMultipartUpload) -> Result<Upload, Error> {
        check_key(&input.key)?;
        check_metadata(&input.metadata)?;
        check_object_tags(&input.tags)?;
        let checksum_kind = kind_of(input.checksum_algorithm, input.checksum_kind)?;
        let bucket = self.bucket_to_write(caller, &input.bucket).await?;
        let record = UploadRecord {
            bucket: input.bucket,
            key: input.key,
            upload_id: self.ids.time_ordered(),
            initiated: self.clock.now(),
            headers: input.headers,
            metadata: input.metadata,
            tags: input.tags,
            checksum_algorithm: input.checksum_algorithm,
            checksum_kind,
        };
        let batch = Batch::new(&scope()).require(&bucket).insert(&record);
        match self.documents.commit(batch).await {
            Ok(()) => Ok(record.facts()),
            Err(CommitError::Conflict { .. }) => Err(error::conditional_request_conflict(&record.key)),
            Err(failure) => Err(Error::internal(failure)),
        }
    }

    /// The open upload of that id.
    ///
    /// # Errors
    /// `NoSuchUpload`.
    pub(super) async fn upload(
        &self,
        (bucket, key): (&str, &str),
        upload_id: &str,
    ) -> Result<Stored<UploadRecord>, Error> {
        check_key(key)?;
        // Ours are UUIDs: what cannot be one is not looked for.
        let well_formed =
            upload_id.len() <= 64 && upload_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let found = match well_formed {
            true => self.documents.get(&scope(), &UploadRecord::key_of(bucket, key, upload_id)).await?,
            false => None,
        };
        found.ok_or_else(|| error::no_such_upload(upload_id))
    }

    pub(crate) async fn abort(&self, caller: &Caller, input: &AbortMultipartUpload) -> Result<(), Error> {
        self.bucket(caller, &input.bucket).await?;
        let upload = self.upload((&input.bucket, &input.key), &input.upload_id).await?;
        self.drop_upload(&upload).await
    }

    /// Removes an upload and its parts in one commit.
    pub(crate) async fn drop_upload(&self, upload: &Stored<UploadRecord>) -> Result<(), Error> {
        let _alone = self.locks.lock(&upload.upload_id).await;
        let mut batch = Batch::new(&scope()).remove(upload);
        for part in self.all_parts(&upload.upload_id).await? {
            batch = self.release(&part.content, batch.remove(&part)).await?;
        }
        match self.documents.commit(batch).await {
            Ok(()) => Ok(()),
            Err(CommitError::Conflict { .. }) => Err(error::no_such_upload(&upload.upload_id)),
            Err(failure) => Err(Error::internal(failure)),
        }
    }

    pub(super) async fn all_parts(&self, upload_id: &str) -> Result<Vec<Stored<UploadedPart>>, Error> {
        let mut parts: Vec<Stored<UploadedPart>> = Vec::new();
        loop {
            let after = parts.last().map(|part| part.position().to_owned());
            let page = Page::default().prefix(format!("{upload_id}/")).after(after);
            let found = self.documents.list(&scope(), page).await?;
            let exhausted = found.len() < Page::MOST;
            parts.extend(found);
            if exhausted {
                return Ok(parts);
            }
        }
    }

    pub(crate) async fn page_of_uploads(
        &self,
        caller: &Caller,
        input: ListMultipartUploads,
    ) -> Result<UploadPage, Error> {
        self.bucket(caller, &input.bucket).await?;
        let limit = input.limit.unwrap_or(MOST).min(MOST);
        if limit == 0 {
            return Ok(UploadPage::default());
        }
        let (seek, mut after) = start(&input.bucket, input.from);
        let mut page = Rolled::new(&input.prefix, &input.delimiter, limit, seek);
        let size = (limit + 1).min(Page::MOST);
        let mut full = false;
        loop {
            let next = Page::first(size).prefix(object_key(&input.bucket, &input.prefix)).after(after);
            let found = self.documents.list::<UploadRecord>(&scope(), next).await?;
            after = found.last().map(|last| last.position().to_owned());
            let exhausted = found.len() < size;
            for upload in found {
                full = full || page.offer(&upload.key, upload.facts()) == Offered::Full;
            }
            if full || exhausted {
                break;
            }
            if let Seek::Prefix(prefix) = &page.last {
                after = Some(object_key(&input.bucket, &format!("{prefix}{LAST}")));
            }
        }
        let next = full.then(|| goes_on(&page)).flatten();
        Ok(UploadPage { uploads: page.items, common_prefixes: page.common_prefixes, next })
    }
}

/// What the checksum of an upload covers.
fn kind_of(algorithm: Option<ChecksumAlgorithm>, kind: Option<ChecksumKind>) -> Result<ChecksumKind, Error> {
    let algorithm = algorithm.unwrap_or(ChecksumAlgorithm::Crc64Nvme);
    let only_full = algorithm == ChecksumAlgorithm::Crc64Nvme;
    let default = if only_full { ChecksumKind::FullObject } else { ChecksumKind::Composite };
    let kind = kind.unwrap_or(default);
    let possible = match kind {
        ChecksumKind::FullObject => algorithm.combines(),
        ChecksumKind::Composite => !only_full,
    };
    if possible {
        return Ok(kind);
    }
    let message = format!("The {} checksum type cannot be used with the {algorithm} checksum algorithm.", kind.name());
    Err(error::invalid_request(message))
}

fn start(bucket: &str, from: Option<UploadPosition>) -> (Seek, Option<String>) {
    match from {
        None => (Seek::Start, None),
        Some(UploadPosition::Key(key)) => {
            let after = format!("{}\0{LAST}", object_key(bucket, &key));
            (Seek::Key(key), Some(after))
        }
        Some(UploadPosition::Upload(key, id)) => {
            let after = UploadRecord::key_of(bucket, &key, &id);
            (Seek::Key(key), Some(after))
        }
        Some(UploadPosition::Prefix(prefix)) => {
            let after = object_key(bucket, &format!("{prefix}{LAST}"));
            (Seek::Prefix(prefix), Some(after))
        }
    }
}

fn goes_on(page: &Rolled<'_, Upload>) -> Option<UploadPosition> {
    match (&page.last, page.items.last()) {
        (Seek::Key(_), Some(last)) => Some(UploadPosition::Upload(last.key.clone(), last.upload_id.clone())),
        (Seek::Prefix(prefix), _) => Some(UploadPosition::Prefix(prefix.clone())),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_covers_what_its_algorithm_can() {
        let (full, composite) = (ChecksumKind::FullObject, ChecksumKind::Composite);
        assert_eq!(kind_of(None, None).unwrap(), full);
        assert_eq!(kind_of(Some(ChecksumAlgorithm::Crc32), None).unwrap(), composite);
        assert_eq!(kind_of(Some(ChecksumAlgorithm::Crc32), Some(full)).unwrap(), full);
        assert!(kind_of(Some(ChecksumAlgorithm::Sha256), Some(full)).is_err());
        assert!(kind_of(Some(ChecksumAlgorithm::Crc64Nvme), Some(composite)).is_err());
    }
}
