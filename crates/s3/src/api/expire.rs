//! Removal by lifecycle rules.

use super::change::{Attempt, Change, Found};
use crate::Service;
use crate::model::Version;
use async_trait::async_trait;
use aws::Error;
use kernel::Timestamp;

/// A version that rules were asked about. Where the newest ones were deleted their sequences are given again, so the
/// time belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judged {
    sequence: u64,
    written: Timestamp,
}

impl Judged {
    pub(crate) fn of(version: &Version) -> Self {
        Self { sequence: version.sequence, written: version.last_modified }
    }
}

/// A version goes because a rule says so, if all is as it was when the rule was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expire {
    /// The current version, as a delete without a version would have it.
    Current(Judged),
    /// The current version, for good: a delete marker.
    Marker(Judged),
    /// The archived version of that sequence, for good. How long it has not been current, and how many newer ones there are,
    /// was reckoned under this current one.
    Archived { sequence: u64, current: Judged },
}

impl Expire {
    /// The version that was current when the rule was asked.
    fn current(self) -> Judged {
        match self {
            Self::Current(current) | Self::Marker(current) | Self::Archived { current, .. } => current,
        }
    }
}

#[async_trait]
impl Change for Expire {
    type Output = ();

    async fn attempt(&self, service: &Service, found: Found<'_>) -> Result<Attempt<()>, Error> {
        let head = found.head.as_deref().filter(|head| Judged::of(&head.current) == self.current()).cloned();
        // Somebody wrote or deleted meanwhile: the next walk judges anew.
        let Some(head) = head else { return Ok(Attempt::Done(())) };
        let attempt = match *self {
            Self::Current(_) => service.delete_current(found).await?,
            Self::Marker(_) => service.remove_current(found, &head).await?,
            Self::Archived { sequence, .. } => match service.archived(&head.bucket, &head.key, sequence).await? {
                Some(archived) => service.remove_archived(found, head, archived.value.version).await?,
                None => return Ok(Attempt::Done(())),
            },
        };
        Ok(attempt.map(|_| ()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Dependencies;
    use crate::model::{Archived, Head, object_key, scope};
    use aws::s3::{CreateBucket, DeleteObject, GetObject, PutObject, S3, Versioning};
    use kernel::{Blobs, Caller, ManualClock, Page, Scope, SequentialIds, Store};
    use std::sync::Arc;
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    struct Ground {
        _dir: tempfile::TempDir,
        clock: Arc<ManualClock>,
        s3: Arc<Service>,
        caller: Caller,
    }

    impl Ground {
        async fn new(versioning: Versioning) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_700_000_000)));
            let documents = Store::open(dir.path(), Arc::clone(&clock) as _).unwrap().service("s3");
            let (blobs, ids) = (Blobs::open(dir.path(), "s3").unwrap(), Arc::new(SequentialIds::new(0)));
            let s3 = Service::new(Dependencies { documents, blobs, clock: Arc::clone(&clock) as _, ids });
            let caller = Caller::root(&Scope::new("111111111111", "eu-west-1"), "request-1");
            let bucket = CreateBucket { bucket: "house".to_owned(), ..CreateBucket::default() };
            s3.create_bucket(&caller, bucket).await.unwrap();
            if versioning != Versioning::Unversioned {
                s3.put_bucket_versioning(&caller, "house", versioning).await.unwrap();
            }
            Self { _dir: dir, clock, s3, caller }
        }

        async fn put(&self, content: &'static str) {
            self.clock.advance(DAY);
            self.s3.put_object(&self.caller, PutObject::new("house", "k", content)).await.unwrap();
        }

        async fn current(&self) -> Judged {
            let head = self.s3.documents.get::<Head>(&scope(), &object_key("house", "k")).await.unwrap();
            Judged::of(&head.unwrap().current)
        }

        async fn expire(&self, expire: Expire) {
            self.s3.change(&self.caller, ("house", "k"), &expire).await.unwrap();
        }

        /// The sequences of what is not current, newest first.
        async fn archived(&self) -> Vec<u64> {
            let page = Page::default().prefix(Archived::prefix("house", "k"));
            let found = self.s3.documents.list::<Archived>(&scope(), page).await.unwrap();
            found.into_iter().map(|archived| archived.value.version.sequence).collect()
        }
    }

    #[tokio::test]
    async fn what_was_written_behind_a_delete_is_not_what_the_rule_was_asked_about() {
        let ground = Ground::new(Versioning::Unversioned).await;
        ground.put("old").await;
        let judged = ground.current().await;
        let delete = DeleteObject { bucket: "house".into(), key: "k".into(), ..DeleteObject::default() };
        ground.s3.delete_object(&ground.caller, delete).await.unwrap();
        ground.put("new").await;
        assert_eq!(ground.current().await.sequence, judged.sequence);
        ground.expire(Expire::Current(judged)).await;
        assert!(ground.s3.get_object(&ground.caller, GetObject::new("house", "k")).await.is_ok());
        ground.expire(Expire::Current(ground.current().await)).await;
        assert!(ground.s3.get_object(&ground.caller, GetObject::new("house", "k")).await.is_err());
    }

    #[tokio::test]
    async fn what_is_not_current_stays_where_a_write_came_between() {
        let ground = Ground::new(Versioning::Enabled).await;
        for content in ["1", "2"] {
            ground.put(content).await;
        }
        let judged = ground.current().await;
        ground.put("3").await;
        for sequence in [0, 1] {
            ground.expire(Expire::Archived { sequence, current: judged }).await;
        }
        assert_eq!(
            ground.archived().await,
            [1, 0],
            "the one replaced just now, and one that has more newer ones than thought"
        );
        ground.expire(Expire::Archived { sequence: 0, current: ground.current().await }).await;
        assert_eq!(ground.archived().await, [1]);
    }
}
