//! The log of one stream: who appends, what is acknowledged, what expires.

use super::arrivals::Arrival;
use super::followers::{Followers, Source};
use super::record::{Event, encode};
use super::segment::{Summary, places, scan};
use super::stored::Stored;
use kernel::Folders;
use kernel::removal::Removals;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// What all streams of a server share.
pub(crate) struct Watch {
    pub(crate) followers: Followers,
    pub(crate) stored: Stored,
    /// How files go.
    pub(crate) removals: Removals,
    /// The folders of groups, and those above.
    pub(crate) folders: Folders,
}

/// One stream's segments. At most one of it is open for a folder at any time (see [`super::Shelf`]).
pub(crate) struct StreamLog {
    folder: PathBuf,
    source: Arc<Source>,
    watch: Arc<Watch>,
    /// What is acknowledged, or was there at the start. Never empty again once it is not.
    segments: Mutex<Segments>,
    /// Puts that wait for the writer.
    waiting: Mutex<Vec<Put>>,
    writer: Arc<tokio::sync::Mutex<Writer>>,
}

/// Segments in order; a reader holds those of its time.
type Segments = Arc<Vec<Arc<Summary>>>;

struct Put {
    events: Vec<Event>,
    /// Over once the events are to be seen.
    arrival: Option<Arrival>,
    done: oneshot::Sender<Result<(), Arc<io::Error>>>,
}

/// The open file of the last segment.
#[derive(Default)]
struct Writer {
    open: Option<(u64, File)>,
    /// Whether the stream's folder is there, and on disk.
    entered: bool,
}

/// What [`StreamLog::expire`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

impl StreamLog {
    /// Opens a stream's folder, which need not exist. Blocks.
    pub(crate) fn open(source: Source, folder: PathBuf, watch: Arc<Watch>) -> io::Result<Self> {
        let segments = Mutex::new(Arc::new(scan(&folder)?.into_iter().map(Arc::new).collect()));
        let source = Arc::new(source);
        Ok(Self { folder, source, watch, segments, waiting: Mutex::default(), writer: Arc::default() })
    }

    /// The acknowledged segments, in order.
    pub(crate) fn segments(&self) -> Segments {
        Arc::clone(&lock(&self.segments))
    }

    /// The folder of the segments.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The place of the first event that is still there.
    pub(crate) fn begin(&self) -> u64 {
        lock(&self.segments).first().map_or(0, |first| first.first)
    }

    /// The place behind the last event.
    pub(crate) fn end(&self) -> u64 {
        lock(&self.segments).last().map_or(0, |last| last.end())
    }

    /// Appends events; they are on disk when this resolves. Puts that come while another is written wait and then go
    /// together, with one fsync.
    pub(crate) async fn append(self: &Arc<Self>, events: Vec<Event>, arrival: Option<Arrival>) -> io::Result<()> {
        let (done, acknowledged) = oneshot::channel();
        lock(&self.waiting).push(Put { events, arrival, done });
        // A task of its own: what waits is written even if this call is given up meanwhile, else it would keep its arrival.
        tokio::spawn(Arc::clone(self).write_waiting());
        match acknowledged.await {
            Ok(result) => result.map_err(|error| io::Error::new(error.kind(), error)),
            Err(_) => Err(io::Error::other("the write was given up")),
        }
    }

    /// Writes what waits, once it is its turn, unless who was before took it along.
    async fn write_waiting(self: Arc<Self>) {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let puts = std::mem::take(&mut *lock(&self.waiting));
        if !puts.is_empty() {
            let written = tokio::task::spawn_blocking(move || self.write(&mut writer, puts)).await;
            if let Err(error) = written {
                tracing::error!(%error, "a write of log events did not end");
            }
        }
    }

    fn write(&self, writer: &mut Writer, puts: Vec<Put>) {
        let last = lock(&self.segments).last().map(|last| Summary::clone(last));
        let written = writer.enter(&self.folder, &self.watch.folders);
        let result = match written.and_then(|()| writer.write(&self.folder, last.clone(), &puts)) {
            Ok(written) => {
                self.publish(written);
                Ok(())
            }
            Err(error) => {
                // The file may hold half of it, in memory alone where a sync failed: whoever opened it anew would take that
                // for acknowledged. Where this fails, too, it is cut back before the next write.
                writer.open = None;
                if let Err(error) = cut(&self.folder, &last.unwrap_or_else(|| Summary::empty(0))) {
                    tracing::warn!(%error, "what was not acknowledged of a log stream stays behind for now");
                }
                Err(Arc::new(error))
            }
        };
        for Put { arrival, done, .. } in puts {
            drop(arrival);
            // Who gave up waiting is not told.
            let _ = done.send(result.clone());
        }
    }

    /// Lets everybody see what is written: the last segment as it is now, and those behind it.
    fn publish(&self, written: Vec<Summary>) {
        let begin = self.end();
        {
            let mut segments = lock(&self.segments);
            let segments = Arc::make_mut(&mut segments);
            if segments.last().map(|last| last.first) == written.first().map(|first| first.first) {
                segments.pop();
            }
            segments.extend(written.into_iter().map(Arc::new));
        }
        self.watch.stored.changed(&self.source.group);
        self.watch.followers.tell(&self.source, &Range { start: begin, end: self.end() });
    }

