//! The first events of many streams: what one page of `FilterLogEvents` holds.

use crate::rules::place::Place;
use crate::segments::Event;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// In which order events are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    EarliestFirst,
    LatestFirst,
}

impl Order {
    /// Whether one place comes behind another.
    pub(crate) fn behind(self, place: &Place, other: &Place) -> bool {
        self.compare(place, other) == Ordering::Greater
    }

    fn compare(self, place: &Place, other: &Place) -> Ordering {
        match self {
            Self::EarliestFirst => place.cmp(other),
            Self::LatestFirst => other.cmp(place),
        }
    }
}

/// Keeps the events that come first, as many as a page has room for, from events offered in any order.
#[derive(Debug)]
pub(crate) struct First {
    order: Order,
    kept: BinaryHeap<Ranked>,
    bytes: usize,
    most_events: usize,
    most_bytes: usize,
    /// The first place that found no room: nothing from there on is wanted.
    beyond: Option<Place>,
}

/// An event at its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) event: Event,
}

#[derive(Debug, PartialEq, Eq)]
struct Ranked(Order, Found);

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.compare(&self.1.place, &other.1.place)
    }
}

impl First {
    /// An empty page; it always has room for one event.
    pub(crate) fn new(order: Order, most_events: usize, most_bytes: usize) -> Self {
        Self { order, kept: BinaryHeap::new(), bytes: 0, most_events, most_bytes, beyond: None }
    }

    /// Whether events between these times may still find room.
    pub(crate) fn wants(&self, earliest: i64, latest: i64) -> bool {
        self.beyond.as_ref().is_none_or(|beyond| match self.order {
            Order::EarliestFirst => earliest <= beyond.timestamp,
            Order::LatestFirst => latest >= beyond.timestamp,
        })
    }

    /// Takes an event in if it is among the first, and drops what has no room any more.
    pub(crate) fn offer(&mut self, found: Found) {
        if self.beyond.as_ref().is_some_and(|beyond| !self.order.behind(beyond, &found.place)) {
            return;
        }
        self.bytes += found.event.size();
        self.kept.push(Ranked(self.order, found));
        while self.kept.len() > 1 && (self.kept.len() > self.most_events || self.bytes > self.most_bytes) {
            let Some(Ranked(_, dropped)) = self.kept.pop() else { return };
            self.bytes -= dropped.event.size();
            self.beyond = Some(dropped.place);
        }
    }

    /// The page in order, and the place of its last event if there is more.
    pub(crate) fn finish(self) -> (Vec<Found>, Option<Place>) {
        let more = self.beyond.is_some();
        let page: Vec<Found> = self.kept.into_sorted_vec().into_iter().map(|Ranked(_, found)| found).collect();
        let last = page.last().filter(|_| more).map(|found| found.place.clone());
        (page, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(timestamp: i64, number: u64, size: usize) -> Found {
        let event = Event { timestamp, ingested: 0, message: "x".repeat(size) };
        Found { place: Place { timestamp, stream: "s".into(), number }, event }
    }

    proptest! {
        #[test]
        fn pages_cover_everything_once_in_order(
            events in proptest::collection::vec((0_i64..20, 0_usize..200), 0..40),
            most_events in 1_usize..8,
            most_bytes in 1_usize..600,
            latest_first in any::<bool>(),
        ) {
            let order = if latest_first { Order::LatestFirst } else { Order::EarliestFirst };
            let mut all: Vec<Place> = Vec::new();
            let mut after: Option<Place> = None;
            loop {
                let mut page = First::new(order, most_events, most_bytes);
                for (number, (timestamp, size)) in events.iter().enumerate() {
                    let found = found(*timestamp, number as u64, *size);
                    if after.as_ref().is_none_or(|after| order.behind(&found.place, after)) {
                        page.offer(found);
                    }
                }
                let (page, next) = page.finish();
                prop_assert!(page.len() <= most_events);
                all.extend(page.into_iter().map(|found| found.place));
                match next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            prop_assert!(all.is_sorted_by(|one, next| order.behind(next, one)));
            prop_assert_eq!(all.len(), events.len());
        }
    }

    #[test]
    fn once_full_it_says_what_it_does_not_want() {
        let mut page = First::new(Order::EarliestFirst, 1, 1_000);
        assert!(page.wants(i64::MAX, i64::MAX));
        page.offer(found(5, 0, 1));
        page.offer(found(7, 1, 1));
        assert!(page.wants(7, 9) && !page.wants(8, 9));
        page.offer(found(3, 2, 1));
        assert!(!page.wants(6, 9));
        assert_eq!(page.finish().0, [found(3, 2, 1)]);
        let mut page = First::new(Order::LatestFirst, 1, 1_000);
        page.offer(found(5, 0, 1));
        page.offer(found(7, 1, 1));
        assert!(page.wants(1, 5) && !page.wants(1, 4));
        assert_eq!(page.finish().0, [found(7, 1, 1)]);
    }
}
