//! One segment file: a row of records, named by the place of its first event in the stream. Beside it lies its summary, once
//! it is full or was read whole, so that opening a stream reads little.

use super::record::{Event, Records, length};
use kernel::removal::Removals;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A block ends with the event that fills it up to this; a read takes whole blocks.
const BLOCK_BYTES: u64 = 64 * 1024;
/// A segment that has this many bytes takes no further put.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// In milliseconds.
const DAY: i64 = 24 * 3_600_000;

/// What is in a segment: enough to know which of its bytes a read needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Place of its first event in the stream.
    pub(crate) first: u64,
    /// How many events.
    pub(crate) count: u64,
    /// How many bytes of sound records.
    pub(crate) bytes: u64,
    /// Least and greatest time of its events.
    pub(crate) earliest: i64,
    pub(crate) latest: i64,
    /// When its first and last event arrived.
    pub(crate) begun: i64,
    pub(crate) ingested: i64,
    /// Its parts, in order and without gaps.
    pub(crate) blocks: Vec<Block>,
}

/// A part of a segment that is read at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block {
    /// Place of its first event in the stream.
    pub(crate) first: u64,
    /// Where it begins in the file.
    at: u64,
    /// Least and greatest time of its events.
    pub(crate) earliest: i64,
    pub(crate) latest: i64,
}

impl Summary {
    /// Of an empty segment.
    pub(crate) fn empty(first: u64) -> Self {
        Self {
            first,
            count: 0,
            bytes: 0,
            earliest: i64::MAX,
            latest: i64::MIN,
            begun: 0,
            ingested: 0,
            blocks: Vec::new(),
        }
    }

    /// Counts an event in.
    pub(crate) fn add(&mut self, event: &Event) {
        let (first, at) = (self.end(), self.bytes);
        if self.blocks.last().is_none_or(|block| at - block.at >= BLOCK_BYTES) {
            self.blocks.push(Block { first, at, earliest: event.timestamp, latest: event.timestamp });
        }
        if let Some(block) = self.blocks.last_mut() {
            block.earliest = block.earliest.min(event.timestamp);
            block.latest = block.latest.max(event.timestamp);
        }
        if self.count == 0 {
            self.begun = event.ingested;
        }
        self.count += 1;
        self.bytes += length(event);
        self.earliest = self.earliest.min(event.timestamp);
        self.latest = self.latest.max(event.timestamp);
        self.ingested = event.ingested;
    }

    /// Whether it takes no further put at that time of ingestion. What is in one segment expires together, so that it holds
    /// no more than a day's arrivals.
    pub(crate) fn is_full(&self, ingested: i64) -> bool {
        self.bytes >= SEGMENT_BYTES || (self.count > 0 && ingested.saturating_sub(self.begun) >= DAY)
    }

    /// The place behind its last event.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.count
    }

    /// The file's path.
    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{:020}.log", self.first))
    }

    /// Removes its files; those that are gone already do not matter. The summary goes first, so that none is left alone.
    pub(crate) fn remove(&self, folder: &Path, removals: &Removals) -> io::Result<()> {
        removals.file(&self.kept_path(folder))?;
        removals.file(&self.path(folder))
    }

    /// Keeps the summary beside the segment. It need not be on disk: it is only believed if it fits.
    pub(crate) fn keep(&self, folder: &Path) -> io::Result<()> {
        let (path, new) = (self.kept_path(folder), self.path(folder).with_extension("new"));
        File::create(&new)?.write_all(&serde_json::to_vec(self)?)?;
        std::fs::rename(new, path)
    }

    /// The kept summary, if it fits the file: one that does not was left by a write that failed afterwards.
    fn kept(folder: &Path, first: u64) -> Option<Self> {
        let path = Self::empty(first).kept_path(folder);
        let kept: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let length = std::fs::metadata(kept.path(folder)).ok()?.len();
        (kept.first == first && kept.bytes == length).then_some(kept)
    }

    fn kept_path(&self, folder: &Path) -> PathBuf {
        self.path(folder).with_extension("summary")
    }

    /// Its summary, from its bytes.
    fn read_whole(folder: &Path, first: u64) -> io::Result<Self> {
        let mut summary = Self::empty(first);
        let bytes = std::fs::read(summary.path(folder))?;
        for event in Records::new(&bytes) {
            summary.add(&event);
        }
        Ok(summary)
    }

    /// The indices of the blocks that may hold events at these places.
    pub(crate) fn blocks_at(&self, places: &Range<u64>) -> Range<usize> {
        let begin = self.blocks.partition_point(|block| block.first <= places.start).saturating_sub(1);
        let end = self.blocks.partition_point(|block| block.first < places.end);
        begin..end.max(begin)
    }

    /// The events of one block, with their places. Only what was acknowledged is read, whatever else the file holds by now.
    pub(crate) fn read(&self, file: &File, block: usize) -> io::Result<Vec<(u64, Event)>> {
        let Some(Block { first, at, .. }) = self.blocks.get(block) else { return Ok(Vec::new()) };
        let end = self.blocks.get(block + 1).map_or(self.bytes, |next| next.at);
        let mut bytes = vec![0; usize::try_from(end - at).unwrap_or(0)];
        file.read_exact_at(&mut bytes, *at)?;
        Ok((*first..).zip(Records::new(&bytes)).collect())
    }
}