    /// Removes the segments at the beginning all of whose events are older than the time. What is not asked for leaves
    /// its place: the stream goes on where it was.
    pub(crate) async fn expire(self: &Arc<Self>, before: i64) -> io::Result<Expired> {
        if self.expired(before).is_empty() {
            return Ok(Expired::default());
        }
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let log = Arc::clone(self);
        tokio::task::spawn_blocking(move || log.remove(&mut writer, before)).await.map_err(io::Error::other)?
    }

    /// The segments that [`StreamLog::expire`] would remove.
    pub(crate) fn expired(&self, before: i64) -> Vec<Arc<Summary>> {
        let segments = self.segments();
        segments.iter().take_while(|segment| segment.count > 0 && segment.latest < before).cloned().collect()
    }

    fn remove(&self, writer: &mut Writer, before: i64) -> io::Result<Expired> {
        let expired = self.expired(before);
        let end = self.end();
        if expired.last().is_some_and(|last| last.end() == end) {
            // An empty segment keeps the stream's place, on disk before the others go.
            let next = Summary::empty(end);
            writer.sync()?;
            writer.open = None;
            writer.file(&self.folder, &next)?;
            Arc::make_mut(&mut lock(&self.segments)).push(Arc::new(next));
            kernel::crash_point!("logs_before_expiry");
        }
        Arc::make_mut(&mut lock(&self.segments)).drain(..expired.len());
        let mut removed = Expired::default();
        for segment in &expired {
            segment.remove(&self.folder, &self.watch.removals)?;
            kernel::crash_point!("logs_after_expired_segment");
            removed.events += segment.count;
            removed.bytes += segment.bytes;
        }
        self.watch.stored.changed(&self.source.group);
        Ok(removed)
    }
}

impl Writer {
    /// Makes the stream's folder, on disk when this returns.
    fn enter(&mut self, folder: &Path, folders: &Folders) -> io::Result<()> {
        let Some(group) = folder.parent().filter(|_| !self.entered) else { return Ok(()) };
        folders.make(group)?;
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        File::open(group)?.sync_all()?;
        self.entered = true;
        Ok(())
    }

    /// Writes and syncs all puts behind the last segment's events; gives that segment as it is then, and those that
    /// were begun.
    fn write(&mut self, folder: &Path, last: Option<Summary>, puts: &[Put]) -> io::Result<Vec<Summary>> {
        let mut written: Vec<Summary> = last.into_iter().collect();
        let mut bytes = Vec::new();
        for put in puts {
            let Some(first) = put.events.first() else { continue };
            if written.last().is_none_or(|last| last.is_full(first.ingested)) {
                self.finish(folder, written.last(), &mut bytes)?;
                let end = written.last().map_or(0, Summary::end);
                written.push(Summary::empty(end));
            }
            let Some(last) = written.last_mut() else { continue };
            if bytes.is_empty() {
                // At the end of what is acknowledged, which the summary still says.
                self.file(folder, last)?;
            }
            for event in &put.events {
                encode(event, &mut bytes);
                last.add(event);
            }
        }
        self.flush(&mut bytes)?;
        kernel::crash_point!("logs_before_sync");
        self.sync()?;
        kernel::crash_point!("logs_after_sync");
        Ok(written)
    }

    /// Ends a full segment.
    fn finish(&mut self, folder: &Path, full: Option<&Summary>, bytes: &mut Vec<u8>) -> io::Result<()> {
        self.flush(bytes)?;
        self.sync()?;
        kernel::crash_point!("logs_after_full_segment");
        full.map_or(Ok(()), |full| full.keep(folder))
    }

    fn flush(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        if !bytes.is_empty() {
            let (_, file) = self.open.as_mut().ok_or_else(|| io::Error::other("no open segment"))?;
            file.write_all(bytes)?;
            bytes.clear();
        }
        Ok(())
    }

    /// Opens the file of a segment, at the end of what is acknowledged.
    fn file(&mut self, folder: &Path, segment: &Summary) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|(first, _)| *first != segment.first) {
            self.open = Some((segment.first, open(folder, segment)?));
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.open.as_ref().map_or(Ok(()), |(_, file)| file.sync_data())
    }
}

fn open(folder: &Path, segment: &Summary) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(segment.path(folder))?;
    file.set_len(segment.bytes)?;
    file.seek(SeekFrom::End(0))?;
    if segment.bytes == 0 {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// Leaves of the last segment what is acknowledged of it, and nothing of those behind it.
fn cut(folder: &Path, last: &Summary) -> io::Result<()> {
    for behind in places(folder)?.into_iter().filter(|first| *first > last.first) {
        std::fs::remove_file(Summary::empty(behind).path(folder))?;
    }
    match OpenOptions::new().write(true).open(last.path(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened?.set_len(last.bytes),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
