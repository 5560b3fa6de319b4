//! The writing thread: all waiting changes in one transaction, one fsync.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::{SetOnce, mpsc, oneshot};

use super::log::is_unsynced;
use super::{Recent, Signals, StoreError};

/// What has happened to the disk.
#[derive(Default)]
pub(super) struct Disk {
    /// Why the thread writes nothing any more, once it does not.
    pub(super) failure: SetOnce<StoreError>,
    /// A change could not be written because the disk was full; that may have passed since.
    pub(super) was_full: SetOnce<()>,
}

/// The most changes in one transaction.
const GROUP: usize = 512;

/// The most changes that wait; further callers wait to be let in.
const QUEUE: usize = 4_096;

/// Whether a change must be on disk before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// On disk before the answer.
    Full,
    /// Visible at once, on disk with the next full one: for what a restart voids anyway.
    Lax,
}

/// A change on its way: applied, then told the fate of its transaction.
trait Change: Send {
    fn durability(&self) -> Durability;
    /// Applies it; false asks to undo what it wrote.
    fn apply(&mut self, connection: &Connection, version: u64) -> bool;
    fn finish(self: Box<Self>, committed: Result<(), StoreError>, signals: &Signals);
}

struct Call<T, E, F, S> {
    durability: Durability,
    change: Option<F>,
    signal: S,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F, S> Change for Call<T, E, F, S>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnOnce(&Connection, u64) -> Result<T, E> + Send,
    S: FnOnce(&T, &Signals) + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn apply(&mut self, connection: &Connection, version: u64) -> bool {
        self.outcome = self.change.take().map(|change| change(connection, version));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>, signals: &Signals) {
        let outcome = match (self.outcome, committed) {
            // What refused it may have been another change of the same transaction, which was not made.
            (_, Err(error)) => Err(error.into()),
            (Some(Err(refused)), Ok(())) => Err(refused),
            (Some(Ok(value)), Ok(())) => {
                (self.signal)(&value, signals);
                Ok(value)
            }
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        // The caller may be gone; the change is made all the same.
        let _ = self.reply.send(outcome);
    }
}

/// The queue into the writing thread.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Change>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread; `version` is the greatest version in use.
    pub(super) fn start(
        connection: Connection,
        dir: &Path,
        version: u64,
        (signals, recent, disk): (Arc<Signals>, Arc<Recent>, Arc<Disk>),
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let dir = dir.to_owned();
        let mut thread = Thread { connection, dir, version, signals, recent, disk, durability: Durability::Full };
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || thread.serve(receiver))?;
        Ok(Self { queue: Some(sender), thread: Some(thread) })
    }

    pub(super) async fn run<T, E, F, S>(&self, durability: Durability, change: F, signal: S) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection, u64) -> Result<T, E> + Send + 'static,
        S: FnOnce(&T, &Signals) + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Call { durability, change: Some(change), signal, outcome: None, reply };
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(Box::new(call)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    /// Lets the thread finish what waits, so that the database is closed when the folder's lock is freed.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by its own hook.
            let _ = thread.join();
        }
    }
}

struct Thread {
    connection: Connection,
    dir: PathBuf,
    version: u64,
    signals: Arc<Signals>,
    recent: Arc<Recent>,
    disk: Arc<Disk>,
    durability: Durability,
}

impl Thread {
    fn serve(&mut self, mut queue: mpsc::Receiver<Box<dyn Change>>) {
        while let Some(first) = queue.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = queue.try_recv()
            {
                group.push(next);
            }
            self.recent.begin();
            let committed = self.commit(&mut group);
            self.recent.end();
            if let Err(error) = &committed {
                self.tell(error, group.len());
            }
            for change in group {
                change.finish(committed.clone(), &self.signals);
            }
        }
    }

    fn tell(&self, error: &StoreError, changes: usize) {
        let folder = self.dir.display();
        if error.is_full() {
            tracing::error!(changes, "the disk of {folder} is full: nothing is written until there is room");
            // Told before.
            let _ = self.disk.was_full.set(());
        } else {
            tracing::error!(%error, changes, %folder, "a group of commits failed");
        }
    }

    fn commit(&mut self, group: &mut [Box<dyn Change>]) -> Result<(), StoreError> {
        if let Some(failure) = self.disk.failure.get() {
            return Err(failure.clone());
        }
        let committed = self.transact(group);
        if let Err(error) = &committed
            && is_unsynced(error)
        {
            return Err(self.end(error));
        }
        if committed.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        committed
    }

    /// Writes nothing from here on, and leaves the log as it is for whoever opens the store next.
    fn end(&mut self, error: &StoreError) -> StoreError {
        let failure = StoreError::Unsynced { dir: self.dir.clone(), reason: error.to_string() };
        if let Err(error) = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
            tracing::error!(%error, "the log of the store cannot be left as it is");
        }
        // Nothing else sets it.
        let _ = self.disk.failure.set(failure.clone());
        failure
    }

    fn transact(&mut self, group: &mut [Box<dyn Change>]) -> Result<(), StoreError> {
        let changes = group.len();
        let full = group.iter().any(|change| change.durability() == Durability::Full);
        self.set_durability(if full { Durability::Full } else { Durability::Lax })?;
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        for change in group {
            self.version += 1;
            self.connection.prepare_cached("SAVEPOINT one")?.execute([])?;
            if !change.apply(&self.connection, self.version) {
                self.connection.prepare_cached("ROLLBACK TO one")?.execute([])?;
            }
            self.connection.prepare_cached("RELEASE one")?.execute([])?;
        }
        crate::crash_point!("store_before_commit");
        self.connection.execute_batch("COMMIT")?;
        crate::crash_point!("store_after_commit");
        if full {
            // What benchmarks count.
            tracing::trace!(changes, "synced");
        }
        Ok(())
    }

    /// In WAL mode NORMAL leaves out the fsync at commit; a later FULL commit covers what came before it.
    fn set_durability(&mut self, durability: Durability) -> Result<(), StoreError> {
        if durability != self.durability {
            let level = if durability == Durability::Full { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.durability = durability;
        }
        Ok(())
    }
}
