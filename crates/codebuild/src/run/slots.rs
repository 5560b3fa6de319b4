//! How many builds run at once in this process; the rest wait, first come, first served.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernel::Timestamp;
use tokio::sync::Notify;

/// A build's place in the queue.
pub(crate) type Place = (Timestamp, String);

/// The slots of this process.
pub(crate) struct Slots {
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    capacity: usize,
    running: HashSet<String>,
    waiting: BTreeSet<Place>,
}

/// The right to run; given back when dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    id: String,
}

/// A place in the queue; left when dropped.
struct Waiting<'a> {
    slots: &'a Slots,
    place: Place,
}

impl Slots {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { capacity: capacity.max(1), running: HashSet::new(), waiting: BTreeSet::new() };
        Self { state: Mutex::new(state), freed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a slot; of those who wait, the one with the smallest place is next.
    pub(crate) async fn acquire(self: &Arc<Self>, place: Place) -> Slot {
        self.state().waiting.insert(place.clone());
        let waiting = Waiting { slots: self, place };
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.admit(&waiting.place) {
                return Slot { slots: Arc::clone(self), id: waiting.place.1.clone() };
            }
            freed.await;
        }
    }

    /// A slot for a build that runs already, whatever the limit says.
    pub(crate) fn take(self: &Arc<Self>, id: &str) -> Slot {
        self.state().running.insert(id.to_owned());
        Slot { slots: Arc::clone(self), id: id.to_owned() }
    }

    fn admit(&self, place: &Place) -> bool {
        let mut state = self.state();
        let admitted = state.running.len() < state.capacity && state.waiting.first() == Some(place);
        if admitted {
            state.waiting.remove(place);
            state.running.insert(place.1.clone());
        }
        admitted
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.slots.state().waiting.remove(&self.place);
        self.slots.freed.notify_waiters();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.state().running.remove(&self.id);
        self.slots.freed.notify_waiters();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn place(second: i64) -> Place {
        (Timestamp::from_seconds(second), second.to_string())
    }

    #[tokio::test]
    async fn first_come_first_served() {
        let slots = Arc::new(Slots::new(1));
        let first = slots.acquire(place(1)).now_or_never().unwrap();
        let mut third = Box::pin(slots.acquire(place(3)));
        let mut second = Box::pin(slots.acquire(place(2)));
        assert!((&mut third).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        drop(first);
        assert!((&mut third).now_or_never().is_none());
        let slot = (&mut second).now_or_never().unwrap();
        drop(slot);
        third.await;
    }

    #[tokio::test]
    async fn who_leaves_the_queue_blocks_nobody() {
        let slots = Arc::new(Slots::new(1));
        let first = slots.acquire(place(1)).now_or_never().unwrap();
        let mut second = Box::pin(slots.acquire(place(2)));
        let mut third = Box::pin(slots.acquire(place(3)));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        drop(second);
        drop(first);
        assert!((&mut third).now_or_never().is_some());
    }

    #[tokio::test]
    async fn builds_that_run_already_count() {
        let slots = Arc::new(Slots::new(1));
        let running = (slots.take("a"), slots.take("b"));
        let mut waiting = Box::pin(slots.acquire(place(1)));
        assert!((&mut waiting).now_or_never().is_none());
        drop(running.0);
        assert!((&mut waiting).now_or_never().is_none());
        drop(running.1);
        assert!((&mut waiting).now_or_never().is_some());
    }
}
