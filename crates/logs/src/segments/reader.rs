//! Reading a stream: a page at a place, forward or backward, or all events of a time. Blocks.

use super::log::StreamLog;
use super::record::Event;
use super::segment::Summary;
use std::io;
use std::ops::ControlFlow;

/// Which way a page goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Events from a place on.
    Forward,
    /// Events before a place, the nearest ones.
    Backward,
}

/// Which events are wanted, and how many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Least time, inclusive.
    pub(crate) from: i64,
    /// Greatest time, inclusive.
    pub(crate) to: i64,
    /// Most events.
    pub(crate) events: usize,
    /// Most bytes; one event is always given.
    pub(crate) bytes: usize,
}

impl Window {
    fn touches(&self, segment: &Summary) -> bool {
        segment.count > 0 && segment.latest >= self.from && segment.earliest <= self.to
    }

    fn holds(&self, event: &Event) -> bool {
        (self.from..=self.to).contains(&event.timestamp)
    }
}

/// A page of one stream: its events in the order of the stream, and the places before and behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) events: Vec<Event>,
    /// Going backward from here gives what is before.
    pub(crate) start: u64,
    /// Going forward from here gives what is behind, without gap or repetition.
    pub(crate) end: u64,
}

/// Reads one page at a place.
pub(crate) fn page(log: &StreamLog, place: u64, direction: Direction, window: Window) -> io::Result<Read> {
    let segments = log.segments();
    let mut page = Filling { events: Vec::new(), room: window.bytes, window };
    match direction {
        Direction::Forward => {
            let reached = forward(log, &segments, place, &mut page)?;
            Ok(Read { events: page.events, start: place, end: reached })
        }
        Direction::Backward => {
            let reached = backward(log, &segments, place, &mut page)?;
            page.events.reverse();
            Ok(Read { events: page.events, start: reached, end: place })
        }
    }
}

/// The place that the page reaches: the first event that found no room, or the end.
fn forward(log: &StreamLog, segments: &[Summary], place: u64, page: &mut Filling) -> io::Result<u64> {
    let end = segments.last().map_or(0, Summary::end);
    let window = page.window;
    for segment in segments.iter().filter(|segment| segment.end() > place && window.touches(segment)) {
        for (at, event) in segment.read(log.folder())? {
            if at >= place && page.add(event).is_break() {
                return Ok(at);
            }
        }
    }
    Ok(end.max(place))
}

fn backward(log: &StreamLog, segments: &[Summary], place: u64, page: &mut Filling) -> io::Result<u64> {
    let window = page.window;
    for segment in segments.iter().rev().filter(|segment| segment.first < place && window.touches(segment)) {
        for (at, event) in segment.read(log.folder())?.into_iter().rev() {
            if at < place && page.add(event).is_break() {
                return Ok(at + 1);
            }
        }
    }
    Ok(0)
}

/// A page that is being filled.
struct Filling {
    events: Vec<Event>,
    room: usize,
    window: Window,
}

impl Filling {
    /// Adds the event if it is wanted; breaks if it is and there is no room for it.
    fn add(&mut self, event: Event) -> ControlFlow<()> {
        if !self.window.holds(&event) {
            return ControlFlow::Continue(());
        }
        let size = event.size();
        let full = self.events.len() >= self.window.events || size > self.room;
        if full && !self.events.is_empty() {
            return ControlFlow::Break(());
        }
        self.room = self.room.saturating_sub(size);
        self.events.push(event);
        ControlFlow::Continue(())
    }
}

/// Takes the events of a scan.
pub(crate) trait Sink {
    /// Whether events of that time or later are still wanted.
    fn wants(&self, timestamp: i64) -> bool;
    /// Takes one event with its place in the stream.
    fn take(&mut self, place: u64, event: Event);
}

/// Gives every event of the time from `from` to `to` (both inclusive) to the sink, in the order of the stream.
pub(crate) fn scan(log: &StreamLog, from: i64, to: i64, sink: &mut dyn Sink) -> io::Result<()> {
    let window = Window { from, to, events: usize::MAX, bytes: usize::MAX };
    for segment in log.segments().iter().filter(|segment| window.touches(segment)) {
        if sink.wants(segment.earliest.max(from)) {
            let events = segment.read(log.folder())?.into_iter();
            events.filter(|(_, event)| window.holds(event)).for_each(|(place, event)| sink.take(place, event));
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    const ALL: Window = Window { from: 0, to: i64::MAX, events: 10, bytes: 1 << 20 };

    /// A log with events of these times, and a temporary folder to keep.
    fn log(times: &[i64], size: usize) -> (tempfile::TempDir, Arc<StreamLog>) {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(StreamLog::open(folder.path().to_owned()).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for chunk in times.chunks(7) {
            let event = |time: &i64| Event { timestamp: *time, ingested: 0, message: "x".repeat(size) };
            runtime.block_on(log.append(chunk.iter().map(event).collect())).unwrap();
        }
        (folder, log)
    }

    fn times(read: &Read) -> Vec<i64> {
        read.events.iter().map(|event| event.timestamp).collect()
    }

    #[test]
    fn pages_go_both_ways_from_a_place() {
        let (_folder, log) = log(&(0..25).collect::<Vec<_>>(), 1);
        let tail = page(&log, log.end(), Direction::Backward, ALL).unwrap();
        assert_eq!((times(&tail), tail.start, tail.end), ((15..25).collect(), 15, 25));
        let before = page(&log, tail.start, Direction::Backward, ALL).unwrap();
        assert_eq!((times(&before), before.start), ((5..15).collect(), 5));
        let behind = page(&log, before.end, Direction::Forward, ALL).unwrap();
        assert_eq!(times(&behind), times(&tail));
        let nothing = page(&log, 25, Direction::Forward, ALL).unwrap();
        assert_eq!((nothing.events.len(), nothing.start, nothing.end), (0, 25, 25));
    }

    #[test]
    fn a_page_holds_at_most_its_bytes_but_always_one_event() {
        let (_folder, log) = log(&[0, 1, 2], 100);
        for (bytes, count) in [(1, 1), (126, 1), (251, 1), (252, 2), (378, 3)] {
            let read = page(&log, 0, Direction::Forward, Window { bytes, ..ALL }).unwrap();
            assert_eq!(read.events.len(), count, "{bytes}");
        }
    }

    #[test]
    fn times_outside_of_the_window_are_passed_over() {
        let (_folder, log) = log(&[5, 1, 9, 3, 7], 1);
        let window = Window { from: 3, to: 7, events: 2, ..ALL };
        let first = page(&log, 0, Direction::Forward, window).unwrap();
        assert_eq!((times(&first), first.end), (vec![5, 3], 4));
        let last = page(&log, first.end, Direction::Forward, window).unwrap();
        assert_eq!((times(&last), last.end), (vec![7], 5));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn pages_cover_everything_once(count in 0_i64..60, limit in 1_usize..20, backward in any::<bool>()) {
            let (_folder, log) = log(&(0..count).collect::<Vec<_>>(), 40_000);
            let window = Window { events: limit, ..ALL };
            let mut all = Vec::new();
            let mut place = if backward { log.end() } else { 0 };
            loop {
                let direction = if backward { Direction::Backward } else { Direction::Forward };
                let read = page(&log, place, direction, window).unwrap();
                let next = if backward { read.start } else { read.end };
                if backward { all.splice(0..0, times(&read)); } else { all.extend(times(&read)); }
                if next == place { break; }
                place = next;
            }
            prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }
}
