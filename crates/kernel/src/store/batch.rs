//! The operations of a commit, as SQL.

use rusqlite::{Connection, OptionalExtension, params};

use super::{CommitError, Signals};
use crate::{Index, Scope, Timestamp};

/// One operation; all of a commit happen or none.
pub(crate) enum Operation {
    Insert(Put),
    Replace(Put, u64),
    Remove(Address, u64),
    Require(Address, u64),
    Fence { address: Address, owner: String, epoch: i64 },
    Publish { source: String, body: String },
    Advance { consumer: String, to: i64 },
}

impl Operation {
    /// What it writes: a document's kind, or `event` or `cursor`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Insert(put) | Self::Replace(put, _) => put.address.kind,
            Self::Remove(address, _) | Self::Require(address, _) | Self::Fence { address, .. } => address.kind,
            Self::Publish { .. } => "event",
            Self::Advance { .. } => "cursor",
        }
    }
}

/// Where a document is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) scope: Scope,
    pub(crate) kind: &'static str,
    pub(crate) key: String,
}

/// A document ready to be written.
pub(crate) struct Put {
    pub(crate) address: Address,
    pub(crate) due: Option<Timestamp>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) body: String,
}

/// What a commit changed that somebody may wait for.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) version: u64,
    due_kinds: Vec<&'static str>,
    last_event: i64,
}

impl Changes {
    pub(crate) fn signal(&self, signals: &Signals) {
        for kind in &self.due_kinds {
            signals.kind(kind).notify_one();
        }
        if self.last_event > 0 {
            signals.event_written(self.last_event);
        }
    }
}

impl Address {
    fn conflict(&self) -> CommitError {
        CommitError::Conflict { kind: self.kind.to_owned(), key: self.key.clone() }
    }
}

/// Applies all operations within the open savepoint.
pub(crate) fn apply(connection: &Connection, version: u64, operations: &[Operation]) -> Result<Changes, CommitError> {
    let mut changes = Changes { version, ..Changes::default() };
    for operation in operations {
        match operation {
            Operation::Insert(put) => insert(connection, version, put)?,
            Operation::Replace(put, expected) => replace(connection, version, put, *expected)?,
            Operation::Remove(address, expected) => remove(connection, address, *expected)?,
            Operation::Require(address, expected) => require(connection, address, *expected)?,
            Operation::Fence { address, owner, epoch } => fence(connection, address, owner, *epoch)?,
            Operation::Publish { source, body } => changes.last_event = publish(connection, source, body)?,
            Operation::Advance { consumer, to } => advance(connection, consumer, *to)?,
        }
        if let Operation::Insert(put) | Operation::Replace(put, _) = operation
            && put.due.is_some()
            && !changes.due_kinds.contains(&put.address.kind)
        {
            changes.due_kinds.push(put.address.kind);
        }
    }
    Ok(changes)
}

fn insert(connection: &Connection, version: u64, put: &Put) -> Result<(), CommitError> {
    let Address { scope, kind, key } = &put.address;
    let sql = "INSERT INTO documents (kind, account, region, key, version, due, indexes, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
    let due = put.due.map(Timestamp::millis);
    let indexes = remembered(&put.indexes);
    let written = connection.prepare_cached(sql)?.execute(params![
        kind,
        scope.account,
        scope.region,
        key,
        version,
        due,
        indexes,
        put.body
    ])?;
    if written == 0 {
        return Err(CommitError::Exists { kind: (*kind).to_owned(), key: key.clone() });
    }
    put.indexes.iter().try_for_each(|index| add_index(connection, &put.address, index))
}

/// A replacement also ends a back-off (a lease without owner): the new state deserves a look at once.
fn replace(connection: &Connection, version: u64, put: &Put, expected: u64) -> Result<(), CommitError> {
    let (id, before) = current(connection, &put.address, expected)?;
    let indexes = remembered(&put.indexes);
    if before != indexes {
        forget(connection, &put.address, &before)?;
        put.indexes.iter().try_for_each(|index| add_index(connection, &put.address, index))?;
    }
    let sql = "UPDATE documents SET version = ?2, due = ?3, indexes = ?4, body = ?5,
                 lease_until = CASE WHEN lease_owner = '' THEN NULL ELSE lease_until END
               WHERE id = ?1";
    let due = put.due.map(Timestamp::millis);
    connection.prepare_cached(sql)?.execute(params![id, version, due, indexes, put.body])?;
    Ok(())
}

