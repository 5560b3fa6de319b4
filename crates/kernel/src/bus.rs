//! Every state change as an event, kept in order, read by consumers with durable cursors.

use std::sync::Arc;

use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::{Durability, Operation};
use crate::{CommitError, Scope, Store, StoreError, Timestamp};

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
        let (store, name) = (Arc::clone(&self.store), name.into());
        Ok(Subscription { store, name, source: None, position, delivered: position, passed: position })
    }

    /// Forgets events that happened before `time` and that every consumer has passed.
    pub async fn prune(&self, time: Timestamp) -> Result<usize, StoreError> {
        let prune = move |connection: &rusqlite::Connection, _| {
            let sql = "DELETE FROM events WHERE sequence <= (SELECT coalesce(min(cursor), 0) FROM consumers)
                       AND json_extract(body, '$.time') < ?1";
            Ok::<usize, StoreError>(connection.execute(sql, [time.iso8601()])?)
        };
        self.store.write(Durability::Lax, prune, |_, _| ()).await
    }
}

/// An event read from the bus, with the cursor that says it is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// The event.
    pub event: Event,
    /// To be given to [`Batch::advance`](crate::Batch::advance) in the commit of the event's effect.
    pub cursor: Cursor,
}

/// How far a consumer has come: this event and all before it are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    consumer: Arc<str>,
    to: i64,
}

impl Cursor {
    pub(crate) fn operation(&self) -> Operation {
        Operation::Advance { consumer: self.consumer.to_string(), to: self.to }
    }
}

/// A consumer's place in the stream of events.
///
/// The place in memory runs ahead of the durable cursor: after a restart the consumer sees again all that
/// it did not advance over.
pub struct Subscription {
    store: Arc<Store>,
    name: Arc<str>,
    source: Option<String>,
    position: i64,
    /// The last event that was given out, or the durable cursor at the start.
    delivered: i64,
    /// Up to where the durable cursor was last moved over events of other sources.
    passed: i64,
}

/// So many events of other sources are passed over before the durable cursor follows: without that, a consumer whose
/// source is silent would keep all events from being forgotten, and read them all again after a restart.
const PASSED_OVER: i64 = 1_000;

impl Subscription {
    /// Only events of `source`, for example `aws.codebuild`.
    #[must_use]
    pub fn only(mut self, source: &str) -> Self {
        self.source = Some(source.to_owned());
        self
    }

    /// The next events, at least one and at most `limit`; waits until there is one. Safe to drop while
    /// waiting.
    pub async fn next_batch(&mut self, limit: usize) -> Result<Vec<Delivered>, StoreError> {
        let mut news = self.store.signals().events();
        loop {
            let end = *news.borrow_and_update();
            let found = self.read(end, limit).await?;
            if let Some(last) = found.last() {
                (self.position, self.delivered) = (last.cursor.to, last.cursor.to);
                return Ok(found);
            }
            self.pass_over(end).await?;
            news.changed().await.map_err(|_| StoreError::Closed)?;
        }
    }

    /// Goes on behind event `end`, which like all since the last batch is not for this consumer. The durable cursor
    /// follows now and then, unless something that was given out is not yet advanced over.
    async fn pass_over(&mut self, end: i64) -> Result<(), StoreError> {
        self.position = self.position.max(end);
        if self.position - self.passed < PASSED_OVER {
            return Ok(());
        }
        let (name, to, delivered) = (Arc::clone(&self.name), self.position, self.delivered);
        let follow = move |connection: &rusqlite::Connection, _| {
            let sql = "UPDATE consumers SET cursor = ?2 WHERE name = ?1 AND cursor >= ?3 AND cursor < ?2";
            Ok::<usize, StoreError>(connection.prepare_cached(sql)?.execute(params![name, to, delivered])?)
        };
        // Lost with a crash, it is only done again.
        self.store.write(Durability::Lax, follow, |_, _| ()).await?;
        self.passed = to;
        Ok(())
    }

    /// Events behind the position, up to number `end`: an event committed meanwhile is not passed over.
    async fn read(&self, end: i64, limit: usize) -> Result<Vec<Delivered>, StoreError> {
        let (from, source, name) = (self.position, self.source.clone(), Arc::clone(&self.name));
        let limit = i64::try_from(limit.clamp(1, 1_000)).unwrap_or(1_000);
        let read = move |connection: &rusqlite::Connection| {
            let sql = "SELECT sequence, body FROM events WHERE sequence > ?1 AND sequence <= ?2
                       AND (?3 IS NULL OR source = ?3) ORDER BY sequence LIMIT ?4";
            let mut statement = connection.prepare_cached(sql)?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
            let rows = statement.query_map(params![from, end, source, limit], row)?.collect::<Result<Vec<_>, _>>()?;
            rows.into_iter().map(|(sequence, body)| deliver(&name, sequence, &body)).collect()
        };
        self.store.read(read).await
    }

    /// Moves the durable cursor for events that have no effect of their own in the store. One already
    /// passed is no error.
    pub async fn acknowledge(&self, cursor: &Cursor) -> Result<(), StoreError> {
        let operation = cursor.operation();
        let advance =
            move |connection: &rusqlite::Connection, version| crate::store::apply(connection, version, &[operation]);
        match self.store.write(Durability::Full, advance, |_, _| ()).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
            // An advance neither inserts nor holds a lease.
            Err(CommitError::Exists { .. } | CommitError::LeaseLost { .. }) => Ok(()),
        }
    }
}

fn deliver(consumer: &Arc<str>, sequence: i64, body: &str) -> Result<Delivered, StoreError> {
    match serde_json::from_str(body) {
        Ok(event) => Ok(Delivered { event, cursor: Cursor { consumer: Arc::clone(consumer), to: sequence } }),
        Err(error) => Err(StoreError::Decode {
            kind: "kernel.event".to_owned(),
            key: sequence.to_string(),
            reason: error.to_string(),
        }),
    }
}
