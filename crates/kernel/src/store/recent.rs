//! Documents that were read lately, as values: a look-up of what is read again and again (a key, its user, a pipeline)
//! then needs neither SQLite nor JSON.
//!
//! What is here is what the store holds, at any time. One process writes (the folder's lock), in one thread, and SQLite
//! tells that thread of each row that it changes, before the change is committed: the row is forgotten then. What was
//! read while a transaction ran, or before one that has begun since, is not kept.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::Address;
use crate::{Document, Stored};

/// All that is kept has at most so many bytes as JSON; as values it takes a few times that. What comes then finds room
/// by forgetting all: what is read again and again is soon back.
const MOST: usize = 1024 * 1024;

/// A larger document is not kept.
const LARGEST: usize = 16 * 1024;

/// A document of any type, as [`Stored`].
pub(crate) type Known = Arc<dyn Any + Send + Sync>;

/// The documents that were read lately.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Kept>);

/// When a read began; what it found may be kept while no transaction has begun since.
#[derive(Clone, Copy)]
pub(crate) struct Turn(u64);

#[derive(Default)]
struct Kept {
    /// Goes up when a transaction begins and when it ends: odd while one runs.
    turn: u64,
    bytes: usize,
    ids: HashMap<Address, i64>,
    rows: HashMap<i64, Row>,
}

struct Row {
    address: Address,
    version: u64,
    bytes: usize,
    document: Known,
}

impl Recent {
    /// Lets SQLite tell of the rows that `connection`, the only one that writes, changes.
    pub(super) fn listen(self: &Arc<Self>, connection: &Connection) -> rusqlite::Result<()> {
        let recent = Arc::clone(self);
        connection.update_hook(Some(move |_, _: &str, table: &str, id| {
            if table == "documents" {
                recent.kept().forget(id);
            }
        }))
    }

    /// A transaction is about to begin.
    pub(super) fn begin(&self) {
        self.kept().turn += 1;
    }

    /// It has ended, whichever way.
    pub(super) fn end(&self) {
        self.kept().turn += 1;
    }

    /// The time before a read.
    pub(crate) fn turn(&self) -> Turn {
        Turn(self.kept().turn)
    }

    /// The document at `address`, or the time at which it was not here.
    pub(crate) fn find<T: Document>(&self, address: &Address) -> Result<Stored<T>, Turn> {
        let kept = self.kept();
        let document = kept.ids.get(address).and_then(|id| kept.rows.get(id)).map(|row| Arc::clone(&row.document));
        let turn = Turn(kept.turn);
        drop(kept);
        document.as_ref().and_then(stored).cloned().ok_or(turn)
    }

    /// The document in this row of the table, if it has this version. Versions are never used twice.
    pub(crate) fn version_of(&self, id: i64, version: u64) -> Option<Known> {
        let kept = self.kept();
        let row = kept.rows.get(&id).filter(|row| row.version == version)?;
        Some(Arc::clone(&row.document))
    }

    /// Keeps what a read that began at `turn` found at `address`, in row `id`, in so many bytes.
    pub(crate) fn keep<T: Document>(&self, turn: Turn, (id, bytes): (i64, usize), address: Address, found: Stored<T>) {
        if bytes > LARGEST || turn.0 % 2 == 1 {
            return;
        }
        let row = Row { address: address.clone(), version: found.version, bytes, document: Arc::new(found) };
        let mut kept = self.kept();
        if kept.turn != turn.0 {
            return;
        }
        if kept.bytes + bytes > MOST {
            *kept = Kept { turn: kept.turn, ..Kept::default() };
        }
        kept.forget(id);
        kept.bytes += bytes;
        kept.ids.insert(address, id);
        kept.rows.insert(id, row);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // No change of it can stop halfway: nothing in between panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget(&mut self, id: i64) {
        if let Some(row) = self.rows.remove(&id) {
            self.ids.remove(&row.address);
            self.bytes -= row.bytes;
        }
    }
}

/// A document of the type that it has.
pub(crate) fn stored<T: Document>(document: &Known) -> Option<&Stored<T>> {
    document.downcast_ref()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Scope;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Note(String);

    impl Document for Note {
        const KIND: &'static str = "test.note";
        fn key(&self) -> String {
            self.0.clone()
        }
    }

    fn address(key: &str) -> Address {
        Address { scope: Scope::new("1", "r"), kind: Note::KIND, key: key.to_owned() }
    }

    fn note(key: &str, version: u64) -> Stored<Note> {
        Stored { version, value: Note(key.to_owned()), position: key.to_owned() }
    }

    fn is_there(recent: &Recent, key: &str) -> bool {
        recent.find::<Note>(&address(key)).is_ok()
    }

    #[test]
    fn what_was_read_is_found_by_key_and_by_row_and_version() {
        let recent = Recent::default();
        recent.keep(recent.turn(), (7, 10), address("a"), note("a", 3));
        assert_eq!(recent.find::<Note>(&address("a")).ok(), Some(note("a", 3)));
        assert!(!is_there(&recent, "b"));
        assert!(recent.version_of(7, 3).is_some_and(|known| stored::<Note>(&known).is_some()));
        assert!(recent.version_of(7, 2).is_none() && recent.version_of(8, 3).is_none());
    }

    #[test]
    fn what_was_read_beside_a_transaction_is_not_kept() {
        let recent = Recent::default();
        let before = recent.turn();
        recent.begin();
        let within = recent.turn();
        recent.keep(before, (1, 1), address("a"), note("a", 1));
        recent.keep(within, (1, 1), address("a"), note("a", 1));
        recent.end();
        recent.keep(before, (1, 1), address("a"), note("a", 1));
        recent.keep(within, (1, 1), address("a"), note("a", 1));
        assert!(!is_there(&recent, "a"));
        recent.keep(recent.turn(), (1, 1), address("a"), note("a", 1));
        assert!(is_there(&recent, "a"));
    }

    #[test]
    fn a_row_is_forgotten_when_it_changes_and_all_when_there_is_no_room() {
        let recent = Recent::default();
        for (id, key) in [(1, "a"), (2, "b")] {
            recent.keep(recent.turn(), (id, LARGEST), address(key), note(key, 1));
        }
        recent.keep(recent.turn(), (3, LARGEST + 1), address("large"), note("large", 1));
        recent.kept().forget(1);
        assert_eq!(["a", "b", "large"].map(|key| is_there(&recent, key)), [false, true, false]);
        let most = i64::try_from(MOST / LARGEST).unwrap();
        for id in 10..=10 + most {
            recent.keep(recent.turn(), (id, LARGEST), address(&id.to_string()), note("c", 1));
        }
        let kept = recent.kept();
        assert!(kept.bytes <= MOST && kept.rows.len() == kept.ids.len() && !kept.rows.is_empty());
        assert_eq!(kept.rows.values().map(|row| row.bytes).sum::<usize>(), kept.bytes);
    }
}
