//! The tables, and connections to them.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::migrations::{FORMAT, migrate};
use super::{OpenError, StoreError, log};

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
    let failed = |source| OpenError::Folder { dir: dir.to_owned(), source };
    make_for_its_owner_alone(file).map_err(failed)?;
    log::write_again(file).map_err(failed)?;
    let connection = Connection::open(file).map_err(StoreError::from)?;
    prepare(&connection).map_err(StoreError::from)?;
    let found = format_of(&connection).map_err(StoreError::from)?;
    // The log is there since that was read.
    log::sync_folder(dir).map_err(failed)?;
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
    log::copy_when_long(connection);
    // What a savepoint may have to undo: above 64 KiB it is else written to a new file in /var/tmp, for each commit.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
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

    #[test]
    fn what_a_savepoint_may_undo_is_in_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path(), &dir.path().join("landfall.db")).unwrap();
        let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
                    INSERT INTO events (source, body) SELECT 's', hex(zeroblob(2000)) FROM n";
        connection.execute_batch(many).unwrap();
        connection.execute_batch("BEGIN; SAVEPOINT one; UPDATE events SET body = body || 'x'").unwrap();
        let files = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
        let temporary: Vec<_> = files.filter(|file| file.to_string_lossy().contains("etilqs")).collect();
        assert_eq!(temporary, Vec::<std::path::PathBuf>::new());
        connection.execute_batch("ROLLBACK").unwrap();
    }
}
