//! Locks by name, within this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// One asynchronous lock for each name in use.
///
/// The data folder belongs to one process, so what must exclude each other for the length of a commit may do it here;
/// whatever must survive the process is checked by the commit itself.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    named: Mutex<HashMap<String, Weak<RwLock<()>>>>,
}

/// How many names are remembered before those out of use are forgotten.
const MANY: usize = 1024;

impl Locks {
    /// Waits until nobody else has `name`, and keeps others out until the guard is dropped.
    pub(crate) async fn lock(&self, name: &str) -> OwnedRwLockWriteGuard<()> {
        self.of(name).write_owned().await
    }

    /// Keeps those out who want `name` alone; others may share it.
    pub(crate) async fn share(&self, name: &str) -> OwnedRwLockReadGuard<()> {
        self.of(name).read_owned().await
    }

    fn of(&self, name: &str) -> Arc<RwLock<()>> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = named.get(name).and_then(Weak::upgrade) {
            return lock;
        }
        if named.len() >= MANY {
            named.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(RwLock::new(()));
        named.insert(name.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn one_name_excludes_itself_only() {
        let locks = Locks::default();
        let held = locks.lock("a").await;
        assert!(locks.lock("b").now_or_never().is_some());
        assert!(locks.lock("a").now_or_never().is_none());
        drop(held);
        let shared = locks.share("a").await;
        assert!(locks.share("a").now_or_never().is_some());
        assert!(locks.lock("a").now_or_never().is_none());
        drop(shared);
        assert!(locks.lock("a").now_or_never().is_some());
    }

    #[tokio::test]
    async fn names_out_of_use_are_forgotten() {
        let locks = Locks::default();
        for name in 0..10 * MANY {
            drop(locks.lock(&name.to_string()).await);
        }
        assert!(locks.named.lock().unwrap().len() <= MANY);
    }
}
