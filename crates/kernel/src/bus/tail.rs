//! A watcher without a cursor: it sees what is published while it lives, and nothing is kept for it.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Event, read};
use crate::{Store, StoreError};

/// What is published from its making on. An event is only a hint: who needs the truth reads it after waking.
pub struct Tail {
    store: Arc<Store>,
    news: watch::Receiver<i64>,
    position: i64,
}

impl Tail {
    pub(super) fn new(store: Arc<Store>) -> Self {
        let mut news = store.signals().events();
        let position = *news.borrow_and_update();
        Self { store, news, position }
    }

    /// The next events, at least one and at most `limit` (which is at most 1,000), in the order of their commits;
    /// waits until there is one. Safe to drop while waiting.
    pub async fn next_batch(&mut self, limit: usize) -> Result<Vec<Event>, StoreError> {
        loop {
            let end = *self.news.borrow_and_update();
            let found = read(&self.store, self.position, end, None, limit).await?;
            match found.last() {
                Some((last, _)) => {
                    self.position = *last;
                    return Ok(found.into_iter().map(|(_, event)| event).collect());
                }
                None => self.news.changed().await.map_err(|_| StoreError::Closed)?,
            }
        }
    }
}
