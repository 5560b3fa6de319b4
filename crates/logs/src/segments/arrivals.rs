//! Times of ingestion as a line through all streams: what has arrived by a time is fixed once that time is sealed.
//!
//! `FilterLogEvents` needs it: its pages are of what had arrived when the first was read, so that none of it is lost or
//! comes twice, however much is written meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The puts that are on their way to the disk.
#[derive(Default)]
pub(crate) struct Arrivals {
    state: Mutex<State>,
    done: Notify,
}

#[derive(Default)]
struct State {
    /// Greatest time that was given to a put or sealed.
    latest: i64,
    /// Nothing arrives at this time or before it any more, except what is on its way.
    sealed: i64,
    on_the_way: BTreeMap<i64, usize>,
}

/// One put on its way; dropped when its events are to be seen, or will never be.
pub(crate) struct Arrival {
    of: Arc<Arrivals>,
    /// Milliseconds since the epoch: the events' time of ingestion.
    pub(crate) time: i64,
}

impl Arrivals {
    /// A put that begins now (milliseconds); it arrives behind all that is sealed.
    pub(crate) fn begin(self: &Arc<Self>, now: i64) -> Arrival {
        let mut state = self.state();
        let time = now.max(state.sealed + 1);
        state.latest = state.latest.max(time);
        *state.on_the_way.entry(time).or_default() += 1;
        Arrival { of: Arc::clone(self), time }
    }

    /// Seals what has arrived up to now (milliseconds), and waits for what is on its way. All that is acknowledged
    /// before the call has the time that this gives, or an earlier one.
    pub(crate) async fn seal(&self, now: i64) -> i64 {
        let sealed = {
            let mut state = self.state();
            let sealed = now.max(state.latest);
            (state.latest, state.sealed) = (sealed, sealed);
            sealed
        };
        loop {
            let done = self.done.notified();
            tokio::pin!(done);
            // From here on no end of a put is missed.
            done.as_mut().enable();
            if self.state().on_the_way.first_key_value().is_none_or(|(first, _)| *first > sealed) {
                return sealed;
            }
            done.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut state = self.of.state();
        if let Some(count) = state.on_the_way.get_mut(&self.time) {
            *count -= 1;
            if *count == 0 {
                state.on_the_way.remove(&self.time);
            }
        }
        drop(state);
        self.of.done.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::poll;
    use std::task::Poll;

    #[tokio::test]
    async fn a_seal_waits_for_what_is_before_it_and_keeps_the_rest_behind() {
        let arrivals = Arc::new(Arrivals::default());
        let first = arrivals.begin(10);
        let twin = arrivals.begin(10);
        let mut seal = Box::pin(arrivals.seal(10));
        assert_eq!(poll!(&mut seal), Poll::Pending);
        let later = arrivals.begin(10);
        assert_eq!((first.time, later.time), (10, 11), "what begins after the seal is behind it");
        drop(first);
        assert_eq!(poll!(&mut seal), Poll::Pending);
        drop(twin);
        assert_eq!(seal.await, 10, "what is behind the seal is not waited for");
        assert_eq!(arrivals.begin(5).time, 11, "a clock that goes back takes no one before the seal");
    }

    #[tokio::test]
    async fn a_seal_covers_every_time_that_was_given() {
        let arrivals = Arc::new(Arrivals::default());
        for round in 0..5 {
            let put = arrivals.begin(100);
            let time = put.time;
            drop(put);
            let sealed = arrivals.seal(100).await;
            assert!(time <= sealed, "{round}");
            assert_eq!(sealed, 100 + round);
        }
    }
}
