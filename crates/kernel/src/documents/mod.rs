//! One service's handle to its documents.

mod batch;
mod query;

use std::sync::Arc;

pub use batch::Batch;

use crate::store::{Address, Recent, Turn, apply};
use crate::{Bus, CommitError, Document, Page, Scope, Store, StoreError, Stored};

/// How often [`Documents::update`] tries again when somebody else wrote in between.
const UPDATE_ATTEMPTS: usize = 16;

/// A page of at most so many documents is read in place: that takes less time than to hand it to a thread and back.
const SHORT_PAGE: usize = 32;

/// The documents of one service. Cheap to clone.
#[derive(Clone)]
pub struct Documents {
    store: Arc<Store>,
    service: Arc<str>,
}

impl Documents {
    pub(crate) fn new(store: Arc<Store>, service: &str) -> Self {
        Self { store, service: service.into() }
    }

    /// All events of all services.
    #[must_use]
    pub fn bus(&self) -> Bus {
        self.store.bus()
    }

    /// The service that this is the handle of.
    pub(crate) fn name(&self) -> &str {
        &self.service
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Refuses other services' kinds. The kernel's own (`kernel.…`) belong to every service.
    pub(crate) fn own<T: Document>(&self) -> Result<(), StoreError> {
        self.own_kind(T::KIND)
    }

    fn own_kind(&self, kind: &str) -> Result<(), StoreError> {
        match kind.split_once('.') {
            Some((service, _)) if service == &*self.service || service == "kernel" => Ok(()),
            _ => Err(StoreError::ForeignKind { service: self.service.to_string(), kind: kind.to_owned() }),
        }
    }

    /// The document under `key`.
    pub async fn get<T: Document>(&self, scope: &Scope, key: &str) -> Result<Option<Stored<T>>, StoreError> {
        self.own::<T>()?;
        let address = Address { scope: scope.clone(), kind: T::KIND, key: key.to_owned() };
        let turn = match self.store.recent().find(&address) {
            Ok(found) => return Ok(Some(found)),
            Err(turn) => turn,
        };
        let get = move |connection: &_| query::get(connection, T::KIND, &address.scope, &address.key);
        let row = self.store.look_up(get).await?;
        row.map(|row| self.read(scope, turn, row)).transpose()
    }

    /// The documents under `keys`, in their order, `None` where there is none.
    pub async fn get_many<T: Document>(
        &self,
        scope: &Scope,
        keys: &[impl AsRef<str> + Sync],
    ) -> Result<Vec<Option<Stored<T>>>, StoreError> {
        self.own::<T>()?;
        if keys.len() <= SHORT_PAGE {
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                found.push(self.get(scope, key.as_ref()).await?);
            }
            return Ok(found);
        }
        let scope = scope.clone();
        let keys: Vec<String> = keys.iter().map(|key| key.as_ref().to_owned()).collect();
        let get_all = move |connection: &rusqlite::Connection| {
            keys.iter().map(|key| query::get(connection, T::KIND, &scope, key)).collect::<Result<Vec<_>, _>>()
        };
        let rows = self.store.read(get_all).await?;
        rows.into_iter().map(|row| row.map(query::decode).transpose()).collect()
    }

    /// The documents of a scope in the order of their keys.
    pub async fn list<T: Document>(&self, scope: &Scope, page: Page) -> Result<Vec<Stored<T>>, StoreError> {
        self.own::<T>()?;
        let of = scope.clone();
        let list = move |connection: &_, page: &Page, recent: &_| query::list(connection, T::KIND, &of, page, recent);
        self.page(scope, page, list).await
    }

    /// The documents with `value` in `index`, in the order of their sort keys, then keys.
    pub async fn find<T: Document>(
        &self,
        scope: &Scope,
        index: &str,
        value: &str,
        page: Page,
    ) -> Result<Vec<Stored<T>>, StoreError> {
        self.own::<T>()?;
        let (of, index, value) = (scope.clone(), index.to_owned(), value.to_owned());
        let find = move |connection: &_, page: &Page, recent: &_| {
            query::find(connection, T::KIND, &of, (&index, &value), page, recent)
        };
        self.page(scope, page, find).await
    }

