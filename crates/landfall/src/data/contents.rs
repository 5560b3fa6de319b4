//! Copying a data folder's files into the pool.

use super::layout::Found;
use super::manifest::{Content, Entry, Manifest};
use super::pool::Pool;
use super::screen::Screen;
use crate::exit::user_error;
use kernel::removal::SET_ASIDE;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// A file that was written less than this before the last backup began could have been written again afterwards
/// without its time showing it: it is read again. In nanoseconds.
const MARGIN: i64 = 2_000_000_000;

/// What is copied, and what a backup before had already.
pub(super) struct Contents<'c> {
    data_dir: &'c Path,
    pool: &'c Pool,
    screen: &'c Screen,
    /// Of the backup before: files by their path, and up to which time they are taken for unchanged.
    before: HashMap<String, Content>,
    unchanged_until: i64,
    pub(super) entries: Vec<Entry>,
    pub(super) total: Counted,
    pub(super) copied: Counted,
    /// The digests of what was copied.
    pub(super) fresh: BTreeSet<String>,
}

/// How many files with how many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Counted {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

impl<'c> Contents<'c> {
    pub(super) fn new(data_dir: &'c Path, pool: &'c Pool, screen: &'c Screen, before: Option<Manifest>) -> Self {
        let unchanged_until = before.as_ref().map_or(i64::MIN, |before| before.header.millis * 1_000_000 - MARGIN);
        let files = before.into_iter().flat_map(|before| before.entries);
        let before = files.filter_map(|entry| Some((entry.name().to_owned(), entry.content?))).collect();
        Self {
            data_dir,
            pool,
            screen,
            before,
            unchanged_until,
            entries: Vec::new(),
            total: Counted::default(),
            copied: Counted::default(),
            fresh: BTreeSet::new(),
        }
    }

    /// Notes a folder, or copies a file unless the backup before has it. One that vanished was removed by its owner
    /// after the snapshot, and nothing refers to it: what is referred to would have been set aside.
    pub(super) fn add(&mut self, found: &Found) -> anyhow::Result<()> {
        let path = self.data_dir.join(&found.path);
        let aside = self.data_dir.join(SET_ASIDE).join(&found.path);
        for path in [path, aside] {
            let added = if found.is_folder { self.note(&path, found) } else { self.copy(&path, found) };
            match added {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(told(&path, &error)),
                Ok(()) => return Ok(()),
            }
        }
        Ok(())
    }

    fn note(&mut self, path: &Path, found: &Found) -> io::Result<()> {
        let mode = fs::symlink_metadata(path)?.permissions().mode();
        self.entries.push(Entry::new(&found.path, mode, None));
        Ok(())
    }

    fn copy(&mut self, path: &Path, found: &Found) -> io::Result<()> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut entry = Entry::new(&found.path, metadata.permissions().mode(), None);
        let content = match self.unchanged(&entry, &metadata) {
            Some(content) => content,
            None => {
                // What is appended from here on was acknowledged after the backup began.
                let copied = self.pool.copy(&mut file, metadata.len())?;
                self.copied.add(copied.size);
                self.fresh.insert(copied.sha256.clone());
                Content { sha256: copied.sha256, size: copied.size, written: written(&metadata) }
            }
        };
        self.total.add(content.size);
        entry.content = Some(content);
        self.entries.push(entry);
        self.screen.progress(self.total, self.copied);
        Ok(())
    }

    /// Adds a file that was written for the backup itself.
    pub(super) fn take(&mut self, temporary: &Path, path: &Path) -> io::Result<String> {
        let mut file = File::open(temporary)?;
        let copied = super::pool::copy(&mut file, &mut io::sink())?;
        self.pool.keep(temporary, &copied.sha256)?;
        for counted in [&mut self.total, &mut self.copied] {
            counted.add(copied.size);
        }
        self.fresh.insert(copied.sha256.clone());
        let content = Content { sha256: copied.sha256.clone(), size: copied.size, written: written(&file.metadata()?) };
        self.entries.push(Entry::new(path, 0o600, Some(content)));
        Ok(copied.sha256)
    }

    /// The content that the backup before has of a file, if the file is as it was then.
    fn unchanged(&self, entry: &Entry, metadata: &Metadata) -> Option<Content> {
        let before = self.before.get(entry.name())?;
        let same = before.size == metadata.len() && before.written == written(metadata);
        let settled = before.written < self.unchanged_until;
        let there = || fs::metadata(self.pool.path(&before.sha256)).is_ok_and(|kept| kept.len() == before.size);
        (same && settled && there()).then(|| before.clone())
    }
}

fn written(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// What went wrong with a file, for whoever can put it right: a full disk, a permission.
pub(super) fn told(path: &Path, error: &io::Error) -> anyhow::Error {
    user_error(format!("{}: {error}", path.display()))
}
