//! Blobs that no document refers to: a crash left them between their arrival and the commit, or what referred to them
//! is gone.
//!
//! Content comes before the commit that refers to it, and a commit may take a reference over from another document, so
//! a blob that nobody refers to now may be about to be referred to. One goes only when it was found so twice, at
//! least [`SAFETY_AGE`] apart, and was not written again meanwhile: nobody carries a reference in memory that long.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::PoisonError;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{BlobError, Blobs};
use crate::store::unreferenced;
use crate::{
    Batch, Collected, Collector, CommitError, Document, Documents, Page, Removed, Retention, Scope, StoreError, Stored,
    Timestamp,
};

/// How long a blob is left alone after it was first found without a reference.
const SAFETY_AGE: Duration = Duration::from_secs(24 * 3_600);

/// How many blobs are looked at at once, and how many notes go in one commit.
const AT_ONCE: usize = 500;

/// Collects the blobs of one service that none of its documents refers to any more.
pub struct UnusedBlobs {
    documents: Documents,
    blobs: Blobs,
    what: &'static str,
}

/// That a blob was found without a reference.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Found {
    area: String,
    blob: String,
    since: Timestamp,
}

impl Document for Found {
    const KIND: &'static str = "kernel.unused-blob";

    fn key(&self) -> String {
        format!("{}/{}", self.area, self.blob)
    }
}

/// Notes concern the whole folder.
fn scope() -> Scope {
    Scope::new("", "")
}

impl UnusedBlobs {
    /// Those in `blobs`, the area of the service that `documents` is the handle of. `what` is what a collection calls
    /// them, e.g. `unused content of builds`.
    #[must_use]
    pub fn new(documents: Documents, blobs: Blobs, what: &'static str) -> Self {
        Self { documents, blobs, what }
    }

    /// Looks at the next blobs behind `after`; gives the last of them.
    async fn collect_some(
        &self,
        after: Option<&str>,
        dry_run: bool,
        removed: &mut Removed,
    ) -> Result<Option<String>, StoreError> {
        let digests = self.blobs.list(after, AT_ONCE).await.map_err(failed)?;
        let Some(last) = digests.last().cloned() else { return Ok(None) };
        let notes = self.notes(after, &last).await?;
        let service = self.documents.name().to_owned();
        let query = move |connection: &rusqlite::Connection| unreferenced(connection, &service, digests);
        let unused = self.documents.store().read(query).await?;
        let mut batch = Batch::new(&scope());
        for (digest, note) in notes.iter().filter(|(digest, _)| !unused.contains(digest)) {
            tracing::debug!(digest, "a blob is referred to again");
            batch = batch.remove(note);
        }
        for digest in unused {
            batch = self.decide(digest, &notes, dry_run, removed, batch).await?;
        }
        if !dry_run && !batch.is_empty() {
            match self.documents.commit(batch).await {
                // Another collection was faster.
                Ok(()) | Err(CommitError::Conflict { .. } | CommitError::Exists { .. }) => {}
                Err(CommitError::Store(error)) => return Err(error),
                Err(error @ CommitError::LeaseLost { .. }) => return Err(failed(error)),
            }
        }
        Ok(Some(last))
    }

    /// A blob without reference: noted at first, removed when the note is old enough.
    async fn decide(
        &self,
        digest: String,
        notes: &HashMap<String, Stored<Found>>,
        dry_run: bool,
        removed: &mut Removed,
        batch: Batch,
    ) -> Result<Batch, StoreError> {
        let now = self.documents.store().clock().now();
        let Some(note) = notes.get(&digest) else {
            return Ok(batch.insert(&Found { area: self.documents.name().to_owned(), blob: digest, since: now }));
        };
        if now.since(note.since) < SAFETY_AGE {
            return Ok(batch);
        }
        let (blobs, since) = (self.blobs.clone(), note.since);
        let remove = move || blobs.remove_if_older(&digest, since, dry_run);
        match tokio::task::spawn_blocking(remove).await.map_err(failed)?.map_err(failed)? {
            Some(bytes) => {
                removed.count += 1;
                removed.bytes += bytes;
                Ok(batch.remove(note))
            }
            // Written again since it was noted: its time begins anew.
            None => {
                let mut renewed = note.clone();
                renewed.since = now;
                Ok(batch.replace(&renewed))
            }
        }
    }

    /// The notes of blobs behind `after`, up to `last`.
    async fn notes(&self, after: Option<&str>, last: &str) -> Result<HashMap<String, Stored<Found>>, StoreError> {
        let area = self.documents.name();
        let mut notes = HashMap::new();
        let mut position = after.map(|after| format!("{area}/{after}"));
        loop {
            let page = Page::first(AT_ONCE).prefix(format!("{area}/")).after(position);
            let found = self.documents.list::<Found>(&scope(), page).await?;
            let Some(end) = found.last() else { return Ok(notes) };
            position = Some(end.position().to_owned());
            let beyond = end.blob.as_str() > last;
            notes.extend(found.into_iter().filter(|note| *note.blob <= *last).map(|note| (note.blob.clone(), note)));
            if beyond {
                return Ok(notes);
            }
        }
    }
}

#[async_trait]
impl Collector for UnusedBlobs {
    async fn collect(&self, _: &Retention, dry_run: bool) -> Result<Collected, StoreError> {
        let mut removed = Removed::default();
        let mut after = None;
        while let Some(last) = self.collect_some(after.as_deref(), dry_run, &mut removed).await? {
            after = Some(last);
        }
        Ok(Collected::from([(self.what, removed)]))
    }
}

impl Blobs {
    /// Removes a blob (in a dry run: would) unless it was written after `since`; gives its size. Blocks.
    fn remove_if_older(&self, digest: &str, since: Timestamp, dry_run: bool) -> Result<Option<u64>, BlobError> {
        let path = self.path(digest)?;
        // Else the same content could come between the look and the removal.
        let _alone = self.places.write().unwrap_or_else(PoisonError::into_inner);
        let metadata = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(0)),
            metadata => metadata?,
        };
        let written = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        if Timestamp::from_millis(0) + written >= since {
            return Ok(None);
        }
        crate::crash_point!("blob_before_unused_removal");
        if !dry_run {
            self.removals.file(&path)?;
        }
        Ok(Some(metadata.len()))
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Content(std::sync::Arc::new(error))
}
