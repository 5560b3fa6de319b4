use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;

/// So many answers are remembered at most.
const REMEMBERED: usize = 1024;

/// One pull of a reference at a time, and what was answered lately: builds that start together ask their registry once.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    locks: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
    answered: Mutex<HashMap<String, Instant>>,
}

impl Turns {
    /// Waits for the others who pull the same.
    pub(crate) async fn wait(&self, key: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(key.to_owned()).or_default())
        };
        lock.lock_owned().await
    }

    /// Notes that the registry has just answered.
    pub(crate) fn note(&self, key: &str) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.len() >= REMEMBERED {
            answered.clear();
        }
        answered.insert(key.to_owned(), Instant::now());
    }

    /// Whether the registry has answered within this time.
    pub(crate) fn fresh(&self, key: &str, within: Duration) -> bool {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.get(key).is_some_and(|when| when.elapsed() < within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_fresh_for_a_while() {
        let turns = Turns::default();
        let minute = Duration::from_secs(60);
        assert!(!turns.fresh("a", minute));
        turns.note("a");
        assert!(turns.fresh("a", minute) && !turns.fresh("b", minute));
        assert!(!turns.fresh("a", Duration::ZERO));
    }

    #[tokio::test]
    async fn one_reference_waits_and_others_do_not() {
        let turns = Arc::new(Turns::default());
        let first = turns.wait("a").await;
        drop(turns.wait("b").await);
        let waiting = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { drop(turns.wait("a").await) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.await.is_ok());
    }
}
