//! The write-ahead log, and what a failed sync means for it.
//!
//! Where a sync fails, Linux counts the pages as written all the same: they are in memory, perhaps not on disk, and the next
//! sync succeeds without them (<https://wiki.postgresql.org/wiki/Fsync_Errors>). Commits without a sync of their own may lie in
//! such pages, and whatever is acknowledged later lies behind them: after a power cut, SQLite would read the log up to the hole
//! alone. So nothing is written behind a failed sync; whoever opens the store next writes the whole log once more.

use std::ffi::{OsString, c_int};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, ffi};

use super::StoreError;

/// A log of so many pages is copied into the database.
const PAGES: c_int = 4_000;

/// How much of the log is copied at once, in bytes.
const CHUNK: usize = 1024 * 1024;

/// Whether the error says that a sync failed.
pub(super) fn is_unsynced(error: &StoreError) -> bool {
    let StoreError::Database(error) = error else { return false };
    sync_failed(error)
}

fn sync_failed(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code.is_some_and(|code| matches!(code, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}

/// Copies the log into the database after commits, as SQLite does by itself, but tells where a sync failed at that: SQLite keeps
/// this to itself, and the log's pages are lost with it.
pub(super) fn copy_when_long(connection: &Connection) {
    connection.wal_hook(Some(after_commit));
}

fn after_commit(log: &Wal, pages: c_int) -> rusqlite::Result<()> {
    if pages < PAGES {
        return Ok(());
    }
    match log.checkpoint() {
        Err(error) if sync_failed(&error) => Err(error),
        Err(error) => {
            // Whatever it was, the commit stands, and the next one tries again.
            tracing::warn!(%error, pages, "the log of the store cannot be copied into the database");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Writes the log of the database `file` once more, so that a sync says the truth about all of it. Nobody else writes to it.
pub(super) fn write_again(file: &Path) -> io::Result<()> {
    let mut name = OsString::from(file);
    name.push("-wal");
    let log = match OpenOptions::new().read(true).write(true).open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let (mut chunk, mut at) = (vec![0; CHUNK], 0);
    loop {
        let read = log.read_at(&mut chunk, at)?;
        if read == 0 {
            break;
        }
        log.write_all_at(&chunk[..read], at)?;
        at += read as u64;
    }
    if at > 0 { log.sync_all() } else { Ok(()) }
}

/// Puts the names of the database and its log on disk. SQLite does so, too, but goes on where it fails.
pub(super) fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
