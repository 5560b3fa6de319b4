//! The reading threads, and the connections of look-ups.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::StoreError;

type Query = Box<dyn FnOnce(&Connection) + Send>;

/// A few threads that take turns at one queue of queries, each with its own connection.
pub(super) struct Readers(Sender<Query>);

impl Readers {
    pub(super) fn start(connections: Vec<Connection>) -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for connection in connections {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new().name("store-reader".to_owned()).spawn(move || serve(&connection, &receiver))?;
        }
        Ok(Self(sender))
    }

    pub(super) async fn run<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let query: Query = Box::new(move |connection| {
            // The asker may be gone; nobody misses the answer then.
            let _ = reply.send(query(connection));
        });
        self.0.send(query).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

fn serve(connection: &Connection, queue: &Mutex<Receiver<Query>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(query) => query(connection),
            Err(_) => return,
        }
    }
}

/// Connections for queries of some microseconds, which run where they are asked for: to hand them to a thread and
/// its answer back costs several times what they do.
pub(super) struct Lookups(Mutex<Vec<Connection>>);

impl Lookups {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        Self(Mutex::new(connections))
    }

    /// Runs the query here and now; gives it back if all connections are in use.
    pub(super) fn run<T, F: FnOnce(&Connection) -> T>(&self, query: F) -> Result<T, F> {
        let Some(connection) = self.idle().pop() else { return Err(query) };
        let found = query(&connection);
        self.idle().push(connection);
        Ok(found)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_without_an_idle_connection_is_given_back() {
        let lookups = Lookups::new(vec![Connection::open_in_memory().unwrap()]);
        let (outer, inner) = lookups.run(|_| (1, lookups.run(|_| 2).is_err())).unwrap_or_default();
        assert_eq!((outer, inner), (1, true));
        assert_eq!(lookups.run(|_| 3).ok(), Some(3));
    }
}
