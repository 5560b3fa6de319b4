//! Carries out lifecycle rules: a walk through each bucket that has them, at every midnight UTC and when they are put.
//!
//! A step looks at a page of keys and keeps its place in the walk's document; each removal is a commit that checks
//! that the key is still as it was when the rules were asked, so that a step may be run again and writes may come between.

use crate::Service;
use crate::api::{Expire, Judged};
use crate::events::ITSELF;
use crate::model::{Archived, BucketRecord, Head, LifecycleWalk, UploadRecord, Version, scope};
use crate::rules::lifecycle::{
    Replaced, Seen, expires, marker_expires, next_midnight, noncurrent_expires, upload_expires,
};
use async_trait::async_trait;
use aws::Error;
use aws::s3::{LifecycleRule, Setting, SettingKind, Versioning};
use futures::stream::{self, StreamExt, TryStreamExt};
use kernel::work::Reconciler;
use kernel::{Batch, Caller, Lease, Page, Scope, StepError, Stored, Timestamp};
use std::sync::Arc;

/// How many keys one step looks at.
const PAGE: usize = 500;
/// How many of them at once: their commits share their fsyncs.
const AT_ONCE: usize = 16;

/// Walks through buckets.
pub(super) struct Walker(pub(super) Arc<Service>);

/// What one walk judges by.
struct Walk {
    caller: Caller,
    bucket: Stored<BucketRecord>,
    rules: Vec<LifecycleRule>,
    now: Timestamp,
}

#[async_trait]
impl Reconciler for Walker {
    type Document = LifecycleWalk;

    async fn step(&self, _: &Scope, mut walk: Stored<LifecycleWalk>, lease: &Lease) -> Result<(), StepError> {
        let service = &self.0;
        let began = walk.began.unwrap_or_else(|| service.clock.now());
        let Some(found) = service.begin(&walk.bucket, began).await? else { return Ok(()) };
        if walk.after.is_none() {
            service.expire_uploads(&found).await?;
        }
        let last = service.expire_page(&found, walk.after.as_deref()).await?;
        kernel::crash_point!("s3_lifecycle_page");
        walk.value = match last {
            Some(last) => LifecycleWalk { began: Some(began), after: Some(last), ..walk.value.clone() },
            None => LifecycleWalk::at(&walk.bucket, next_midnight(began)),
        };
        service.documents.commit(Batch::new(&scope()).replace(&walk).fenced(lease)).await?;
        Ok(())
    }
}

impl Service {
    /// The walk's bucket and rules. They go together with the walk, so without them there is nothing to do.
    async fn begin(&self, bucket: &str, now: Timestamp) -> Result<Option<Walk>, Error> {
        let Some(bucket) = self.documents.get::<BucketRecord>(&scope(), bucket).await? else { return Ok(None) };
        let stored = self.setting(&bucket.name, SettingKind::Lifecycle).await?.map(|stored| stored.value.setting);
        let Some(Setting::Lifecycle(lifecycle)) = stored else { return Ok(None) };
        let caller = Caller::service(&Scope::new(&bucket.account, &bucket.region), ITSELF);
        Ok(Some(Walk { caller, bucket, rules: lifecycle.rules, now }))
    }

    /// Looks at the next keys; answers the last of them where there may be more.
    async fn expire_page(&self, walk: &Walk, after: Option<&str>) -> Result<Option<String>, Error> {
        let prefix = format!("{}/", walk.bucket.name);
        let page = Page::first(PAGE).prefix(&prefix).after(after.map(str::to_owned));
        let heads: Vec<Stored<Head>> = self.documents.list(&scope(), page).await?;
        let last = heads.last().filter(|_| heads.len() == PAGE).map(|head| head.position().to_owned());
        let expiring = stream::iter(heads).map(|head| async move { self.expire_key(walk, &head).await });
        expiring.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(last)
    }

    /// What is not current goes first: a delete marker may be left alone by that.
    async fn expire_key(&self, walk: &Walk, head: &Head) -> Result<(), Error> {
        let current = &head.current;
        let alone = self.expire_archived(walk, head).await?;
        let expire = if current.delete_marker {
            let goes = alone && marker_expires(&walk.rules, &head.key, current.last_modified, walk.now);
            goes.then_some(Expire::Marker(Judged::of(current)))
        } else {
            expires(&walk.rules, seen(&head.key, current), walk.now).then_some(Expire::Current(Judged::of(current)))
        };
        match expire {
            Some(expire) => self.expire(walk, &head.key, &expire).await,
            None => Ok(()),
        }
    }

    /// Removes what is not current any more, and answers whether nothing of it is left.
    async fn expire_archived(&self, walk: &Walk, head: &Head) -> Result<bool, Error> {
        if walk.bucket.versioning == Versioning::Unversioned {
            return Ok(true);
        }
        let (mut replaced, mut after, mut left) = (Replaced { at: head.current.last_modified, newer: 0 }, None, false);
        loop {
            let prefix = Archived::prefix(&head.bucket, &head.key);
            let page = Page::first(PAGE).prefix(prefix).after(after);
            let found: Vec<Stored<Archived>> = self.documents.list(&scope(), page).await?;
            for archived in &found {
                let version = &archived.value.version;
                if noncurrent_expires(&walk.rules, seen(&head.key, version), replaced, walk.now) {
                    let expire = Expire::Archived { sequence: version.sequence, current: Judged::of(&head.current) };
                    self.expire(walk, &head.key, &expire).await?;
                } else {
                    left = true;
                }
                replaced = Replaced { at: version.last_modified, newer: replaced.newer.saturating_add(1) };
            }
            if found.len() < PAGE {
                return Ok(!left);
            }
            after = found.last().map(|last| last.position().to_owned());
        }
    }

    async fn expire(&self, walk: &Walk, key: &str, expire: &Expire) -> Result<(), Error> {
        self.change(&walk.caller, (&walk.bucket.name, key), expire).await
    }

    async fn expire_uploads(&self, walk: &Walk) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = Page::first(PAGE).prefix(format!("{}/", walk.bucket.name)).after(after);
            let uploads: Vec<Stored<UploadRecord>> = self.documents.list(&scope(), page).await?;
            for upload in &uploads {
                if upload_expires(&walk.rules, &upload.key, upload.initiated, walk.now) {
                    gone_is_fine(self.drop_upload(upload).await)?;
                }
            }
            if uploads.len() < PAGE {
                return Ok(());
            }
            after = uploads.last().map(|last| last.position().to_owned());
        }
    }
}

/// An upload that was completed or aborted meanwhile needs nothing more.
fn gone_is_fine(result: Result<(), Error>) -> Result<(), Error> {
    result.or_else(|error| if error.is("NoSuchUpload") { Ok(()) } else { Err(error) })
}

fn seen<'a>(key: &'a str, version: &'a Version) -> Seen<'a> {
    Seen { key, size: version.content.size, tags: &version.tags, written: version.last_modified }
}
