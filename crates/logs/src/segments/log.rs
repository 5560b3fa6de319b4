//! The log of one stream: who appends, what is acknowledged.

use super::record::{Event, encode};
use super::segment::{Summary, scan};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A segment that has this many bytes takes no further put.
const SEGMENT_BYTES: u64 = 1024 * 1024;

/// One stream's segments. At most one of it is open for a folder at any time (see [`super::Shelf`]).
pub(crate) struct StreamLog {
    folder: PathBuf,
    /// What is acknowledged, or was there at the start.
    segments: Mutex<Vec<Summary>>,
    /// Puts that wait for the writer.
    waiting: Mutex<Vec<Put>>,
    writer: Arc<tokio::sync::Mutex<Writer>>,
}

struct Put {
    events: Vec<Event>,
    done: oneshot::Sender<Result<(), Arc<io::Error>>>,
}

/// The open file of the last segment.
#[derive(Default)]
struct Writer {
    open: Option<(u64, File)>,
}

impl StreamLog {
    /// Opens a stream's folder, which need not exist. Blocks.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        let segments = Mutex::new(scan(&folder)?);
        Ok(Self { folder, segments, waiting: Mutex::default(), writer: Arc::default() })
    }

    /// The acknowledged segments, in order.
    pub(crate) fn segments(&self) -> Vec<Summary> {
        lock(&self.segments).clone()
    }

    /// The folder of the segments.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The place behind the last event.
    pub(crate) fn end(&self) -> u64 {
        lock(&self.segments).last().map_or(0, Summary::end)
    }

    /// Appends events; they are on disk when this resolves. Puts that come while another is written wait and then go
    /// together, with one fsync.
    pub(crate) async fn append(self: &Arc<Self>, events: Vec<Event>) -> io::Result<()> {
        let (done, acknowledged) = oneshot::channel();
        lock(&self.waiting).push(Put { events, done });
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let puts = std::mem::take(&mut *lock(&self.waiting));
        if !puts.is_empty() {
            let log = Arc::clone(self);
            // The writer goes along, so that nobody else writes even if this call is given up.
            tokio::task::spawn_blocking(move || log.write(&mut writer, puts)).await.map_err(io::Error::other)?;
        }
        match acknowledged.await {
            Ok(result) => result.map_err(|error| io::Error::new(error.kind(), error)),
            Err(_) => Err(io::Error::other("the write was given up")),
        }
    }

    fn write(&self, writer: &mut Writer, puts: Vec<Put>) {
        let (batches, acknowledgements): (Vec<_>, Vec<_>) = puts.into_iter().map(|put| (put.events, put.done)).unzip();
        let written = writer.write(&self.folder, self.segments(), &batches);
        let result = match written {
            Ok(segments) => {
                *lock(&self.segments) = segments;
                Ok(())
            }
            Err(error) => {
                // The file may hold half of it: it is cut back to what is acknowledged when it is opened again.
                writer.open = None;
                Err(Arc::new(error))
            }
        };
        for acknowledgement in acknowledgements {
            // Who gave up waiting is not told.
            let _ = acknowledgement.send(result.clone());
        }
    }
}

impl Writer {
    /// Writes and syncs all batches; gives the segments as they are then.
    fn write(&mut self, folder: &Path, mut segments: Vec<Summary>, batches: &[Vec<Event>]) -> io::Result<Vec<Summary>> {
        for events in batches {
            let end = segments.last().map_or(0, Summary::end);
            if segments.last().is_none_or(|last| last.bytes >= SEGMENT_BYTES) {
                self.sync()?;
                segments.last().map_or(Ok(()), |full| full.keep(folder))?;
                segments.push(Summary::empty(end));
            }
            let Some(last) = segments.last_mut() else { continue };
            let mut bytes = Vec::new();
            for event in events {
                encode(event, &mut bytes);
                last.add(event);
            }
            self.file(folder, last)?.write_all(&bytes)?;
            last.bytes += bytes.len() as u64;
        }
        kernel::crash_point!("logs_before_sync");
        self.sync()?;
        kernel::crash_point!("logs_after_sync");
        Ok(segments)
    }

