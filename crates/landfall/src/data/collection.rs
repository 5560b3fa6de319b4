//! Collecting what is past its time: every day, and when `landfall gc` asks.

use kernel::{Clock, Collected, Collector, Keep, Retention, Stop, StoreError};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How often the server collects by itself.
const PERIOD: Duration = Duration::from_secs(24 * 3_600);

/// How long after the start it does so first: at the start others have more to do.
const FIRST: Duration = Duration::from_secs(600);

/// Everybody who has something to collect, and what is kept how long.
pub(crate) struct Collection {
    collectors: Vec<Arc<dyn Collector>>,
    retention: Retention,
    clock: Arc<dyn Clock>,
    /// One collection at a time.
    turn: Mutex<()>,
}

impl Collection {
    pub(crate) fn new(collectors: Vec<Arc<dyn Collector>>, retention: Retention, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { collectors, retention, clock, turn: Mutex::default() })
    }

    /// Lets everybody collect; what one collector has is told also when another fails.
    ///
    /// # Errors
    /// The first failure, after all had their turn.
    pub(crate) async fn collect(&self, dry_run: bool) -> Result<Collected, StoreError> {
        let _turn = self.turn.lock().await;
        let mut all = Collected::new();
        let mut failure = None;
        for collector in &self.collectors {
            match collector.collect(&self.retention, dry_run).await {
                Ok(collected) => {
                    for (what, removed) in collected {
                        let sum = all.entry(what).or_default();
                        sum.count += removed.count;
                        sum.bytes += removed.bytes;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, dry_run, "a collection failed; the next one tries again");
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(all), Err)
    }

    /// Collects daily until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: Stop) {
        let mut next = self.clock.now() + FIRST;
        loop {
            tokio::select! {
                () = stop.stopped() => return,
                () = self.clock.sleep_until(next) => {}
            }
            let begun = self.clock.now();
            if let Ok(collected) = self.collect(false).await {
                let removed: u64 = collected.values().map(|removed| removed.count).sum();
                tracing::info!(removed, ?collected, "collected what is past its time");
            }
            next = begun + PERIOD;
        }
    }

    /// How long what is kept, for people: `365d` or `forever`.
    pub(crate) fn kept(&self) -> Value {
        let Retention { executions, builds, deployments, artifacts, images } = self.retention;
        let told = |keep: Keep| match keep {
            Keep::Forever => "forever".to_owned(),
            Keep::For(time) if time.as_secs() % (24 * 3_600) == 0 => format!("{}d", time.as_secs() / (24 * 3_600)),
            Keep::For(time) => format!("{}h", time.as_secs() / 3_600),
        };
        json!({
            "executions": told(executions),
            "builds": told(builds),
            "deployments": told(deployments),
            "artifacts": told(artifacts),
            "images": told(images),
        })
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use kernel::{ManualClock, Removed, Timestamp};
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Has `count` old things, or fails.
    struct Old {
        count: Option<u64>,
        asked: AtomicU64,
    }

    #[async_trait]
    impl Collector for Old {
        async fn collect(&self, _: &Retention, _: bool) -> Result<Collected, StoreError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let count = self.count.ok_or(StoreError::Closed)?;
            Ok(Collected::from([("things", Removed { count, bytes: 10 * count })]))
        }
    }

    fn old(count: Option<u64>) -> Arc<Old> {
        Arc::new(Old { count, asked: AtomicU64::new(0) })
    }

    fn collection(collectors: &[&Arc<Old>], clock: &ManualClock) -> Arc<Collection> {
        let collectors = collectors.iter().map(|one| Arc::clone(one) as Arc<dyn Collector>).collect();
        Collection::new(collectors, Retention::default(), Arc::new(clock.clone()))
    }

    fn clock() -> ManualClock {
        ManualClock::at(Timestamp::from_seconds(1_700_000_000))
    }

    #[tokio::test]
    async fn the_same_sort_of_things_is_added_up_and_one_failure_stops_nobody() {
        let (one, two, broken) = (old(Some(1)), old(Some(2)), old(None));
        let all = collection(&[&one, &two], &clock()).collect(true).await.expect("collected");
        assert_eq!(all["things"], Removed { count: 3, bytes: 30 });
        assert!(collection(&[&broken, &two], &clock()).collect(false).await.is_err());
        assert_eq!(two.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn it_runs_ten_minutes_after_the_start_and_then_daily() {
        let (clock, things, stop) = (clock(), old(Some(1)), Stop::new());
        let running = tokio::spawn(collection(&[&things], &clock).run(stop.clone()));
        let asked = || things.asked.load(Ordering::SeqCst);
        tokio::task::yield_now().await;
        for (passed, count) in [(FIRST, 1), (PERIOD, 2), (PERIOD, 3)] {
            assert_eq!(asked(), count - 1);
            clock.advance(passed);
            while asked() < count {
                tokio::task::yield_now().await;
            }
            // It reads the clock again before it sleeps.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.trigger();
        running.await.expect("ended");
    }

    #[test]
    fn times_are_told_as_they_are_given() {
        let retention = Retention {
            builds: Keep::Forever,
            deployments: Keep::For(Duration::from_secs(5_400)),
            ..Retention::default()
        };
        let collection = Collection::new(Vec::new(), retention, Arc::new(clock()));
        let kept = collection.kept();
        assert_eq!(
            (&kept["executions"], &kept["builds"], &kept["deployments"]),
            (&json!("365d"), &json!("forever"), &json!("1h"))
        );
    }
}
