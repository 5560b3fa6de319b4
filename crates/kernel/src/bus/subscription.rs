//! Consumers with a durable cursor: what they have not advanced over they see again after a restart.

use std::sync::Arc;

use rusqlite::params;

use super::{Event, read};
use crate::store::{Durability, Operation};
use crate::{CommitError, Store, StoreError};

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
    pub(super) fn at(store: Arc<Store>, name: &str, position: i64) -> Self {
        Self { store, name: name.into(), source: None, position, delivered: position, passed: position }
    }

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
        let found = read(&self.store, self.position, end, self.source.clone(), limit).await?;
        let consumer = |to| Cursor { consumer: Arc::clone(&self.name), to };
        Ok(found.into_iter().map(|(sequence, event)| Delivered { event, cursor: consumer(sequence) }).collect())
    }

    /// Moves the durable cursor for events that have no effect of their own in the store. One already
    /// passed is no error. A machine that loses power may have them delivered again, as one whose server dies before this.
    pub async fn acknowledge(&self, cursor: &Cursor) -> Result<(), StoreError> {
        let operation = cursor.operation();
        let advance =
            move |connection: &rusqlite::Connection, version| crate::store::apply(connection, version, &[operation]);
        match self.store.write(Durability::Lax, advance, |_, _| ()).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
            // An advance neither inserts nor holds a lease.
            Err(CommitError::Exists { .. } | CommitError::LeaseLost { .. }) => Ok(()),
        }
    }
}
