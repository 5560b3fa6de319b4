//! What the kernel itself clears away: expired client tokens, events that everybody has read, and what was set aside
//! for a backup that has ended.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::client_token::ClientToken;
use crate::removal::Removals;
use crate::{Documents, Lease, Reconciler, Scope, StepError, Stop, Store, Stored, WorkOptions, work};

/// How long an event is kept at least: long enough to look at what happened yesterday.
const KEEP_EVENTS: Duration = Duration::from_secs(2 * 24 * 3_600);

/// How often old events and set-aside content are looked for.
const PERIOD: Duration = Duration::from_secs(3_600);

/// Tidies until `stop`; the server runs one of these.
pub async fn run(store: Arc<Store>, stop: Stop) {
    let documents = store.service("kernel");
    let clock = Arc::clone(store.clock());
    let tokens = Arc::new(ExpiredTokens(documents.clone()));
    let tokens = work::run(documents, clock, stop.clone(), WorkOptions::concurrent(4), tokens);
    let events = async {
        tokio::select! {
            () = stop.stopped() => {}
            () = tidy_for_ever(&store) => {}
        }
    };
    tokio::join!(tokens, events);
}

async fn tidy_for_ever(store: &Arc<Store>) {
    let clock = Arc::clone(store.clock());
    let removals = Removals::in_folder(store.dir());
    loop {
        let removals = removals.clone();
        match tokio::task::spawn_blocking(move || removals.clear()).await {
            Ok(Ok(())) => {}
            failed => tracing::warn!(?failed, "what was set aside for a backup is still there"),
        }
        match store.bus().prune(clock.now() - KEEP_EVENTS).await {
            Ok(pruned) => tracing::debug!(pruned, "old events forgotten"),
            Err(error) => tracing::warn!(%error, "cannot forget old events"),
        }
        clock.sleep_until(clock.now() + PERIOD).await;
    }
}

/// Removes client tokens when they expire.
struct ExpiredTokens(Documents);

#[async_trait]
impl Reconciler for ExpiredTokens {
    type Document = ClientToken;

    async fn step(&self, scope: &Scope, token: Stored<ClientToken>, _: &Lease) -> Result<(), StepError> {
        Ok(self.0.remove(scope, &token).await?)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client_token::{Lookup, look_up};
    use crate::{Batch, Clock, Document, ManualClock, Timestamp};

    #[tokio::test]
    async fn an_expired_client_token_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_700_000_000));
        let store = Store::open(dir.path(), Arc::new(clock.clone())).unwrap();
        let (documents, scope, stop) = (store.service("todo"), Scope::new("1", "r"), Stop::new());
        let lifetime = Duration::from_secs(300);
        let found = look_up(&documents, &scope, "todo:Add", "t", &(), (clock.now(), lifetime)).await.unwrap();
        let Lookup::New(pending) = found else { unreachable!() };
        documents.commit(pending.record(Batch::new(&scope), json!(1))).await.unwrap();
        let tidying = tokio::spawn(run(Arc::clone(&store), stop.clone()));
        let kept = || documents.scopes::<ClientToken>();
        assert_eq!(kept().await.unwrap().len(), 1, "{}", ClientToken::KIND);
        let removed = async {
            while !kept().await.unwrap().is_empty() {
                clock.advance(Duration::from_secs(60));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), removed).await.unwrap();
        stop.trigger();
        tidying.await.unwrap();
        assert!(clock.now() >= Timestamp::from_seconds(1_700_000_300));
    }
}
