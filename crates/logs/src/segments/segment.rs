//! One segment file: a row of records, named by the place of its first event in the stream.

use super::record::{Event, Records};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// What is in a segment: enough to know whether a read needs its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// When its last event arrived.
    pub(crate) ingested: i64,
}

impl Summary {
    /// Of an empty segment.
    pub(crate) fn empty(first: u64) -> Self {
        Self { first, count: 0, bytes: 0, earliest: i64::MAX, latest: i64::MIN, ingested: 0 }
    }

    /// Counts an event in, but not its bytes.
    pub(crate) fn add(&mut self, event: &Event) {
        self.count += 1;
        self.earliest = self.earliest.min(event.timestamp);
        self.latest = self.latest.max(event.timestamp);
        self.ingested = event.ingested;
    }

    /// The place behind its last event.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.count
    }

    /// The file's path.
    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{:020}.log", self.first))
    }

    /// Its events, with their places. Only what was acknowledged is read, whatever else the file holds by now.
    pub(crate) fn read(&self, folder: &Path) -> io::Result<Vec<(u64, Event)>> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or(0));
        File::open(self.path(folder))?.take(self.bytes).read_to_end(&mut bytes)?;
        Ok((self.first..).zip(Records::new(&bytes)).collect())
    }
}

/// The segments of a stream's folder, in order; none if there is no folder yet. Reads every byte.
pub(crate) fn scan(folder: &Path) -> io::Result<Vec<Summary>> {
    let mut segments = Vec::new();
    let mut end = 0;
    for first in places(folder)? {
        let mut summary = Summary::empty(first);
        if first < end {
            // Left by a write that failed before it was acknowledged, when the events went elsewhere afterwards.
            std::fs::remove_file(summary.path(folder))?;
            continue;
        }
        let bytes = std::fs::read(summary.path(folder))?;
        let mut records = Records::new(&bytes);
        for event in records.by_ref() {
            summary.add(&event);
        }
        summary.bytes = records.offset() as u64;
        end = summary.end();
        segments.push(summary);
    }
    Ok(segments)
}

fn places(folder: &Path) -> io::Result<Vec<u64>> {
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
