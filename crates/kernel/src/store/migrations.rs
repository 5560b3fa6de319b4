//! The formats of a data folder, and the way from each to the next.
//!
//! The format is a number, kept in SQLite's `user_version`; it stands for the whole folder: tables, documents, blobs,
//! log segments and where they lie (`docs/DATA.md`). A release opens every older format, and refuses a newer one.
//! A migration may end at any line: the store's part of it is one transaction with the new number, and whatever it
//! does to files comes before and can be done again.

use std::path::Path;

use rusqlite::{Connection, params};

use super::references::add_rows;
use super::{StoreError, batch};
use crate::{Index, Scope};

/// The format that this release writes.
pub const FORMAT: i64 = 2;

/// The way from one format to the next.
struct Migration {
    /// The format that it makes.
    to: i64,
    /// For the log.
    what: &'static str,
    /// Moves the folder on, within the transaction that also writes the number.
    run: fn(&Connection, &Path) -> Result<(), StoreError>,
}

/// In order, one for each format from 2 on.
const MIGRATIONS: &[Migration] =
    &[Migration { to: 2, what: "noting which documents refer to which blobs", run: note_blobs }];

/// Moves the folder from format `found` to this release's, step by step.
pub(super) fn migrate(connection: &Connection, dir: &Path, found: i64) -> Result<(), StoreError> {
    for migration in MIGRATIONS.iter().filter(|migration| migration.to > found) {
        tracing::info!(to = migration.to, "the data folder gets a new format: {}", migration.what);
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = (migration.run)(connection, dir).and_then(|()| {
            crate::crash_point!("store_before_migration_commit");
            Ok(connection.execute_batch(&format!("PRAGMA user_version = {}; COMMIT", migration.to))?)
        });
        if done.is_err() && !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        done?;
    }
    Ok(())
}

/// How many documents are looked at at once.
const PAGE: i64 = 1_000;

/// Format 1 had index rows for blobs only where a document named them itself.
fn note_blobs(connection: &Connection, _: &Path) -> Result<(), StoreError> {
    let sql = "SELECT id, kind, account, region, key, indexes, body FROM documents WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut last = 0;
    loop {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![last, PAGE])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            (last, count) = (row.get(0)?, count + 1);
            let (remembered, body): (String, String) = (row.get(5)?, row.get(6)?);
            let mut indexes = Vec::new();
            add_rows(&body, &mut indexes);
            if !indexes.is_empty() {
                let scope = Scope::new(row.get::<_, String>(2)?, row.get::<_, String>(3)?);
                let document = Row { id: last, kind: row.get(1)?, scope, key: row.get(4)? };
                note(connection, &document, &remembered, indexes)?;
            }
        }
        if count < PAGE {
            return Ok(());
        }
    }
}

struct Row {
    id: i64,
    kind: String,
    scope: Scope,
    key: String,
}

/// Writes the rows that are missing, and remembers them in the document.
fn note(connection: &Connection, document: &Row, remembered: &str, mut rows: Vec<Index>) -> Result<(), StoreError> {
    let Row { id, kind, scope, key } = document;
    let damaged = |error: serde_json::Error| StoreError::Decode {
        kind: kind.clone(),
        key: key.clone(),
        reason: format!("its index rows: {error}"),
    };
    let known: Vec<[String; 3]> =
        if remembered.is_empty() { Vec::new() } else { serde_json::from_str(remembered).map_err(damaged)? };
    let mut all: Vec<Index> =
        known.into_iter().map(|[name, value, sort]| Index::new(name, value).sorted(sort)).collect();
    rows.retain(|row| !all.contains(row));
    let sql = "INSERT OR REPLACE INTO index_rows (kind, account, region, name, value, sort, key)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    for row in &rows {
        let values = params![kind, scope.account, scope.region, row.name, row.value, row.sort, key];
        connection.prepare_cached(sql)?.execute(values)?;
    }
    all.extend(rows);
    connection
        .prepare_cached("UPDATE documents SET indexes = ?2 WHERE id = ?1")?
        .execute(params![id, batch::remembered(&all)])?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_way_from_every_format_to_this_releases() {
        let to: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.to).collect();
        assert_eq!(to, (2..=FORMAT).collect::<Vec<_>>());
    }

    #[test]
    fn a_migration_that_fails_leaves_the_folder_as_it_was() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("PRAGMA user_version = 1").unwrap();
        assert!(migrate(&connection, Path::new("/"), 1).is_err(), "there are no tables");
        let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!((format, connection.is_autocommit()), (1, true));
    }
}
