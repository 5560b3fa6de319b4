//! DeleteObject and DeleteObjects.

use super::change::{Attempt, Change, Found};
use crate::Service;
use crate::events::Happened;
use crate::model::{Head, Version, VersionId, scope};
use crate::rules::condition::check_write;
use crate::rules::history::{self, Plan};
use crate::rules::names::{check_key, check_version};
use async_trait::async_trait;
use aws::Error;
use aws::s3::{
    DeleteObject, DeleteObjectOutput, DeleteObjects, DeleteObjectsOutput, DeletedObject, FailedDelete,
    ObjectIdentifier, Versioning, WriteCondition,
};
use futures::stream::{self, StreamExt};
use kernel::{Batch, Caller};

/// The most objects of one request.
const MOST: usize = 1_000;
/// How many of them are deleted at once: their commits share their fsyncs.
const AT_ONCE: usize = 32;

#[async_trait]
impl Change for DeleteObject {
    type Output = DeleteObjectOutput;

    async fn attempt(&self, service: &Service, found: Found<'_>) -> Result<Attempt<DeleteObjectOutput>, Error> {
        let condition = WriteCondition { if_match: self.if_match.clone(), if_absent: false };
        check_write(&condition, found.key, found.etag())?;
        match &self.version_id {
            Some(id) => service.delete_version(found, id).await,
            None => service.delete_current(found).await,
        }
    }
}

impl Service {
    pub(crate) async fn delete(&self, caller: &Caller, input: &DeleteObject) -> Result<DeleteObjectOutput, Error> {
        check_key(&input.key)?;
        check_version(input.version_id.as_deref())?;
        self.change(caller, (&input.bucket, &input.key), input).await
    }

    /// Hides the object behind a delete marker, or removes it where the bucket never was versioned.
    pub(super) async fn delete_current(&self, found: Found<'_>) -> Result<Attempt<DeleteObjectOutput>, Error> {
        let batch = Batch::new(&scope());
        if found.bucket.versioning != Versioning::Unversioned {
            let marker = Version { delete_marker: true, last_modified: self.clock.now(), ..Version::default() };
            let attempt = self.put_on_top(found, marker, Happened::Hidden, batch).await?;
            return Ok(attempt.map(|marker| output(&marker)));
        }
        let Some(head) = found.head.as_deref().cloned() else {
            return Ok(Attempt::Done(DeleteObjectOutput::default()));
        };
        let plan = history::drop_current(&head, None);
        let attempt = self.carry_out(found, plan, (&head.current, Happened::Removed), batch).await?;
        Ok(attempt.map(|()| DeleteObjectOutput::default()))
    }

    /// Removes one version for good. What is not there is gone already.
    async fn delete_version(&self, found: Found<'_>, id: &str) -> Result<Attempt<DeleteObjectOutput>, Error> {
        let absent = DeleteObjectOutput { version_id: Some(id.to_owned()), delete_marker: false };
        let id = VersionId::parse(id);
        let Some(head) = found.head.as_deref().cloned() else { return Ok(Attempt::Done(absent)) };
        if head.current.is(id) {
            return self.remove_current(found, &head).await;
        }
        let Some(archived) = self.archived_by_id(&head, id).await? else { return Ok(Attempt::Done(absent)) };
        self.remove_archived(found, head, archived.value.version).await
    }

    /// The current version goes for good, and the one before takes its place.
    pub(super) async fn remove_current(
        &self,
        found: Found<'_>,
        head: &Head,
    ) -> Result<Attempt<DeleteObjectOutput>, Error> {
        let newest = self.newest_archived(head).await?.map(|archived| archived.value.version);
        let plan = history::drop_current(head, newest.as_ref());
        let removed = (&head.current, Happened::Removed);
        let attempt = self.carry_out(found, plan, removed, Batch::new(&scope())).await?;
        Ok(attempt.map(|()| output(&head.current)))
    }

    /// A version that is not current goes for good.
    pub(super) async fn remove_archived(
        &self,
        found: Found<'_>,
        mut kept: Head,
        version: Version,
    ) -> Result<Attempt<DeleteObjectOutput>, Error> {
        kept.archived_null = kept.archived_null.filter(|sequence| *sequence != version.sequence);
        let plan = Plan { head: Some(kept), forget: Some(version.sequence), ..Plan::default() };
        let attempt = self.carry_out(found, plan, (&version, Happened::Removed), Batch::new(&scope())).await?;
        Ok(attempt.map(|()| output(&version)))
    }

    pub(crate) async fn delete_many(
        &self,
        caller: &Caller,
        input: DeleteObjects,
    ) -> Result<DeleteObjectsOutput, Error> {
        if input.objects.len() > MOST {
            return Err(Error::new("MalformedXML", "At most 1000 objects can be deleted in one request."));
        }
        self.bucket_to_write(caller, &input.bucket).await?;
        let bucket = &input.bucket;
        let results = stream::iter(input.objects).map(|object| self.delete_one(caller, bucket, object));
        let mut results = results.buffered(AT_ONCE);
        let mut output = DeleteObjectsOutput::default();
        while let Some(result) = results.next().await {
            match result {
                Ok(deleted) => output.deleted.push(deleted),
                Err(failed) => output.failed.push(failed),
            }
        }
        Ok(output)
    }

    async fn delete_one(
        &self,
        caller: &Caller,
        bucket: &str,
        object: ObjectIdentifier,
    ) -> Result<DeletedObject, FailedDelete> {
        let ObjectIdentifier { key, version_id, if_match } = object.clone();
        let input = DeleteObject { bucket: bucket.to_owned(), key, version_id, if_match };
        match self.delete(caller, &input).await {
            Ok(output) => Ok(DeletedObject { object, output }),
            Err(error) => Err(FailedDelete { object, error }),
        }
    }
}

fn output(version: &Version) -> DeleteObjectOutput {
    let version_id = version.id.clone().unwrap_or_else(|| "null".to_owned());
    DeleteObjectOutput { version_id: Some(version_id), delete_marker: version.delete_marker }
}
