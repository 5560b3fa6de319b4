//! One segment file: a row of records, named by the place of its first event in the stream. Beside a full one lies its
//! summary, so that opening a long stream reads only its last segment.

use super::record::{Event, Records};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// What is in a segment: enough to know whether a read needs its bytes.
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

    /// Keeps the summary of a full segment beside it.
    pub(crate) fn keep(&self, folder: &Path) -> io::Result<()> {
        let (path, new) = (self.kept_path(folder), self.path(folder).with_extension("new"));
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_data()?;
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
        let mut records = Records::new(&bytes);
        for event in records.by_ref() {
            summary.add(&event);
        }
        summary.bytes = records.offset() as u64;
        Ok(summary)
    }

    /// Its events, with their places. Only what was acknowledged is read, whatever else the file holds by now.
    pub(crate) fn read(&self, folder: &Path) -> io::Result<Vec<(u64, Event)>> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or(0));
        File::open(self.path(folder))?.take(self.bytes).read_to_end(&mut bytes)?;
        Ok((self.first..).zip(Records::new(&bytes)).collect())
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
            std::fs::remove_file(Summary::empty(*first).path(folder))?;
            continue;
        }
        let kept = if Some(first) == places.last() { None } else { Summary::kept(folder, *first) };
        let summary = kept.map_or_else(|| Summary::read_whole(folder, *first), Ok)?;
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
