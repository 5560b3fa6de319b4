//! Every state change as an event, kept in order, read by consumers with durable cursors.

mod subscription;
mod tail;

use std::sync::Arc;

use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use subscription::{Cursor, Delivered, Subscription};
pub use tail::Tail;

use crate::store::Durability;
use crate::{Scope, Store, StoreError, Timestamp};

/// An event in EventBridge's shape; as JSON it is what rules match and targets receive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// A UUID.
    pub id: String,
    /// The service that publishes, for example `aws.codecommit`.
    pub source: String,
    /// For example `CodeBuild Build State Change`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// The account of the resource.
    pub account: String,
    /// Its region.
    pub region: String,
    /// When it happened, to the second as EventBridge has it.
    #[serde(with = "event_time")]
    pub time: Timestamp,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
    /// The rest, by detail type.
    pub detail: Value,
}

impl Event {
    /// The scope of the resource.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::new(&self.account, &self.region)
    }
}

/// Events carry their time as ISO 8601 text, unlike AWS's JSON protocols.
mod event_time {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::Timestamp;

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.iso8601())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::parse_iso8601(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// All events, in the order of their commits. Published by [`Batch::publish`](crate::Batch::publish).
#[derive(Clone)]
pub struct Bus {
    store: Arc<Store>,
}

impl Bus {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The consumer `name` (`service.purpose`): goes on behind its cursor. A new one sees what is
    /// published from now on. Only one reader per name makes sense.
    pub async fn subscribe(&self, name: &str) -> Result<Subscription, StoreError> {
        self.register(name, "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events')").await
    }

    /// Like [`Bus::subscribe`], but a new consumer sees all events that are still kept.
    pub async fn subscribe_from_start(&self, name: &str) -> Result<Subscription, StoreError> {
        self.register(name, "0").await
    }

    async fn register(&self, name: &str, cursor: &'static str) -> Result<Subscription, StoreError> {
        let consumer = name.to_owned();
        let register = move |connection: &rusqlite::Connection, _| {
            let sql = format!("INSERT INTO consumers (name, cursor) VALUES (?1, {cursor}) ON CONFLICT DO NOTHING");
            connection.execute(&sql, [&consumer])?;
            Ok::<i64, StoreError>(connection.query_row(
                "SELECT cursor FROM consumers WHERE name = ?1",
                [&consumer],
                |row| row.get(0),
            )?)
        };
        let position = self.store.write(Durability::Full, register, |_, _| ()).await?;
        Ok(Subscription::at(Arc::clone(&self.store), name, position))
    }

    /// Watches what is published from now on, without a cursor: for who only wants to be woken, such as a page that
    /// shows the newest state.
    #[must_use]
    pub fn tail(&self) -> Tail {
        Tail::new(Arc::clone(&self.store))
    }

    /// Forgets events that happened before `time` and that every consumer has passed, oldest first, up to the first
    /// that is to be kept: it looks at none behind that one.
    pub async fn prune(&self, time: Timestamp) -> Result<usize, StoreError> {
        let mut pruned = 0;
        loop {
            let time = time.iso8601();
            let some = move |connection: &rusqlite::Connection, _| prune_some(connection, &time);
            let count = self.store.write(Durability::Lax, some, |_, _| ()).await?;
            pruned += count;
            if count < PRUNED_AT_ONCE {
                return Ok(pruned);
            }
        }
    }
}

/// So many events are forgotten in one transaction: others' commits wait for it.
const PRUNED_AT_ONCE: usize = 500;

fn prune_some(connection: &rusqlite::Connection, time: &str) -> Result<usize, StoreError> {
    let sql = "SELECT sequence, json_extract(body, '$.time') < ?1 FROM events
               WHERE sequence <= (SELECT coalesce(min(cursor), 0) FROM consumers) ORDER BY sequence LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?));
    let oldest = statement.query_map(params![time, PRUNED_AT_ONCE as i64], row)?.collect::<Result<Vec<_>, _>>()?;
    match oldest.iter().take_while(|(_, old)| *old).last() {
        Some((last, _)) => Ok(connection.execute("DELETE FROM events WHERE sequence <= ?1", [last])?),
        None => Ok(0),
    }
}

/// At most `limit` events behind number `from`, up to number `end`, with their numbers.
async fn read(
    store: &Store,
    from: i64,
    end: i64,
    source: Option<String>,
    limit: usize,
) -> Result<Vec<(i64, Event)>, StoreError> {
    let limit = i64::try_from(limit.clamp(1, 1_000)).unwrap_or(1_000);
    let read = move |connection: &rusqlite::Connection| {
        let sql = "SELECT sequence, body FROM events WHERE sequence > ?1 AND sequence <= ?2
                   AND (?3 IS NULL OR source = ?3) ORDER BY sequence LIMIT ?4";
        let mut statement = connection.prepare_cached(sql)?;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
        let rows = statement.query_map(params![from, end, source, limit], row)?.collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().map(|(sequence, body)| Ok((sequence, decode(sequence, &body)?))).collect()
    };
    store.read(read).await
}

fn decode(sequence: i64, body: &str) -> Result<Event, StoreError> {
    let damaged = |error: serde_json::Error| {
        let (kind, key) = ("kernel.event".to_owned(), sequence.to_string());
        StoreError::Decode { kind, key, reason: error.to_string() }
    };
    serde_json::from_str(body).map_err(damaged)
}
