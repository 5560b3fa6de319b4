//! Removes events that are older than their group keeps them.
//!
//! Reads pass such events over, whether they are removed yet or not. A round goes through a group's streams some at a
//! time and remembers how far it is; a round that is broken off anywhere goes on from there.

use crate::model::{Expiry, Group, Stream};
use crate::segments::Expired;
use crate::service::Service;
use async_trait::async_trait;
use kernel::retention::{Collected, Collector, Removed, Retention};
use kernel::{Batch, Lease, Page, Reconciler, Scope, StepError, StoreError, Stored};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Streams that one step looks at.
const STREAMS_A_STEP: usize = 100;
/// From one round's end to the next round.
const INTERVAL: Duration = Duration::from_secs(3600);

pub(super) struct Expirer(pub(super) Arc<Service>);

#[async_trait]
impl Reconciler for Expirer {
    type Document = Expiry;

    async fn step(&self, scope: &Scope, mut expiry: Stored<Expiry>, lease: &Lease) -> Result<(), StepError> {
        let service = &self.0;
        let group = service.documents.get::<Group>(scope, &expiry.name).await?;
        let group = group.filter(|group| group.id == expiry.group && group.retention_days.is_some());
        let Some(group) = group else {
            service.documents.commit(Batch::new(scope).remove(&expiry).fenced(lease)).await?;
            return Ok(());
        };
        let streams = service.streams_after(scope, &group, expiry.after.take()).await?;
        for stream in &streams {
            service.expire(scope, &group, stream).await?;
        }
        match streams.last() {
            Some(last) if streams.len() == STREAMS_A_STEP => expiry.after = Some(last.position().to_owned()),
            _ => expiry.due = service.clock.now() + INTERVAL,
        }
        service.documents.commit(Batch::new(scope).replace(&expiry).fenced(lease)).await?;
        Ok(())
    }
}

impl Service {
    async fn streams_after(
        &self,
        scope: &Scope,
        group: &Group,
        after: Option<String>,
    ) -> Result<Vec<Stored<Stream>>, StoreError> {
        let page = Page::first(STREAMS_A_STEP).prefix(Stream::key_of(&group.id, "")).after(after);
        self.documents.list::<Stream>(scope, page).await
    }

    async fn expire(&self, scope: &Scope, group: &Group, stream: &Stream) -> io::Result<Expired> {
        let log = self.shelf.log(scope, stream).await?;
        log.expire(group.oldest(self.clock.now())).await
    }

    /// What [`Service::expire`] would remove.
    async fn would_expire(&self, scope: &Scope, group: &Group, stream: &Stream) -> io::Result<Expired> {
        let log = self.shelf.log(scope, stream).await?;
        let segments = log.expired(group.oldest(self.clock.now()));
        let mut expired = Expired::default();
        for segment in &segments {
            expired.events += segment.count;
            expired.bytes += segment.bytes;
        }
        Ok(expired)
    }
}

/// Log groups say themselves how long their events are kept; a collection removes at once what has expired.
#[async_trait]
impl Collector for Service {
    async fn collect(&self, _: &Retention, dry_run: bool) -> Result<Collected, StoreError> {
        let mut removed = Removed::default();
        for scope in self.documents.scopes::<Expiry>().await? {
            let mut after = None;
            loop {
                let page = self.documents.list::<Expiry>(&scope, Page::default().after(after)).await?;
                for expiry in &page {
                    self.collect_group(&scope, expiry, dry_run, &mut removed).await?;
                }
                after = page.last().map(|last| last.position().to_owned());
                if page.len() < Page::MOST {
                    break;
                }
            }
        }
        Ok(Collected::from([("log events", removed)]))
    }
}

impl Service {
    async fn collect_group(
        &self,
        scope: &Scope,
        expiry: &Expiry,
        dry_run: bool,
        removed: &mut Removed,
    ) -> Result<(), StoreError> {
        let group = self.documents.get::<Group>(scope, &expiry.name).await?.filter(|group| group.id == expiry.group);
        let Some(group) = group else { return Ok(()) };
        let mut after = None;
        loop {
            let streams = self.streams_after(scope, &group, after).await?;
            for stream in &streams {
                let expired = match dry_run {
                    true => self.would_expire(scope, &group, stream).await,
                    false => self.expire(scope, &group, stream).await,
                };
                // A stream whose files cannot be read keeps no other from being collected.
                match expired {
                    Ok(expired) => {
                        removed.count += expired.events;
                        removed.bytes += expired.bytes;
                    }
                    Err(error) => tracing::warn!(%error, stream = stream.name, "cannot remove expired log events"),
                }
            }
            after = streams.last().map(|last| last.position().to_owned());
            if streams.len() < STREAMS_A_STEP {
                return Ok(());
            }
        }
    }
}
