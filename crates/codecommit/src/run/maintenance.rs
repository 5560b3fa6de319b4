//! Keeping repositories small and quick: many small pushes leave many loose objects and small packs.
//!
//! The server looks every hour for repositories that have much to pack; a collection packs whatever is loose. One
//! repository at a time, beside pushes and clones; not while a backup copies it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kernel::{Collected, Collector, Page, Removed, Retention, StoreError};

use crate::Service;
use crate::git::{GitError, Unpacked};
use crate::model::Repository;

/// How often repositories are looked at.
const PERIOD: Duration = Duration::from_secs(3_600);

/// With so many loose objects or packs a repository is packed at the next look.
const MANY_LOOSE: u64 = 2_000;
const MANY_PACKS: u64 = 16;

/// What a collection calls it.
const LOOSE: &str = "loose Git objects, packed";

/// Why a repository was not packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MaintenanceError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("files of the repository: {0}")]
    Io(#[from] std::io::Error),
}

/// When a repository is worth packing.
fn is_due(unpacked: Unpacked, thorough: bool) -> bool {
    if thorough { unpacked.loose > 0 } else { unpacked.loose >= MANY_LOOSE || unpacked.packs >= MANY_PACKS }
}

impl Service {
    /// Looks every hour, for ever.
    pub(super) async fn maintain_for_ever(&self) {
        loop {
            self.clock.sleep_until(self.clock.now() + PERIOD).await;
            if let Err(error) = self.maintain_all(false, false).await {
                tracing::error!(%error, "cannot list repositories to pack them");
            }
        }
    }

    /// Packs those that are due; gives what of loose objects went with it.
    async fn maintain_all(&self, thorough: bool, dry_run: bool) -> Result<Removed, StoreError> {
        let _turn = self.maintaining.lock().await;
        let mut packed = Removed::default();
        for scope in self.documents.scopes::<Repository>().await? {
            let mut after = None;
            loop {
                let page = self.documents.list::<Repository>(&scope, Page::default().after(after)).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.position().to_owned());
                for repository in &page {
                    let one = self.maintain(&repository.id, thorough, dry_run).await.unwrap_or_else(|error| {
                        tracing::warn!(%error, repository = repository.id, "a repository was not packed");
                        Removed::default()
                    });
                    packed.count += one.count;
                    packed.bytes += one.bytes;
                }
            }
        }
        Ok(packed)
    }

    /// Packs one repository if it is due and no backup runs.
    async fn maintain(&self, id: &str, thorough: bool, dry_run: bool) -> Result<Removed, MaintenanceError> {
        let before = self.look(id).await?;
        if !is_due(before, thorough) {
            return Ok(Removed::default());
        }
        if dry_run {
            return Ok(Removed { count: before.loose, bytes: before.bytes });
        }
        // A backup that copies the references first and the objects then must not find them moved in between.
        let Some(_no_backup) = self.git.removals().no_backup()? else { return Ok(Removed::default()) };
        self.git.pack(id).await?;
        let (git, id, now) = (self.git.clone(), id.to_owned(), self.clock.now());
        let clear = move || git.clear_abandoned(&id, now);
        tokio::task::spawn_blocking(clear).await.map_err(std::io::Error::other)??;
        Ok(Removed { count: before.loose, bytes: before.bytes })
    }

    async fn look(&self, id: &str) -> Result<Unpacked, std::io::Error> {
        let (git, id) = (self.git.clone(), id.to_owned());
        tokio::task::spawn_blocking(move || git.unpacked(&id)).await.map_err(std::io::Error::other)?
    }
}

#[async_trait]
impl Collector for Service {
    async fn collect(&self, _: &Retention, dry_run: bool) -> Result<Collected, StoreError> {
        Ok(Collected::from([(LOOSE, self.maintain_all(true, dry_run).await?)]))
    }
}

/// Keeps one maintenance at a time.
pub(crate) type Maintaining = Arc<tokio::sync::Mutex<()>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_is_packed_every_hour_and_anything_by_a_collection() {
        for (loose, packs, hourly, thorough) in [
            (0, 1, false, false),
            (1, 0, false, true),
            (MANY_LOOSE - 1, MANY_PACKS - 1, false, true),
            (MANY_LOOSE, 0, true, true),
            (0, MANY_PACKS, true, false),
        ] {
            let unpacked = Unpacked { loose, packs, bytes: 0 };
            assert_eq!((is_due(unpacked, false), is_due(unpacked, true)), (hourly, thorough), "{unpacked:?}");
        }
    }
}
