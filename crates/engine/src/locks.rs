use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// One lock for each id, so that starts and removals of one container wait for each other.
#[derive(Default)]
pub(crate) struct Locks(Mutex<HashMap<String, Arc<AsyncMutex<()>>>>);

impl Locks {
    /// Waits for the id's lock and holds it until the guard is dropped.
    pub(crate) async fn lock(&self, id: &str) -> OwnedMutexGuard<()> {
        let lock = self.entry(id);
        lock.lock_owned().await
    }

    /// The id's lock; forgets the locks that nobody holds or waits for.
    fn entry(&self, id: &str) -> Arc<AsyncMutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(id.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_id_waits_and_others_do_not() {
        let locks = Locks::default();
        let first = locks.lock("a").await;
        let _other = locks.lock("b").await;
        let waiting = locks.entry("a");
        assert!(waiting.try_lock().is_err());
        drop(first);
        assert!(waiting.try_lock().is_ok());
    }

    #[tokio::test]
    async fn forgets_locks_that_nobody_holds() {
        let locks = Locks::default();
        drop(locks.lock("a").await);
        let _held = locks.lock("b").await;
        assert_eq!(locks.0.lock().unwrap_or_else(PoisonError::into_inner).len(), 1);
    }
}
