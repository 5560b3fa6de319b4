//! What a document is, and how lists of them are asked for.

use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Timestamp;

/// A piece of a service's state, at most 64 KiB as JSON, under its scope, kind and key.
///
/// It must not grow with time or fan-out: a target, an attempt, an action execution is a document of its
/// own. What can be large is a [`Large`](crate::Large).
pub trait Document: Serialize + DeserializeOwned + Send + Sync + Clone + 'static {
    /// `service.noun`, for example `codebuild.project`: only that service's handle takes it.
    const KIND: &'static str;

    /// The key within scope and kind, at most 2,048 bytes. Documents are listed in its order.
    fn key(&self) -> String;

    /// By what else [`Documents::find`](crate::Documents::find) finds it; written in the same commit.
    fn indexes(&self) -> Vec<Index> {
        Vec::new()
    }

    /// When [`work`](crate::work) looks at it next; `None` while there is nothing to do.
    fn due(&self) -> Option<Timestamp> {
        None
    }
}

/// One index row: under which value of which index a document is found, and where it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) sort: String,
}

impl Index {
    /// Found by `value` in the index `name`, in the order of its key.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), sort: String::new() }
    }

    /// In the order of `sort` first, then of its key.
    #[must_use]
    pub fn sorted(mut self, sort: impl Into<String>) -> Self {
        self.sort = sort.into();
        self
    }
}

/// A document as it was read, with the version that a later write checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    /// Rises with each write in the whole store; never used twice.
    pub version: u64,
    /// The document.
    pub value: T,
    pub(crate) position: String,
}

impl<T> Stored<T> {
    /// What [`Page::after`] takes to go on behind this document in the list that it came from.
    #[must_use]
    pub fn position(&self) -> &str {
        &self.position
    }
}

impl<T> Deref for Stored<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Smallest key first.
    #[default]
    Ascending,
    /// Greatest key first: newest first where keys sort by time.
    Descending,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Only keys (in `find`: sort keys) that begin with this.
    pub prefix: String,
    /// Only what follows this [`Stored::position`] in the list's order.
    pub after: Option<String>,
    /// The most documents to give, at most [`Page::MOST`].
    pub limit: usize,
    /// The direction.
    pub order: Order,
}

impl Page {
    /// The most documents that one read gives.
    pub const MOST: usize = 1_000;

    /// The first `limit` documents.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { prefix: String::new(), after: None, limit, order: Order::Ascending }
    }

    /// Behind `position`, which came from [`Stored::position`] of the same list.
    #[must_use]
    pub fn after(mut self, position: Option<String>) -> Self {
        self.after = position;
        self
    }

    /// Behind the place where a document with this sort key and key stands or stood in an index, for
    /// [`Documents::find`](crate::Documents::find).
    #[must_use]
    pub fn behind(self, sort: &str, key: &str) -> Self {
        self.after(Some(index_position(sort, key)))
    }

    /// Only keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Greatest first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.order = Order::Descending;
        self
    }
}

/// Where a document stands in an index: its sort key's length, its sort key, its key.
pub(crate) fn index_position(sort: &str, key: &str) -> String {
    format!("{}:{sort}{key}", sort.len())
}

impl Default for Page {
    /// The first [`Page::MOST`], ascending.
    fn default() -> Self {
        Self::first(Self::MOST)
    }
}
