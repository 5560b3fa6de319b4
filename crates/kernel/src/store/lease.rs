//! Claims of due documents, as SQL.
//!
//! A lease with an owner is a step in progress; one without (`''`) is the back-off after a failed step.
//! A lease of another owner than this process is void: the folder's lock proves that it is dead. One of this process
//! ends only when it is given back: time may jump (a laptop wakes up) while the step is still running.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use crate::{Scope, Timestamp};

/// The clocks of those who write events into one store may differ by so much.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);

/// What a worker asks for.
pub(crate) struct Claim {
    pub(crate) kind: &'static str,
    pub(crate) owner: String,
    pub(crate) now: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) limit: usize,
}

/// A claimed document.
pub(crate) struct Claimed {
    pub(crate) scope: Scope,
    pub(crate) key: String,
    pub(crate) version: u64,
    pub(crate) body: String,
    pub(crate) epoch: i64,
    pub(crate) failures: u32,
}

/// Leases up to `limit` due documents; and says when to look again if that was all.
pub(crate) fn claim(connection: &Connection, claim: &Claim) -> Result<(Vec<Claimed>, Option<Timestamp>), StoreError> {
    let sql = "UPDATE documents SET lease_owner = ?2, lease_epoch = lease_epoch + 1, lease_until = ?4
               WHERE id IN (
                 SELECT id FROM documents
                 WHERE kind = ?1 AND due <= ?3
                   AND (lease_until IS NULL
                        OR (lease_owner <> ?2 AND (lease_owner <> '' OR lease_until <= ?3)))
                 ORDER BY due LIMIT ?5)
               RETURNING account, region, key, version, body, lease_epoch, failures";
    let limit = i64::try_from(claim.limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let claimed = statement
        .query_map(params![claim.kind, claim.owner, claim.now.millis(), claim.until.millis(), limit], |row| {
            Ok(Claimed {
                scope: Scope::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?),
                key: row.get(2)?,
                version: row.get(3)?,
                body: row.get(4)?,
                epoch: row.get(5)?,
                failures: row.get(6)?,
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let next = if claimed.len() < claim.limit { next_look(connection, claim)? } else { None };
    Ok((claimed, next))
}

/// The next due time, or the end of a back-off or lease, whichever comes first.
fn next_look(connection: &Connection, claim: &Claim) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT min(at) FROM (
                 SELECT min(due) AS at FROM documents WHERE kind = ?1 AND due > ?2
                 UNION ALL
                 SELECT min(lease_until) FROM documents WHERE kind = ?1 AND due <= ?2 AND lease_until > ?2)";
    let at: Option<i64> =
        connection.prepare_cached(sql)?.query_row(params![claim.kind, claim.now.millis()], |row| row.get(0))?;
    Ok(at.map(Timestamp::from_millis))
}

/// How a step ended.
pub(crate) struct Released {
    pub(crate) scope: Scope,
    pub(crate) kind: &'static str,
    pub(crate) key: String,
    pub(crate) owner: String,
    pub(crate) epoch: i64,
    /// The version that the step was given.
    pub(crate) version: u64,
    /// Until when to leave it alone if the step changed nothing.
    pub(crate) retry_at: Timestamp,
}

/// Gives the lease back. A document that still has the version claimed got nowhere: it backs off; else it
/// may be claimed again as soon as it is due.
pub(crate) fn release(connection: &Connection, released: &Released) -> Result<(), StoreError> {
    let sql = "UPDATE documents SET
                 lease_owner = CASE WHEN version = ?7 AND due IS NOT NULL THEN '' ELSE NULL END,
                 lease_until = CASE WHEN version = ?7 AND due IS NOT NULL THEN ?8 ELSE NULL END,
                 failures = CASE WHEN version = ?7 THEN failures + 1 ELSE 0 END
               WHERE kind = ?1 AND account = ?2 AND region = ?3 AND key = ?4 AND lease_owner = ?5 AND lease_epoch = ?6";
    let Released { scope, kind, key, owner, epoch, version, retry_at } = released;
    connection.prepare_cached(sql)?.execute(params![
        kind,
        scope.account,
        scope.region,
        key,
        owner,
        epoch,
        version,
        retry_at.millis()
    ])?;
    Ok(())
}

/// Extends a lease that is still held.
pub(crate) fn renew(connection: &Connection, lease: &Released, until: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE documents SET lease_until = ?7
               WHERE kind = ?1 AND account = ?2 AND region = ?3 AND key = ?4 AND lease_owner = ?5 AND lease_epoch = ?6";
    let Released { scope, kind, key, owner, epoch, .. } = lease;
    connection.prepare_cached(sql)?.execute(params![
        kind,
        scope.account,
        scope.region,
        key,
        owner,
        epoch,
        until.millis()
    ])?;
    Ok(())
}

/// Makes all documents of the kind due that are to be due later, and ends all back-offs.
pub(crate) fn wake(connection: &Connection, kind: &str, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE documents SET
                 due = min(due, ?2),
                 lease_until = CASE WHEN lease_owner = '' THEN NULL ELSE lease_until END,
                 lease_owner = nullif(lease_owner, '')
               WHERE kind = ?1 AND due IS NOT NULL AND (due > ?2 OR lease_owner = '')";
    connection.prepare_cached(sql)?.execute(params![kind, now.millis()])?;
    Ok(())
}

/// Whether the newest event was written when the clock showed more than it does now.
pub(crate) fn written_after(connection: &Connection, now: Timestamp) -> Result<bool, StoreError> {
    let newest = "SELECT body ->> 'time' FROM events ORDER BY sequence DESC LIMIT 1";
    let time: Option<String> = connection.query_row(newest, [], |row| row.get(0)).optional()?;
    Ok(time.and_then(|time| Timestamp::parse_iso8601(&time).ok()).is_some_and(|time| time > now + CLOCKS_DIFFER))
}
