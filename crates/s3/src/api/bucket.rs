//! Buckets.

use crate::Service;
use crate::model::{BucketRecord, Head, OWNER, SettingRecord, UploadRecord, scope};
use crate::rules::names::check_bucket;
use crate::rules::tags::check_tags;
use aws::Error;
use aws::s3::{
    Bucket, BucketPage, CreateBucket, ListBuckets, Ownership, PublicAccessBlock, Setting, Tags, Versioning, error,
};
use kernel::{Batch, Caller, CommitError, Page, Stored};
use std::time::Duration;

/// How long a delete may take to look whether the bucket is empty, before it is undone.
const DELETE_GRACE: Duration = Duration::from_secs(10);
/// The most buckets of a page.
const MOST_BUCKETS: usize = 10_000;

impl Service {
    /// The bucket, if it is the caller's account's.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub(crate) async fn bucket(&self, caller: &Caller, name: &str) -> Result<Stored<BucketRecord>, Error> {
        let found = self.documents.get::<BucketRecord>(&scope(), name).await?;
        let bucket = found.ok_or_else(|| error::no_such_bucket(name))?;
        if bucket.account != caller.account {
            return Err(error::access_denied(format!("The bucket {name} belongs to another account.")));
        }
        Ok(bucket)
    }

    /// The bucket, to write in it.
    ///
    /// # Errors
    /// As [`Service::bucket`], and `OperationAborted` while somebody deletes it.
    pub(crate) async fn bucket_to_write(&self, caller: &Caller, name: &str) -> Result<Stored<BucketRecord>, Error> {
        let bucket = self.bucket(caller, name).await?;
        if bucket.deleting_until.is_some() {
            return Err(aborted(name));
        }
        Ok(bucket)
    }

    pub(crate) async fn make_bucket(&self, caller: &Caller, input: CreateBucket) -> Result<Bucket, Error> {
        check_bucket(&input.bucket)?;
        check_tags(&input.tags)?;
        let record = BucketRecord {
            name: input.bucket,
            account: caller.account.clone(),
            region: input.region.unwrap_or_else(|| caller.region.clone()),
            created: self.clock.now(),
            versioning: Versioning::Unversioned,
            eventbridge: false,
            deleting_until: None,
        };
        let settings = first_settings(&record.name, input.ownership, input.tags);
        let batch = settings.iter().fold(Batch::new(&scope()).insert(&record), |batch, setting| batch.insert(setting));
        match self.documents.commit(batch).await {
            Ok(()) => Ok(record.facts()),
            Err(CommitError::Exists { .. }) => Err(self.taken(caller, &record.name).await?),
            Err(failure) => Err(Error::internal(failure)),
        }
    }

    async fn taken(&self, caller: &Caller, name: &str) -> Result<Error, Error> {
        let other = self.documents.get::<BucketRecord>(&scope(), name).await?;
        Ok(match other {
            Some(other) if other.account == caller.account => error::bucket_already_owned_by_you(name),
            _ => error::bucket_already_exists(name),
        })
    }

    pub(crate) async fn page_of_buckets(&self, caller: &Caller, input: ListBuckets) -> Result<BucketPage, Error> {
        let limit = input.limit.unwrap_or(MOST_BUCKETS).clamp(1, MOST_BUCKETS);
        let prefix = input.prefix.unwrap_or_default();
        let mut page = BucketPage::default();
        let mut position = None;
        loop {
            let next = Page::default().prefix(&prefix).after(position);
            let found = self.documents.find::<BucketRecord>(&scope(), OWNER, &caller.account, next).await?;
            for bucket in &found {
                let wanted = input.region.as_ref().is_none_or(|region| *region == bucket.region)
                    && input.after.as_ref().is_none_or(|after| bucket.name > *after);
                if wanted && page.buckets.len() == limit {
                    page.next = page.buckets.last().map(|last| last.name.clone());
                    return Ok(page);
                }
                if wanted {
                    page.buckets.push(bucket.facts());
                }
            }
            match found.last() {
                Some(last) if found.len() == Page::MOST => position = Some(last.position().to_owned()),
                _ => return Ok(page),
            }
        }
    }

    pub(crate) async fn set_versioning(
        &self,
        caller: &Caller,
        name: &str,
        versioning: Versioning,
    ) -> Result<(), Error> {
        if versioning == Versioning::Unversioned {
            return Err(error::invalid_argument("Versioning is Enabled or Suspended; it cannot be undone."));
        }
        let mut bucket = self.bucket_to_write(caller, name).await?;
        bucket.versioning = versioning;
        match self.documents.commit(Batch::new(&scope()).replace(&bucket)).await {
            Ok(()) => Ok(()),
            Err(CommitError::Conflict { .. }) => Err(aborted(name)),
            Err(failure) => Err(Error::internal(failure)),
        }
    }

    /// In three commits: no more writes; a look; gone (or writes again). Should the second not come, the reconciler
    /// allows writes again after [`DELETE_GRACE`].
    pub(crate) async fn remove_bucket(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        let mut bucket = self.bucket_to_write(caller, name).await?;
        bucket.deleting_until = Some(self.clock.now() + DELETE_GRACE);
        let closed = self.documents.replace(&scope(), bucket).await.map_err(|failure| conflict(failure, name))?;
        kernel::crash_point!("s3_bucket_closed");
        if self.is_empty(name).await? {
            self.abort_all(name).await?;
            kernel::crash_point!("s3_bucket_emptied");
            return self.forget_bucket(&closed).await;
        }
        self.reopen(closed).await?;
        Err(error::bucket_not_empty(name))
    }

    /// Allows writes again after a delete that did not happen.
    pub(crate) async fn reopen(&self, mut bucket: Stored<BucketRecord>) -> Result<(), Error> {
        bucket.deleting_until = None;
        match self.documents.commit(Batch::new(&scope()).replace(&bucket)).await {
            Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(failure) => Err(Error::internal(failure)),
        }
    }

    async fn is_empty(&self, bucket: &str) -> Result<bool, Error> {
        let one = Page::first(1).prefix(format!("{bucket}/"));
        Ok(self.documents.list::<Head>(&scope(), one).await?.is_empty())
    }

    async fn abort_all(&self, bucket: &str) -> Result<(), Error> {
        loop {
            let some = Page::first(100).prefix(format!("{bucket}/"));
            let uploads = self.documents.list::<UploadRecord>(&scope(), some).await?;
            if uploads.is_empty() {
                return Ok(());
            }
            for upload in uploads {
                self.drop_upload(&upload).await?;
            }
        }
    }
}

/// What a new bucket is set to since April 2023 (Amazon S3 User Guide, "Default settings for new S3 buckets FAQ").
fn first_settings(bucket: &str, ownership: Ownership, tags: Tags) -> Vec<SettingRecord> {
    let mut settings = vec![Setting::Ownership(ownership), Setting::PublicAccessBlock(PublicAccessBlock::all())];
    if !tags.is_empty() {
        settings.push(Setting::Tagging(tags));
    }
    settings.into_iter().map(|setting| SettingRecord { bucket: bucket.to_owned(), setting }).collect()
}

/// Another change of the bucket is in progress (409).
pub(super) fn aborted(bucket: &str) -> Error {
    let message = format!("A conflicting operation is currently in progress against the bucket {bucket}; try again.");
    Error::modelled("OperationAborted", 409, message)
}

pub(super) fn conflict(failure: CommitError, bucket: &str) -> Error {
    match failure {
        CommitError::Conflict { .. } => aborted(bucket),
        failure => Error::internal(failure),
    }
}
