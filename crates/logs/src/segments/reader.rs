//! Reading a stream: a page at a place, forward or backward, or all events of a time. Blocks.

use super::log::StreamLog;
use super::record::Event;
use super::segment::Summary;
use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

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
    fn touches(&self, earliest: i64, latest: i64) -> bool {
        latest >= self.from && earliest <= self.to
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
    let mut page = Filling { events: Vec::new(), room: window.bytes, window, full_at: None };
    let end = log.end().max(place);
    match direction {
        Direction::Forward => {
            each(log, &(place..end), (window.from, window.to), &mut page)?;
            Ok(Read { end: page.full_at.unwrap_or(end), events: page.events, start: place })
        }
        Direction::Backward => {
            each_back(log, place, &mut page)?;
            page.events.reverse();
            Ok(Read { start: page.full_at.map_or(0, |full_at| full_at + 1), events: page.events, end: place })
        }
    }
}

/// Takes events one after the other.
pub(crate) trait Sink {
    /// Whether events between these times are still wanted.
    fn wants(&self, earliest: i64, latest: i64) -> bool;
    /// Takes one event with its place in the stream; breaks to have no more.
    fn take(&mut self, place: u64, event: Event) -> ControlFlow<()>;
}

/// Gives each event at these places with a time from the first to the second (both inclusive) to the sink, in the order
/// of the stream.
pub(crate) fn each(log: &StreamLog, places: &Range<u64>, times: (i64, i64), sink: &mut dyn Sink) -> io::Result<()> {
    let window = Window { from: times.0, to: times.1, events: usize::MAX, bytes: usize::MAX };
    let wanted = |segment: &&Arc<Summary>| {
        segment.end() > places.start && segment.first < places.end && window.touches(segment.earliest, segment.latest)
    };
    for segment in log.segments().iter().filter(wanted) {
        if !sink.wants(segment.earliest.max(window.from), segment.latest.min(window.to)) {
            continue;
        }
        let Some(file) = open(log, segment)? else { continue };
        for block in segment.blocks_at(places) {
            let Some(part) = segment.blocks.get(block) else { continue };
            let wanted = sink.wants(part.earliest.max(window.from), part.latest.min(window.to));
            if !wanted || !window.touches(part.earliest, part.latest) {
                continue;
            }
            for (place, event) in segment.read(&file, block)? {
                if places.contains(&place) && window.holds(&event) && sink.take(place, event).is_break() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Fills the page with what is before a place, the nearest first.
fn each_back(log: &StreamLog, place: u64, page: &mut Filling) -> io::Result<()> {
    let window = page.window;
    let touches = |segment: &&Arc<Summary>| segment.first < place && window.touches(segment.earliest, segment.latest);
    for segment in log.segments().iter().rev().filter(touches) {
        let Some(file) = open(log, segment)? else { continue };
        for block in segment.blocks_at(&(segment.first..place)).rev() {
            if !segment.blocks.get(block).is_some_and(|part| window.touches(part.earliest, part.latest)) {
                continue;
            }
            for (at, event) in segment.read(&file, block)?.into_iter().rev() {
                if at < place && window.holds(&event) && page.take(at, event).is_break() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// The segment's file; none if the segment has been removed since it was listed.
fn open(log: &StreamLog, segment: &Summary) -> io::Result<Option<File>> {
    match File::open(segment.path(log.folder())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && log.begin() > segment.first => Ok(None),
        file => file.map(Some),
    }
}

/// A page that is being filled.
struct Filling {
    events: Vec<Event>,
    room: usize,
    window: Window,
    /// The place of the event that found no room.
    full_at: Option<u64>,
}

impl Sink for Filling {
    fn wants(&self, _: i64, _: i64) -> bool {
        true
    }

    fn take(&mut self, place: u64, event: Event) -> ControlFlow<()> {
        let size = event.size();
        let full = self.events.len() >= self.window.events || size > self.room;
        if full && !self.events.is_empty() {
            self.full_at = Some(place);
            return ControlFlow::Break(());
        }
        self.room = self.room.saturating_sub(size);
        self.events.push(event);
        ControlFlow::Continue(())
    }
}

/// The time of the earliest event from a time on, for a stream some of whose events have expired.
pub(crate) fn earliest(log: &StreamLog, from: i64) -> io::Result<Option<i64>> {
    let mut earliest = Least(i64::MAX);
    each(log, &(0..u64::MAX), (from, i64::MAX), &mut earliest)?;
    Ok(Some(earliest.0).filter(|time| *time != i64::MAX))
}

/// The least time so far.
struct Least(i64);

impl Sink for Least {
    fn wants(&self, earliest: i64, _: i64) -> bool {
        earliest < self.0
    }

    fn take(&mut self, _: u64, event: Event) -> ControlFlow<()> {
        self.0 = self.0.min(event.timestamp);
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: Window = Window { from: 0, to: i64::MAX, events: 10, bytes: 1 << 20 };

    /// A log with events of these times, and a temporary folder to keep.
    fn log(times: &[i64], size: usize) -> (tempfile::TempDir, Arc<StreamLog>) {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(StreamLog::alone(folder.path()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for chunk in times.chunks(7) {
            let event = |time: &i64| Event { timestamp: *time, ingested: 0, message: "x".repeat(size) };
            runtime.block_on(log.append(chunk.iter().map(event).collect(), None)).unwrap();
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
