//! The one store: SQLite in the data folder, one writing thread, a few reading ones.
//!
//! All waiting commits go into one transaction, a savepoint each, with one fsync for all: what is
//! acknowledged is on disk. Claims and renewals of leases write no fsync of their own, since a restart
//! voids all leases anyway.
//!
//! A sync that fails ends the store: Linux forgets which pages it could not write, and a second sync of the same file
//! succeeds without them (`log`).

mod batch;
mod error;
mod lease;
mod lock;
mod log;
mod migrations;
mod reader;
mod recent;
mod references;
mod schema;
mod signals;
mod snapshot;
mod writer;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

pub use error::{CommitError, OpenError, StoreError};
pub use migrations::FORMAT;
pub use snapshot::{DATABASE, Snapshot, snapshot};

pub(crate) use batch::{Address, Operation, Put, apply};
pub(crate) use lease::{Claim, Claimed, Released, claim, release, renew, wake, written_after};
pub(crate) use recent::{Known, Recent, Turn, stored};
pub(crate) use references::{add_rows, unreferenced};
pub(crate) use schema::key_upper_bound;
pub(crate) use signals::Signals;
pub(crate) use writer::Durability;

use crate::{Bus, Clock, Documents};

/// The largest document, as JSON, in bytes.
pub const LARGEST_DOCUMENT: usize = 64 * 1024;

/// How many threads read.
const READERS: usize = 3;

/// How many look-ups run at once where they are asked for; further ones go to the reading threads.
const LOOKUPS: usize = 4;

/// An open data folder. Ends its threads when the last handle is dropped.
pub struct Store {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    owner: String,
    signals: Arc<Signals>,
    recent: Arc<Recent>,
    writer: writer::Writer,
    readers: reader::Readers,
    lookups: reader::Lookups,
    disk: Arc<writer::Disk>,
    _lock: lock::FolderLock,
}

impl Store {
    /// Opens the store in `dir`, makes folder (its owner's alone) and file where they are missing, and holds the lock
    /// until dropped. Leases left by an earlier process are void from here on.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OpenError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|source| OpenError::Folder { dir: dir.to_owned(), source })?;
        let lock = lock::FolderLock::take(dir)?;
        let file = dir.join(DATABASE);
        let connection = schema::open_for_writing(dir, &file)?;
        let signals = Arc::new(Signals::new(schema::last_event(&connection)?));
        let version = schema::last_version(&connection)?;
        let connections = |count| (0..count).map(|_| schema::open_for_reading(&file)).collect::<Result<Vec<_>, _>>();
        let (readers, lookups) = (connections(READERS)?, connections(LOOKUPS)?);
        let (disk, recent) = (Arc::<writer::Disk>::default(), Arc::new(Recent::default()));
        recent.listen(&connection).map_err(StoreError::from)?;
        let shared = (Arc::clone(&signals), Arc::clone(&recent), Arc::clone(&disk));
        let started = writer::Writer::start(connection, dir, version, shared);
        Ok(Arc::new(Self {
            dir: dir.to_owned(),
            clock,
            owner: uuid::Uuid::new_v4().to_string(),
            writer: started.map_err(OpenError::Thread)?,
            readers: reader::Readers::start(readers).map_err(OpenError::Thread)?,
            lookups: reader::Lookups::new(lookups),
            signals,
            recent,
            disk,
            _lock: lock,
        }))
    }

    /// The handle of one service: it refuses other services' kinds of documents.
    #[must_use]
    pub fn service(self: &Arc<Self>, service: &str) -> Documents {
        Documents::new(Arc::clone(self), service)
    }

    /// All events of all services.
    #[must_use]
    pub fn bus(self: &Arc<Self>) -> Bus {
        Bus::new(Arc::clone(self))
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The clock that the store was opened with.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Why nothing is written any more, once a sync has failed (see [`StoreError::Unsynced`]). Only opening the store again
    /// mends that, in a new process.
    #[must_use]
    pub fn failure(&self) -> Option<StoreError> {
        self.disk.failure.get().cloned()
    }

    /// Resolves when [`Store::failure`] has something to say.
    pub async fn failed(&self) -> StoreError {
        self.disk.failure.wait().await.clone()
    }

    /// Resolves when something could not be written for want of room, also where there is room again since.
    pub async fn was_full(&self) {
        self.disk.was_full.wait().await;
    }

    /// This process's name as an owner of leases.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    pub(crate) fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }

    /// What was read lately.
    pub(crate) fn recent(&self) -> &Arc<Recent> {
        &self.recent
    }

    /// Runs a query of some microseconds, by keys alone, in place. Sees every commit acknowledged before the call.
    pub(crate) async fn look_up<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        match self.lookups.run(query) {
            Ok(found) => found,
            Err(query) => self.readers.run(query).await,
        }
    }

    /// Runs `query` on a reading connection. Sees every commit acknowledged before the call.
    pub(crate) async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.readers.run(query).await
    }

    /// Runs `change` in the writing thread within a savepoint; resolves once it is committed. `signal` runs
    /// in that thread after the commit, also when the caller stopped waiting.
    pub(crate) async fn write<T, E, F, S>(&self, durability: Durability, change: F, signal: S) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection, u64) -> Result<T, E> + Send + 'static,
        S: FnOnce(&T, &Signals) + Send + 'static,
    {
        self.writer.run(durability, change, signal).await
    }
}