fn remove(connection: &Connection, address: &Address, expected: u64) -> Result<(), CommitError> {
    let (id, indexes) = current(connection, address, expected)?;
    forget(connection, address, &indexes)?;
    connection.prepare_cached("DELETE FROM documents WHERE id = ?1")?.execute([id])?;
    Ok(())
}

fn require(connection: &Connection, address: &Address, expected: u64) -> Result<(), CommitError> {
    current(connection, address, expected).map(|_| ())
}

/// The row's id and remembered indexes, if it still has the version that was read.
fn current(connection: &Connection, address: &Address, expected: u64) -> Result<(i64, String), CommitError> {
    let sql = "SELECT id, indexes FROM documents
               WHERE kind = ?1 AND account = ?2 AND region = ?3 AND key = ?4 AND version = ?5";
    let Address { scope, kind, key } = address;
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![kind, scope.account, scope.region, key, expected], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.ok_or_else(|| address.conflict())
}

fn fence(connection: &Connection, address: &Address, owner: &str, epoch: i64) -> Result<(), CommitError> {
    let sql = "SELECT 1 FROM documents WHERE kind = ?1 AND account = ?2 AND region = ?3 AND key = ?4
               AND lease_owner = ?5 AND lease_epoch = ?6";
    let Address { scope, kind, key } = address;
    let held = connection.prepare_cached(sql)?.exists(params![kind, scope.account, scope.region, key, owner, epoch])?;
    if held { Ok(()) } else { Err(CommitError::LeaseLost { kind: (*kind).to_owned(), key: key.clone() }) }
}

fn publish(connection: &Connection, source: &str, body: &str) -> Result<i64, CommitError> {
    connection.prepare_cached("INSERT INTO events (source, body) VALUES (?1, ?2)")?.execute([source, body])?;
    Ok(connection.last_insert_rowid())
}

fn advance(connection: &Connection, consumer: &str, to: i64) -> Result<(), CommitError> {
    let sql = "UPDATE consumers SET cursor = ?2 WHERE name = ?1 AND cursor < ?2";
    match connection.prepare_cached(sql)?.execute(params![consumer, to])? {
        0 => Err(CommitError::Conflict { kind: "consumer".to_owned(), key: consumer.to_owned() }),
        _ => Ok(()),
    }
}

pub(super) fn remembered(indexes: &[Index]) -> String {
    let rows: Vec<[&str; 3]> = indexes.iter().map(|index| [&*index.name, &*index.value, &*index.sort]).collect();
    if rows.is_empty() {
        String::new()
    } else {
        serde_json::Value::from_iter(rows.iter().map(|row| row.to_vec())).to_string()
    }
}

fn add_index(connection: &Connection, address: &Address, index: &Index) -> Result<(), CommitError> {
    let sql = "INSERT OR REPLACE INTO index_rows (kind, account, region, name, value, sort, key)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let Address { scope, kind, key } = address;
    connection.prepare_cached(sql)?.execute(params![
        kind,
        scope.account,
        scope.region,
        index.name,
        index.value,
        index.sort,
        key
    ])?;
    Ok(())
}

fn forget(connection: &Connection, address: &Address, remembered: &str) -> Result<(), CommitError> {
    if remembered.is_empty() {
        return Ok(());
    }
    let sql = "DELETE FROM index_rows WHERE kind = ?1 AND account = ?2 AND region = ?3
               AND name = ?4 AND value = ?5 AND sort = ?6 AND key = ?7";
    let Address { scope, kind, key } = address;
    let rows: Vec<[String; 3]> = serde_json::from_str(remembered).map_err(|error| damaged(address, &error))?;
    for [name, value, sort] in &rows {
        connection.prepare_cached(sql)?.execute(params![kind, scope.account, scope.region, name, value, sort, key])?;
    }
    Ok(())
}

fn damaged(address: &Address, error: &serde_json::Error) -> CommitError {
    let (kind, key) = (address.kind.to_owned(), address.key.clone());
    super::StoreError::Decode { kind, key, reason: format!("its index rows: {error}") }.into()
}
