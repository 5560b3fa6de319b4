//! A consistent copy of the database beside a running server, and what a backup asks of it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::references::BLOB;
use super::{StoreError, schema};

/// The file of the database in a data folder.
pub const DATABASE: &str = "landfall.db";

/// Writes the database of the data folder `data_dir` into the new file `copy`, as it is at one moment between two
/// commits. The server that owns the folder may run and write on; its readers and its writer do not wait.
pub fn snapshot(data_dir: &Path, copy: &Path) -> Result<(), StoreError> {
    let connection = schema::open_for_reading(&data_dir.join(DATABASE))?;
    // The server takes the write lock only for moments.
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    // SQLite takes an empty file as it finds it, and would make one that others may read.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(copy).map_err(failed)?;
    let path = copy.to_string_lossy();
    connection.execute("VACUUM INTO ?1", [&*path])?;
    Ok(())
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::Content(Arc::new(error))
}

/// A database that no server has open: a backup's.
pub struct Snapshot(Connection);

impl Snapshot {
    /// Opens the file for reading.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        Ok(Self(schema::open_for_reading(file)?))
    }

    /// The format of the data folder that it is from.
    pub fn format(&self) -> Result<i64, StoreError> {
        Ok(schema::format_of(&self.0)?)
    }

    /// SQLite's own finding about its pages and rows: `None` if all is well, else what is wrong.
    pub fn damage(&self) -> Result<Option<String>, StoreError> {
        let found: String = self.0.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((found != "ok").then_some(found))
    }

    /// Calls `each` with the service and the digest of every blob that a document refers to.
    pub fn blobs(&self, mut each: impl FnMut(&str, &str)) -> Result<(), StoreError> {
        let sql = "SELECT DISTINCT kind, value FROM index_rows WHERE name = ?1";
        let mut statement = self.0.prepare(sql)?;
        let mut rows = statement.query([BLOB])?;
        while let Some(row) = rows.next()? {
            let (kind, digest): (String, String) = (row.get(0)?, row.get(1)?);
            each(kind.split('.').next().unwrap_or_default(), &digest);
        }
        Ok(())
    }
}
