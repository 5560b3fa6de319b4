//! The server's services in the process of another command: the same wiring, and no port. Only what runs in its
//! containers reaches its listener, through their sockets.

use super::services::Wiring;
use super::{Inside, Options, descriptors, drain, explain, open_to_us_alone, tls};
use crate::exit::user_error;
use crate::listener::{BrowserGuard, Endpoints, Listener};
use aws::internal::codecommit::Sources;
use kernel::{Stop, Store, SystemClock, SystemIds};
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Where builds reach these services; nobody else does.
const ENDPOINT: &str = "http://127.0.0.1:4566";

/// Running services.
pub(crate) struct InProcess {
    pub(crate) services: Inside,
    store: Arc<Store>,
    stop: Stop,
    tasks: JoinSet<()>,
}

impl InProcess {
    /// Opens the data folder that `options` name and starts everything on it; builds check `folders` out where their
    /// source is CodeCommit. Images are kept in `cache`, which runs share.
    ///
    /// # Errors
    /// The folder cannot be opened, or the engine cannot run here: sentences that say what to do.
    pub(crate) async fn start(
        options: &Options,
        cache: &Path,
        folders: Option<Arc<dyn Sources>>,
    ) -> anyhow::Result<Self> {
        descriptors::take_all();
        open_to_us_alone(&options.data_dir)?;
        let stop = Stop::new();
        let store = Store::open(&options.data_dir, Arc::new(SystemClock)).map_err(explain)?;
        let (guard, endpoints) = (BrowserGuard::new(true, None), Endpoints::new(None));
        let listener = Listener::new(guard, endpoints, tls::inside(options), Arc::new(SystemIds), stop.clone());
        let mut tasks = JoinSet::new();
        let wiring = Wiring {
            options,
            public_url: ENDPOINT,
            store: &store,
            listener: &listener,
            stop: &stop,
            tasks: &mut tasks,
            collectors: Vec::new(),
            folders,
            cache: Some(cache.to_owned()),
        };
        let services = wiring.services().await?;
        let inside = services.inside.clone();
        listener.open(services);
        Ok(Self { services: inside, store, stop, tasks })
    }

    /// Resolves when a reconciler has ended, which it does only by a fault of ours, or when the disk takes nothing any more.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        tokio::select! {
            Some(ended) = self.tasks.join_next() => anyhow::anyhow!("a part of the server ended by itself: {ended:?}"),
            failure = self.store.failed() => user_error(failure.to_string()),
            // A server waits until somebody makes room. Here somebody waits for us.
            () = self.store.was_full() => user_error(format!(
                "the disk of {} is full; make room, or let XDG_CACHE_HOME name a folder on another disk",
                self.store.dir().display()
            )),
        }
    }

    /// Stops everything and waits for it.
    pub(crate) async fn end(self) {
        self.stop.trigger();
        drain(self.tasks).await;
    }
}
