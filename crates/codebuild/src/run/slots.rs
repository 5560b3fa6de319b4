//! How many builds run at once in this process; the rest wait, first come, first served.

use std::collections::{BTreeMap, HashSet};
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
}

struct State {
    capacity: usize,
    tickets: Ticket,
    running: HashSet<Ticket>,
    /// Each with its own bell: to wake all for one slot would cost more the longer the queue is.
    waiting: BTreeMap<(Place, Ticket), Arc<Notify>>,
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
    turn: Arc<Notify>,
}

impl Slots {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { capacity: capacity.max(1), tickets: 0, running: HashSet::new(), waiting: BTreeMap::new() };
        Self { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a slot; of those who wait, the one with the smallest place is next.
    pub(crate) async fn acquire(self: &Arc<Self>, place: Place) -> Slot {
        let (place, turn) = self.state().queue(place);
        let waiting = Waiting { slots: self, place, turn };
        while !self.state().admit(&waiting.place) {
            // A ring before this is heard, too.
            waiting.turn.notified().await;
        }
        Slot { slots: Arc::clone(self), ticket: waiting.place.1 }
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

    fn queue(&mut self, place: Place) -> ((Place, Ticket), Arc<Notify>) {
        let (place, turn) = ((place, self.ticket()), Arc::default());
        self.waiting.insert(place.clone(), Arc::clone(&turn));
        (place, turn)
    }

    fn admit(&mut self, place: &(Place, Ticket)) -> bool {
        let first = self.waiting.first_key_value().is_some_and(|(first, _)| first == place);
        let admitted = first && self.running.len() < self.capacity;
        if admitted {
            self.waiting.remove(place);
            self.running.insert(place.1);
        }
        admitted
    }

    /// Tells the next one that it is its turn, if there is room.
    fn call(&self) {
        if self.running.len() < self.capacity
            && let Some(turn) = self.waiting.values().next()
        {
            turn.notify_one();
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Admitted or not, the one behind may be next, and a ring that this one did not hear was for it.
        let mut state = self.slots.state();
        state.waiting.remove(&self.place);
        state.call();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.running.remove(&self.ticket);
        state.call();
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
    async fn a_free_slot_wakes_the_next_one_alone() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::task::{Context, Wake, Waker};

        #[derive(Default)]
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (slots, wakes) = (Arc::new(Slots::new(2)), Arc::new(Count::default()));
        let running = [slots.acquire(place(0)).await, slots.acquire(place(1)).await];
        let mut queue: Vec<_> = (2..200).map(|second| Box::pin(slots.acquire(place(second)))).collect();
        let waker = Waker::from(Arc::clone(&wakes));
        let mut poll = |at: usize| queue[at].as_mut().poll(&mut Context::from_waker(&waker));
        assert!((0..198).all(|at| poll(at).is_pending()));
        drop(running);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        let admitted = [poll(0), poll(1)];
        assert!(admitted.iter().all(std::task::Poll::is_ready) && poll(2).is_pending());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 2, "who is admitted calls the next into the other slot");
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