    /// The file of a segment, at the end of what is acknowledged.
    fn file(&mut self, folder: &Path, segment: &Summary) -> io::Result<&mut File> {
        if self.open.as_ref().is_none_or(|(first, _)| *first != segment.first) {
            self.open = Some((segment.first, open(folder, segment)?));
        }
        match &mut self.open {
            Some((_, file)) => Ok(file),
            None => Err(io::Error::other("no open segment")),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.open.as_ref().map_or(Ok(()), |(_, file)| file.sync_data())
    }
}

fn open(folder: &Path, segment: &Summary) -> io::Result<File> {
    make_folder(folder)?;
    let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(segment.path(folder))?;
    file.set_len(segment.bytes)?;
    file.seek(SeekFrom::End(0))?;
    if segment.bytes == 0 {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// Makes a folder and those above it, each entry on disk.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    make_folder(parent)?;
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent)?.sync_all()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn events(range: std::ops::Range<i64>, size: usize) -> Vec<Event> {
        let message = |n: i64| format!("{n} {}", "x".repeat(size));
        range.map(|n| Event { timestamp: n, ingested: n, message: message(n) }).collect()
    }

    fn read(log: &StreamLog) -> Vec<i64> {
        let segments = log.segments();
        let events = segments.iter().flat_map(|segment| segment.read(log.folder()).unwrap());
        events.map(|(place, event)| assert_eq_place(place, event.timestamp)).collect()
    }

    fn assert_eq_place(place: u64, timestamp: i64) -> i64 {
        assert_eq!(i64::try_from(place).unwrap(), timestamp);
        timestamp
    }

    #[tokio::test]
    async fn events_outlive_a_restart_over_several_segments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let log = Arc::new(StreamLog::open(path.clone()).unwrap());
        for start in [0, 10, 20] {
            log.append(events(start..start + 10, 100_000)).await.unwrap();
        }
        assert!(log.segments().len() > 1);
        let again = StreamLog::open(path.clone()).unwrap();
        assert_eq!(again.segments(), log.segments());
        assert_eq!(read(&again), (0..30).collect::<Vec<_>>());
        let summary = log.segments()[0].path(&path).with_extension("summary");
        for damaged in [None, Some("{")] {
            damaged.map_or_else(|| std::fs::remove_file(&summary), |text| std::fs::write(&summary, text)).unwrap();
            assert_eq!(StreamLog::open(path.clone()).unwrap().segments(), log.segments(), "{damaged:?}");
        }
    }

    #[tokio::test]
    async fn a_summary_that_does_not_fit_its_segment_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let log = Arc::new(StreamLog::open(path.clone()).unwrap());
        log.append(events(0..12, 100_000)).await.unwrap();
        log.append(events(12..13, 10)).await.unwrap();
        let first = &log.segments()[0];
        Summary { bytes: first.bytes - 1, count: 3, ..first.clone() }.keep(&path).unwrap();
        assert_eq!(StreamLog::open(path).unwrap().segments(), log.segments());
    }

    #[tokio::test]
    async fn a_torn_record_is_cut_off_and_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let log = Arc::new(StreamLog::open(path.clone()).unwrap());
        log.append(events(0..3, 10)).await.unwrap();
        let file = log.segments()[0].path(&path);
        let mut bytes = std::fs::read(&file).unwrap();
        let sound = bytes.len();
        bytes.extend_from_slice(&[40, 0, 0, 0, 1, 2]);
        std::fs::write(&file, &bytes).unwrap();
        let again = Arc::new(StreamLog::open(path.clone()).unwrap());
        assert_eq!(again.segments()[0].bytes, sound as u64);
        again.append(events(3..5, 10)).await.unwrap();
        assert_eq!(read(&StreamLog::open(path).unwrap()), [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn puts_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(StreamLog::open(folder.path().to_owned()).unwrap());
        let puts = (0..50).map(|n| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { log.append(events(n..n + 1, 5)).await })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap().unwrap();
        }
        assert_eq!(log.end(), 50);
        let again = StreamLog::open(folder.path().to_owned()).unwrap();
        let mut times: Vec<i64> =
            again.segments()[0].read(folder.path()).unwrap().into_iter().map(|(_, event)| event.timestamp).collect();
        times.sort_unstable();
        assert_eq!(times, (0..50).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_put_that_fails_is_not_acknowledged_and_the_next_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stream");
        std::fs::write(&path, "a file where the folder must be").unwrap();
        let log = Arc::new(StreamLog::open(folder.path().join("stream/inner")).unwrap_or_else(|_| {
            std::fs::remove_file(&path).unwrap();
            let log = StreamLog::open(folder.path().join("stream/inner")).unwrap();
            std::fs::write(&path, "again").unwrap();
            log
        }));
        assert!(log.append(events(0..1, 5)).await.is_err());
        assert_eq!(log.end(), 0);
        std::fs::remove_file(&path).unwrap();
        log.append(events(0..1, 5)).await.unwrap();
        assert_eq!(read(&log), [0]);
    }
}
