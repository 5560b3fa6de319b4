//! Time, injected, so that tests can hold it still and push it on.

mod settings;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::Timestamp;
use settings::Settings;

/// The only source of time in services.
///
/// A machine's clock may be set while work is going on: by hand, by a time server after a start without one, when a virtual
/// machine is taken up again. What was written down before is then of another reckoning: see [`Clock::carried`].
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Resolves once `now()` has reached `until`, at once when it already has; where the clock is set meanwhile, when as much
    /// time has gone by as it was to take.
    async fn sleep_until(&self, until: Timestamp);

    /// A time that was read off this clock before, as the clock would show it now: moved by as much as the clock was set
    /// since. Time limits count from it: so a build that runs when the clock is set keeps the time that it has left.
    fn carried(&self, read: Timestamp) -> Timestamp {
        read
    }

    /// A time limit that was set when the clock showed `from`, as [`Clock::carried`] moves that.
    fn carried_limit(&self, from: Timestamp, limit: Timestamp) -> Timestamp {
        self.carried(from) + limit.since(from)
    }

    /// How often this clock was set back.
    fn times_set_back(&self) -> u64 {
        0
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The longest single sleep: a timer stands still while the machine sleeps.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How the machine's clock was set while this process ran.
static SETTINGS: Mutex<Settings> = Mutex::new(Settings::NONE);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = machine_time();
        settings().read(now, since_boot());
        now
    }

    async fn sleep_until(&self, until: Timestamp) {
        let (begun, whole) = (since_boot(), until.since(self.now()));
        loop {
            let gone = since_boot().saturating_sub(begun);
            let left = whole.saturating_sub(gone);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
        }
    }

    fn carried(&self, read: Timestamp) -> Timestamp {
        let now = self.now();
        settings().carried(read, now)
    }

    fn times_set_back(&self) -> u64 {
        settings().set_back
    }
}

fn settings() -> MutexGuard<'static, Settings> {
    SETTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn machine_time() -> Timestamp {
    // Before 1970 the machine's clock is plainly wrong; such a time counts as the epoch.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Goes on while the machine sleeps, and is never set.
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // Neither is negative.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A clock that moves only when told to. Clones share the time.
#[derive(Debug, Clone)]
pub struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Moves the time on by `by` and wakes every sleeper whose time has come.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = *now + by);
    }

    /// Sets the time, also backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.send_replace(now);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn sleep_until(&self, until: Timestamp) {
        // The sender is `self`, so the channel cannot close while this waits.
        let _ = self.0.subscribe().wait_for(|now| *now >= until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_manual_clock_reaches_its_time() {
        let clock = ManualClock::at(Timestamp::from_millis(0));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(Timestamp::from_millis(3_000)).await;
                clock.now()
            }
        });
        clock.advance(Duration::from_secs(2));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(2));
        assert_eq!(sleeper.await.ok(), Some(Timestamp::from_millis(4_000)));
    }

    #[tokio::test]
    async fn the_system_clock_sleeps_until_the_time() {
        let until = SystemClock.now() + Duration::from_millis(20);
        SystemClock.sleep_until(until).await;
        assert!(SystemClock.now() >= until);
    }
}