    /// Reads a page: where the asker is if it is short, which most are; a long one in a reading thread.
    async fn page<T, F>(&self, scope: &Scope, page: Page, query: F) -> Result<Vec<Stored<T>>, StoreError>
    where
        T: Document,
        F: Fn(&rusqlite::Connection, &Page, &Recent) -> Result<Vec<query::Raw>, StoreError> + Clone + Send + 'static,
    {
        let short = Page { limit: page.limit.min(SHORT_PAGE + 1), ..page.clone() };
        let (in_place, recent) = (query.clone(), Arc::clone(self.store.recent()));
        let turn = recent.turn();
        let rows = self.store.look_up(move |connection| in_place(connection, &short, &recent)).await?;
        if rows.len() <= SHORT_PAGE {
            return rows.into_iter().map(|row| self.read(scope, turn, row)).collect();
        }
        let recent = Arc::clone(self.store.recent());
        let rows = self.store.read(move |connection| query(connection, &page, &recent)).await?;
        // So many would drive out what is asked for again and again.
        rows.into_iter().map(query::decode).collect()
    }

    /// The document of a row that was read at `turn`, kept for the next one who asks.
    fn read<T: Document>(&self, scope: &Scope, turn: Turn, row: query::Raw) -> Result<Stored<T>, StoreError> {
        let Some((id, bytes)) = row.unknown() else { return query::decode(row) };
        let address = Address { scope: scope.clone(), kind: T::KIND, key: row.key.clone() };
        let found = query::decode::<T>(row)?;
        // Where it stands in this list is another matter.
        let kept = Stored { version: found.version, value: found.value.clone(), position: address.key.clone() };
        self.store.recent().keep(turn, (id, bytes), address, kept);
        Ok(found)
    }

    /// The scopes that have documents of this kind: for reconcilers that look over all of them.
    pub async fn scopes<T: Document>(&self) -> Result<Vec<Scope>, StoreError> {
        self.own::<T>()?;
        self.store.read(|connection| query::scopes(connection, T::KIND)).await
    }

    /// Makes all operations of `batch`, on disk, or none.
    pub async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        self.commit_versioned(batch).await.map(|_| ())
    }

    async fn commit_versioned(&self, batch: Batch) -> Result<u64, CommitError> {
        let durability = batch.durability();
        let operations = batch.into_operations(|kind| self.own_kind(kind))?;
        for operation in &operations {
            tracing::trace!(?durability, kind = operation.kind(), "commit");
        }
        let changes = self
            .store
            .write(
                durability,
                move |connection, version| apply(connection, version, &operations),
                |changes, signals| changes.signal(signals),
            )
            .await?;
        Ok(changes.version)
    }

    /// Commits one new document.
    pub async fn insert<T: Document>(&self, scope: &Scope, value: T) -> Result<Stored<T>, CommitError> {
        let version = self.commit_versioned(Batch::new(scope).insert(&value)).await?;
        Ok(Stored { version, position: value.key(), value })
    }

    /// Commits one changed document; gives it back with its new version.
    pub async fn replace<T: Document>(&self, scope: &Scope, mut stored: Stored<T>) -> Result<Stored<T>, CommitError> {
        stored.version = self.commit_versioned(Batch::new(scope).replace(&stored)).await?;
        Ok(stored)
    }

    /// [`Documents::replace`], on disk with the next commit: see [`Batch::lax`].
    pub async fn replace_lax<T: Document>(
        &self,
        scope: &Scope,
        mut stored: Stored<T>,
    ) -> Result<Stored<T>, CommitError> {
        stored.version = self.commit_versioned(Batch::new(scope).replace(&stored).lax()).await?;
        Ok(stored)
    }

    /// Commits the removal of one document.
    pub async fn remove<T: Document>(&self, scope: &Scope, stored: &Stored<T>) -> Result<(), CommitError> {
        self.commit(Batch::new(scope).remove(stored)).await
    }

    /// Reads the document, changes it and writes it back, again while others write in between. `change` may
    /// so run several times. `None` when there is no such document; `change` is not called then.
    pub async fn update<T: Document>(
        &self,
        scope: &Scope,
        key: &str,
        mut change: impl FnMut(&mut T) + Send,
    ) -> Result<Option<Stored<T>>, CommitError> {
        let mut attempt = 0;
        loop {
            let Some(mut stored) = self.get::<T>(scope, key).await? else { return Ok(None) };
            change(&mut stored.value);
            attempt += 1;
            match self.replace(scope, stored).await {
                Err(CommitError::Conflict { .. }) if attempt < UPDATE_ATTEMPTS => {}
                other => return other.map(Some),
            }
        }
    }
}
