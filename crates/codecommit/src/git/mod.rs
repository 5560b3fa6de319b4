//! The `git` program and the folders it works on.

mod command;
mod folder;
mod objects;
mod packing;
mod references;
mod working_copy;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel::removal::Removals;
use tokio::sync::Semaphore;

pub(crate) use command::GitError;
pub(crate) use objects::{Found, ObjectReader};
pub(crate) use packing::Unpacked;
pub(crate) use working_copy::{archive, check_out};

/// The most `git` processes that serve at once; further requests wait.
const PROCESSES: usize = 48;

/// All repositories' folders: `DIR/git`.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    root: Arc<Path>,
    removals: Removals,
    /// What serves requests takes one each.
    pub(crate) processes: Arc<Semaphore>,
}

impl Git {
    /// The folders in `data_dir`. Nothing is made before it is needed.
    pub(crate) fn in_folder(data_dir: &Path) -> Self {
        let (root, removals) = (data_dir.join("git").into(), Removals::in_folder(data_dir));
        Self { root, removals, processes: Arc::new(Semaphore::new(PROCESSES)) }
    }

    /// How folders are removed and objects moved.
    pub(crate) fn removals(&self) -> &Removals {
        &self.removals
    }

    /// The bare repository with this id.
    pub(crate) fn folder(&self, id: &str) -> PathBuf {
        self.root.join(format!("{id}.git"))
    }

    /// For working copies on their way out and folders that are being made. Lost at a crash.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("new")
    }

    /// An empty home, so that nobody's settings are found.
    fn home(&self) -> PathBuf {
        self.root.join("home")
    }
}