/// The segments of a stream's folder, in order; none if there is no folder yet.
pub(crate) fn scan(folder: &Path) -> io::Result<Vec<Summary>> {
    let mut segments = Vec::new();
    let mut end = 0;
    let places = places(folder)?;
    for first in &places {
        if *first < end {
            // Left by a write that failed before it was acknowledged, when the events went elsewhere afterwards.
            match std::fs::remove_file(Summary::empty(*first).path(folder)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            continue;
        }
        let summary = match Summary::kept(folder, *first) {
            Some(kept) => kept,
            None => {
                let read = Summary::read_whole(folder, *first)?;
                if read.count > 0 {
                    // Without it the next opening reads the segment again.
                    let _ = read.keep(folder);
                }
                read
            }
        };
        end = summary.end();
        segments.push(summary);
    }
    Ok(segments)
}

/// The places of a folder's segments, in order.
pub(crate) fn places(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut places = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        places.extend(name.to_str().and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok()));
    }
    places.sort_unstable();
    Ok(places)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::record::encode;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_places_are_found_by_blocks(
            sizes in proptest::collection::vec(1_usize..40_000, 1..40),
            from in 0_u64..45,
            count in 0_u64..45,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let (mut summary, mut bytes) = (Summary::empty(3), Vec::new());
            for (number, size) in (0_i64..).zip(&sizes) {
                let event = Event { timestamp: number, ingested: 9, message: "x".repeat(*size) };
                encode(&event, &mut bytes);
                summary.add(&event);
            }
            prop_assert_eq!(summary.bytes, bytes.len() as u64);
            let path = summary.path(folder.path());
            std::fs::write(&path, &bytes).unwrap();
            prop_assert_eq!(&Summary::read_whole(folder.path(), 3).unwrap(), &summary);
            let (file, places) = (File::open(path).unwrap(), from..from + count);
            let read: Vec<_> = summary.blocks_at(&places).flat_map(|block| summary.read(&file, block).unwrap()).collect();
            let found: Vec<u64> = read.iter().map(|(place, _)| *place).filter(|place| places.contains(place)).collect();
            let wanted: Vec<u64> = (3..summary.end()).filter(|place| places.contains(place)).collect();
            prop_assert_eq!(found, wanted);
            prop_assert!(read.iter().all(|(place, event)| *place == 3 + event.timestamp.unsigned_abs()));
        }
    }

    #[test]
    fn a_segment_takes_a_days_arrivals() {
        let event = |ingested| Event { timestamp: 0, ingested, message: String::new() };
        let mut summary = Summary::empty(0);
        assert!(!summary.is_full(i64::MAX));
        summary.add(&event(1_000));
        summary.add(&event(5_000));
        for (ingested, full) in [(0, false), (DAY + 999, false), (DAY + 1_000, true)] {
            assert_eq!(summary.is_full(ingested), full, "{ingested}");
        }
        summary.add(&Event { message: "x".repeat(4 * 1024 * 1024), ..event(0) });
        assert!(summary.is_full(0));
    }

    #[test]
    fn what_was_read_whole_is_remembered_until_the_file_grows() {
        let folder = tempfile::tempdir().unwrap();
        let (mut summary, mut bytes) = (Summary::empty(0), Vec::new());
        for round in 0..3 {
            let event = Event { timestamp: round, ingested: 9, message: "x".into() };
            encode(&event, &mut bytes);
            summary.add(&event);
            std::fs::write(summary.path(folder.path()), &bytes).unwrap();
            assert_eq!(Summary::kept(folder.path(), 0), None, "{round}");
            assert_eq!(scan(folder.path()).unwrap(), [summary.clone()]);
            assert_eq!(Summary::kept(folder.path(), 0).as_ref(), Some(&summary));
        }
    }

    #[test]
    fn gone_files_do_not_matter_to_a_removal() {
        let folder = tempfile::tempdir().unwrap();
        let summary = Summary::empty(0);
        std::fs::write(summary.path(folder.path()), "").unwrap();
        summary.keep(folder.path()).unwrap();
        let removals = Removals::in_folder(folder.path());
        summary.remove(folder.path(), &removals).unwrap();
        summary.remove(folder.path(), &removals).unwrap();
        assert_eq!(scan(folder.path()).unwrap(), []);
    }
}
