//! The tables, and connections to them.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::migrations::{FORMAT, migrate};
use super::{OpenError, StoreError};

/// A document's index rows are remembered in the document itself, so that a replacement that leaves them
/// alone, which is most of them, touches no index.
const TABLES: &str = "
CREATE TABLE documents (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, key TEXT NOT NULL,
  version INTEGER NOT NULL,
  due INTEGER,
  lease_owner TEXT, lease_epoch INTEGER NOT NULL DEFAULT 0, lease_until INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,
  indexes TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX documents_by_key ON documents (kind, account, region, key);
CREATE INDEX documents_by_version ON documents (version);
CREATE INDEX documents_by_due ON documents (kind, due) WHERE due IS NOT NULL;
CREATE TABLE index_rows (
  kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL,
  name TEXT NOT NULL, value TEXT NOT NULL, sort TEXT NOT NULL, key TEXT NOT NULL,
  PRIMARY KEY (kind, account, region, name, value, sort, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE TABLE consumers (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// Opens or makes the database of the data folder `dir` for the writing thread.
pub(super) fn open_for_writing(dir: &Path, file: &Path) -> Result<Connection, OpenError> {
    make_for_its_owner_alone(file).map_err(|source| OpenError::Folder { dir: dir.to_owned(), source })?;
    let connection = Connection::open(file).map_err(StoreError::from)?;
    prepare(&connection).map_err(StoreError::from)?;
    let found = format_of(&connection).map_err(StoreError::from)?;
    match found {
        0 => create(&connection).map_err(StoreError::from)?,
        FORMAT => {}
        older if (1..FORMAT).contains(&older) => migrate(&connection, dir, older)?,
        _ => return Err(OpenError::Newer { found, known: FORMAT }),
    }
    Ok(connection)
}

/// SQLite gives its side files the rights of the database, and would make that for all to read.
fn make_for_its_owner_alone(file: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file).map(drop)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

pub(super) fn format_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;"))
}

/// Opens a connection that cannot write.
pub(super) fn open_for_reading(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// The greatest version that any document has.
pub(super) fn last_version(connection: &Connection) -> Result<u64, StoreError> {
    let version: Option<i64> = connection.query_row("SELECT max(version) FROM documents", [], |row| row.get(0))?;
    Ok(version.unwrap_or(0).unsigned_abs())
}

/// The number of the newest event ever written.
pub(super) fn last_event(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection
        .query_row("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'", [], |row| row.get(0))?)
}

/// An upper bound, exclusive, of all texts that begin with `prefix`.
pub(crate) fn key_upper_bound(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_database_and_its_side_files_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path(), &dir.path().join("landfall.db")).unwrap();
        for name in ["landfall.db", "landfall.db-wal", "landfall.db-shm"] {
            let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        drop(connection);
    }
}
