//! How many builds run at once in this process; the rest wait, first come, first served.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernel::Timestamp;
use tokio::sync::Notify;

/// A build's place in the queue.
pub(crate) type Place = (Timestamp, String);

/// Tells one asking from another, also of the same build: a step whose lease ran out may still be on its way out.
type Ticket = u64;

/// The slots of this process.
pub(crate) struct Slots {
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    capacity: usize,
    tickets: Ticket,
    running: HashSet<Ticket>,
    waiting: BTreeSet<(Place, Ticket)>,
}

/// The right to run; given back when dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    ticket: Ticket,
}

/// A place in the queue; left when dropped.
struct Waiting<'a> {
    slots: &'a Slots,
    place: (Place, Ticket),
}

impl Slots {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { capacity: capacity.max(1), tickets: 0, running: HashSet::new(), waiting: BTreeSet::new() };
        Self { state: Mutex::new(state), freed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a slot; of those who wait, the one with the smallest place is next.
    pub(crate) async fn acquire(self: &Arc<Self>, place: Place) -> Slot {
        let place = self.state().queue(place);
        let waiting = Waiting { slots: self, place };
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.state().admit(&waiting.place) {
                return Slot { slots: Arc::clone(self), ticket: waiting.place.1 };
            }
            freed.await;
        }
    }

    /// A slot for a build that runs already, whatever the limit says.
    pub(crate) fn take(self: &Arc<Self>) -> Slot {
        let mut state = self.state();
        let ticket = state.ticket();
        state.running.insert(ticket);
        Slot { slots: Arc::clone(self), ticket }
    }
}

impl State {
    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    fn queue(&mut self, place: Place) -> (Place, Ticket) {
        let place = (place, self.ticket());
        self.waiting.insert(place.clone());
        place
    }

    fn admit(&mut self, place: &(Place, Ticket)) -> bool {
        let admitted = self.running.len() < self.capacity && self.waiting.first() == Some(place);
        if admitted {
            self.waiting.remove(place);
            self.running.insert(place.1);
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
        self.slots.state().running.remove(&self.ticket);
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
        let running = (slots.take(), slots.take());
        let mut waiting = Box::pin(slots.acquire(place(1)));
        assert!((&mut waiting).now_or_never().is_none());
        drop(running.0);
        assert!((&mut waiting).now_or_never().is_none());
        drop(running.1);
        assert!((&mut waiting).now_or_never().is_some());
    }

    #[tokio::test]
    async fn one_build_may_ask_twice() {
        let slots = Arc::new(Slots::new(1));
        let running = slots.take();
        let mut old = Box::pin(slots.acquire(place(1)));
        let mut new = Box::pin(slots.acquire(place(1)));
        assert!((&mut old).now_or_never().is_none() && (&mut new).now_or_never().is_none());
        drop(old);
        drop(running);
        assert!((&mut new).now_or_never().is_some());
    }
}
