//! A small service of its own, on the real store in a temporary folder.

use std::sync::Arc;

use kernel::{Document, Documents, Index, ManualClock, Scope, Store, Timestamp};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// A task of a to-do list: found by its list, in the order of its rank, due when it says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub name: String,
    pub list: Option<String>,
    pub rank: String,
    pub done: u32,
    pub due: Option<Timestamp>,
}

impl Document for Task {
    const KIND: &'static str = "todo.task";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn indexes(&self) -> Vec<Index> {
        self.list.iter().map(|list| Index::new("list", list).sorted(&self.rank)).collect()
    }

    fn due(&self) -> Option<Timestamp> {
        self.due
    }
}

pub fn task(name: &str) -> Task {
    Task { name: name.to_owned(), list: None, rank: String::new(), done: 0, due: None }
}

pub fn scope() -> Scope {
    Scope::new("000000000000", "us-east-1")
}

/// The time at which the fixture's clock stands.
pub fn start() -> Timestamp {
    Timestamp::from_seconds(1_700_000_000)
}

pub struct Fixture {
    pub store: Arc<Store>,
    pub documents: Documents,
    pub clock: ManualClock,
    pub dir: TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        Self::in_dir(tempfile::tempdir().unwrap())
    }

    pub fn in_dir(dir: TempDir) -> Self {
        let clock = ManualClock::at(start());
        let store = Store::open(dir.path(), Arc::new(clock.clone())).unwrap();
        Self { documents: store.service("todo"), store, clock, dir }
    }

    /// Closes the store and opens it again, as a restart does.
    pub fn restart(self) -> Self {
        let Self { store, documents, dir, .. } = self;
        drop(documents);
        assert_eq!(Arc::strong_count(&store), 1, "somebody still holds the store");
        drop(store);
        Self::in_dir(dir)
    }
}
