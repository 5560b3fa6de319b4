//! How far a search has come: the text in `FilterLogEvents`' `nextToken`.

use super::merge::Order;
use super::place::Place;

/// Which events are still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) order: Order,
    /// They arrived after this time, in milliseconds.
    since: i64,
    /// And at this time or before.
    until: i64,
    /// And are behind this place.
    pub(crate) after: Option<Place>,
}

impl Cursor {
    /// Of all that has arrived until a time.
    pub(crate) fn first(order: Order, until: i64) -> Self {
        Self { order, since: i64::MIN, until, after: None }
    }

    /// Of what has arrived since this one's events, until a time.
    pub(crate) fn since(&self, until: i64) -> Self {
        Self { order: self.order, since: self.until, until, after: None }
    }

    /// The same behind a place.
    pub(crate) fn behind(&self, place: Place) -> Self {
        Self { after: Some(place), ..*self }
    }

    /// Whether an event that arrived then is one of them.
    pub(crate) fn arrived(&self, ingested: i64) -> bool {
        ingested > self.since && ingested <= self.until
    }

    /// Whether no page before held the event at that place.
    pub(crate) fn is_new(&self, place: &Place) -> bool {
        self.after.as_ref().is_none_or(|after| self.order.behind(place, after))
    }

    /// Its text; it is only written behind a place.
    pub(crate) fn text(&self) -> String {
        let order = if self.order == Order::LatestFirst { 'l' } else { 'e' };
        let place = self.after.as_ref().map(Place::text).unwrap_or_default();
        format!("{order}/{}/{}/{place}", self.since, self.until)
    }

    /// Reads [`Cursor::text`].
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '/');
        let order = match parts.next()? {
            "e" => Order::EarliestFirst,
            "l" => Order::LatestFirst,
            _ => return None,
        };
        let (since, until) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { order, since, until, after: Some(Place::parse(parts.next()?)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(timestamp: i64, number: u64) -> Place {
        Place { timestamp, stream: "s".into(), number }
    }

    #[test]
    fn what_is_still_to_come() {
        let first = Cursor::first(Order::EarliestFirst, 10);
        let behind = first.behind(place(5, 1));
        let later = first.since(20);
        for (cursor, ingested, at, new) in [
            (&first, 10, place(0, 0), true),
            (&first, 11, place(0, 0), false),
            (&behind, 10, place(5, 1), false),
            (&behind, 10, place(5, 2), true),
            (&later, 10, place(9, 9), false),
            (&later, 11, place(0, 0), true),
            (&later, 20, place(0, 0), true),
        ] {
            assert_eq!(cursor.arrived(ingested) && cursor.is_new(&at), new, "{cursor:?} {ingested} {at:?}");
        }
        let back = Cursor::first(Order::LatestFirst, 10).behind(place(5, 1));
        assert!(back.is_new(&place(4, 9)) && !back.is_new(&place(5, 1)));
    }

    proptest! {
        #[test]
        fn cursors_read_back(latest in any::<bool>(), until in any::<i64>(), timestamp in any::<i64>(), number in any::<u64>()) {
            let order = if latest { Order::LatestFirst } else { Order::EarliestFirst };
            let cursor = Cursor::first(order, until).since(until).behind(place(timestamp, number));
            prop_assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        }

        #[test]
        fn any_text_may_be_tried(text in "[el0-9/-]{0,30}") {
            let _ = Cursor::parse(&text);
        }
    }
}
