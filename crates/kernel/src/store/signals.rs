//! Wake-ups within the process, sent after a commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

/// Who waits for what: a worker for due documents of its kind, consumers for new events.
pub(crate) struct Signals {
    kinds: Mutex<HashMap<String, Arc<Notify>>>,
    events: watch::Sender<i64>,
}

impl Signals {
    pub(super) fn new(last_event: i64) -> Self {
        Self { kinds: Mutex::default(), events: watch::Sender::new(last_event) }
    }

    /// The bell of the worker of `kind`: rung once, it is heard by whoever listens next.
    pub(crate) fn kind(&self, kind: &str) -> Arc<Notify> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kinds.entry(kind.to_owned()).or_default())
    }

    /// The number of the newest event.
    pub(crate) fn events(&self) -> watch::Receiver<i64> {
        self.events.subscribe()
    }

    pub(crate) fn event_written(&self, sequence: i64) {
        self.events.send_if_modified(|last| {
            let newer = sequence > *last;
            *last = sequence.max(*last);
            newer
        });
    }
}
