//! The service and what it is made of.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use kernel::{Clock, Documents, Ids};

use crate::git::Git;
use crate::run::Maintaining;

/// What the service needs from outside.
pub struct Dependencies {
    /// The documents of `codecommit`.
    pub documents: Documents,
    /// The data folder; repositories lie in its folder `git`.
    pub data_dir: PathBuf,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers.
    pub ids: Arc<dyn Ids>,
    /// Allows or denies `codecommit:GitPull` and `codecommit:GitPush`.
    pub guard: aws::Guard,
    /// The base of clone addresses, without a slash at the end: `http://127.0.0.1:4566`.
    pub public_url: String,
}

/// AWS CodeCommit. Clones share everything.
#[derive(Clone)]
pub struct Service {
    pub(crate) documents: Documents,
    pub(crate) git: Git,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) guard: aws::Guard,
    pub(crate) public_url: String,
    pub(crate) pushing: Pushing,
    pub(crate) maintaining: Maintaining,
}

impl Service {
    /// The service on `dependencies`, once per data folder. [`Service::run`] must run beside it.
    pub fn new(dependencies: Dependencies) -> Arc<Self> {
        let Dependencies { documents, data_dir, clock, ids, guard, public_url } = dependencies;
        let git = Git::in_folder(&data_dir);
        git.clear_temporary();
        Arc::new(Self {
            documents,
            git,
            clock,
            ids,
            guard,
            public_url,
            pushing: Pushing::default(),
            maintaining: Maintaining::default(),
        })
    }
}

/// The pushes that this process serves right now, by their documents' keys: nobody else settles them meanwhile.
#[derive(Default, Clone)]
pub(crate) struct Pushing(Arc<Mutex<HashSet<String>>>);

impl Pushing {
    /// Notes the push until the guard is dropped.
    pub(crate) fn begin(&self, key: String) -> InProgress {
        self.set(|keys| keys.insert(key.clone()));
        InProgress { pushing: self.clone(), key }
    }

    /// Whether the push is being served.
    pub(crate) fn holds(&self, key: &str) -> bool {
        self.set(|keys| keys.contains(key))
    }

    fn set<T>(&self, act: impl FnOnce(&mut HashSet<String>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A push that is being served.
pub(crate) struct InProgress {
    pushing: Pushing,
    key: String,
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.pushing.set(|keys| keys.remove(&self.key));
    }
}
