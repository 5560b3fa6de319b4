//! How the versions of a key change: read, decide, commit; again if another write came between.

use crate::Service;
use crate::events::{Happened, event};
use crate::model::{Archived, BucketRecord, Head, Version, VersionId, object_key, scope};
use crate::rules::history::{self, Plan};
use async_trait::async_trait;
use aws::Error;
use aws::s3::error;
use kernel::{Batch, Caller, CommitError, Page, Stored};

/// How often a change is tried. Writes of one key take turns within the process, so that other conflicts are rare.
const ATTEMPTS: usize = 16;
/// Random characters at the end of a version id.
const RANDOM: usize = 22;
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A change of one key: decides from what it finds, and commits.
#[async_trait]
pub(crate) trait Change: Sync {
    type Output;

    /// Tries once; it is called again where another write came between.
    async fn attempt(&self, service: &Service, found: Found<'_>) -> Result<Attempt<Self::Output>, Error>;
}

/// A key as a change finds it.
pub(crate) struct Found<'a> {
    pub(super) caller: &'a Caller,
    pub(super) bucket: Stored<BucketRecord>,
    pub(super) key: &'a str,
    pub(super) head: Option<Stored<Head>>,
}

/// One try of a change.
pub(crate) enum Attempt<T> {
    Done(T),
    /// Another write came between.
    Again,
}

impl<T> Attempt<T> {
    pub(super) fn map<U>(self, f: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Self::Done(output) => Attempt::Done(f(output)),
            Self::Again => Attempt::Again,
        }
    }
}

impl Found<'_> {
    /// The entity tag of the object that is there now.
    pub(super) fn etag(&self) -> Option<&str> {
        self.live().map(|version| version.etag.as_str())
    }

    /// The current version, if it is no delete marker.
    pub(super) fn live(&self) -> Option<&Version> {
        self.head.as_ref().map(|head| &head.current).filter(|version| !version.delete_marker)
    }
}

impl Service {
    /// Makes a change of one key, from what is there at the time.
    ///
    /// # Errors
    /// Those of the change, and `ConditionalRequestConflict` where other writes always came between.
    pub(crate) async fn change<C: Change>(
        &self,
        caller: &Caller,
        (bucket, key): (&str, &str),
        change: &C,
    ) -> Result<C::Output, Error> {
        let _turn = self.locks.lock(&object_key(bucket, key)).await;
        for _ in 0..ATTEMPTS {
            let bucket = self.bucket_to_write(caller, bucket).await?;
            let head = self.documents.get::<Head>(&scope(), &object_key(&bucket.name, key)).await?;
            match change.attempt(self, Found { caller, bucket, key, head }).await? {
                Attempt::Done(output) => return Ok(output),
                Attempt::Again => {}
            }
        }
        Err(error::conditional_request_conflict(key))
    }

    /// Puts a version on top. `batch` is what belongs to the same commit; answers the version as it was written.
    pub(super) async fn put_on_top(
        &self,
        found: Found<'_>,
        version: Version,
        happened: Happened,
        batch: Batch,
    ) -> Result<Attempt<Version>, Error> {
        let random = self.ids.token(ALPHABET, RANDOM);
        let place = (found.bucket.name.as_str(), found.key);
        let plan = history::write(found.bucket.versioning, place, found.head.as_deref(), version, &random);
        let Some(written) = plan.head.as_ref().map(|head| head.current.clone()) else {
            return Err(Error::internal("a write leaves a current version"));
        };
        let attempt = self.carry_out(found, plan, (&written, happened), batch).await?;
        Ok(attempt.map(|()| written))
    }

    /// Commits a plan with its event.
    pub(super) async fn carry_out(
        &self,
        found: Found<'_>,
        plan: Plan,
        (version, happened): (&Version, Happened),
        mut batch: Batch,
    ) -> Result<Attempt<()>, Error> {
        let Found { caller, bucket, key, head } = found;
        batch = batch.require(&bucket);
        if let Some(sequence) = plan.forget {
            let Some(archived) = self.archived(&bucket.name, key, sequence).await? else { return Ok(Attempt::Again) };
            let promoted = plan.head.as_ref().is_some_and(|head| head.current.sequence == sequence);
            batch = batch.remove(&archived);
            if !promoted {
                batch = self.release(&archived.value.version.content, batch).await?;
            }
        }
        batch = match (head, plan.head) {
            (Some(mut stored), Some(new)) => {
                stored.value = new;
                batch.replace(&stored)
            }
            (Some(stored), None) => batch.remove(&stored),
            (None, Some(new)) => batch.insert(&new),
            (None, None) => batch,
        };
        if let Some(version) = plan.archive {
            batch = batch.insert(&Archived { bucket: bucket.name.clone(), key: key.to_owned(), version });
        }
        if let Some(version) = plan.dropped {
            batch = self.release(&version.content, batch).await?;
        }
        let source = (self.ids.as_ref(), self.clock.now());
        batch = batch.publish(&event(source, caller, &bucket, key, version, happened));
        self.commit_once(batch).await
    }

    /// Commits, or says that another write came between.
    pub(super) async fn commit_once(&self, batch: Batch) -> Result<Attempt<()>, Error> {
        match self.documents.commit(batch).await {
            Ok(()) => {
                kernel::crash_point!("s3_after_commit");
                Ok(Attempt::Done(()))
            }
            Err(CommitError::Conflict { .. } | CommitError::Exists { .. }) => Ok(Attempt::Again),
            Err(failure) => Err(Error::internal(failure)),
        }
    }

    /// The archived version of that sequence.
    pub(super) async fn archived(
        &self,
        bucket: &str,
        key: &str,
        sequence: u64,
    ) -> Result<Option<Stored<Archived>>, Error> {
        Ok(self.documents.get(&scope(), &Archived::key_of(bucket, key, sequence)).await?)
    }

    /// The archived version of that id.
    pub(super) async fn archived_by_id(
        &self,
        head: &Head,
        id: VersionId<'_>,
    ) -> Result<Option<Stored<Archived>>, Error> {
        let Some(sequence) = history::archived_sequence(head, id) else { return Ok(None) };
        let found = self.archived(&head.bucket, &head.key, sequence).await?;
        Ok(found.filter(|archived| archived.value.version.is(id)))
    }

    /// The newest archived version.
    pub(super) async fn newest_archived(&self, head: &Head) -> Result<Option<Stored<Archived>>, Error> {
        let page = Page::first(1).prefix(Archived::prefix(&head.bucket, &head.key));
        Ok(self.documents.list(&scope(), page).await?.into_iter().next())
    }
}
