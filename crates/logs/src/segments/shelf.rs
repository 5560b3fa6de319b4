//! Open streams, each once.

use super::followers::{Followers, Source};
use super::log::{StreamLog, Watch};
use super::stored::Stored;
use crate::model::Stream;
use kernel::removal::Removals;
use kernel::{Folders, Scope};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// So many streams that nobody uses stay open at most, those that were used last: each has one of the files that this
/// process may have open, and each build makes a stream that is never written again.
const IDLE_STREAMS: usize = 16;

/// The folder of all streams, and those that are open.
pub(crate) struct Shelf {
    root: PathBuf,
    open: Mutex<Open>,
    most_idle: usize,
    watch: Arc<Watch>,
}

/// The open streams by id.
#[derive(Default)]
struct Open {
    streams: HashMap<String, Entry>,
    /// How often any was asked for.
    uses: u64,
}

#[derive(Default)]
struct Entry {
    cell: Arc<OnceCell<Arc<StreamLog>>>,
    /// When it was last asked for, in uses.
    used: u64,
}

impl Entry {
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.cell) == 1 && self.cell.get().is_none_or(|log| Arc::strong_count(log) == 1)
    }
}

impl Open {
    fn cell(&mut self, id: &str, most_idle: usize) -> Arc<OnceCell<Arc<StreamLog>>> {
        self.uses += 1;
        let entry = self.streams.entry(id.to_owned()).or_default();
        entry.used = self.uses;
        let cell = Arc::clone(&entry.cell);
        self.close_idle(most_idle);
        cell
    }

    fn close_idle(&mut self, most: usize) {
        if self.streams.len() <= most {
            return;
        }
        let idle = self.streams.values().filter(|entry| entry.is_idle());
        let mut idle: Vec<u64> = idle.map(|entry| entry.used).collect();
        idle.sort_unstable_by(|one, other| other.cmp(one));
        if let Some(newest_closed) = idle.get(most) {
            self.streams.retain(|_, entry| entry.used > *newest_closed || !entry.is_idle());
        }
    }
}

impl Shelf {
    /// The streams of a data folder.
    pub(crate) fn new(data_dir: &Path) -> Self {
        let removals = Removals::in_folder(data_dir);
        let folders = Folders::below(data_dir);
        let watch = Watch { followers: Followers::default(), stored: Stored::default(), removals, folders };
        Self { root: data_dir.join("logs"), open: Mutex::default(), most_idle: most_idle(), watch: Arc::new(watch) }
    }

    /// Who is told of appends.
    pub(crate) fn followers(&self) -> &Followers {
        &self.watch.followers
    }

    /// The log of a stream. While somebody holds it, everybody gets the same one.
    pub(crate) async fn log(&self, scope: &Scope, stream: &Stream) -> io::Result<Arc<StreamLog>> {
        let Stream { group, id, name, .. } = stream;
        let source = Source { scope: scope.clone(), group: group.clone(), id: id.clone(), name: name.clone() };
        self.log_of(&source).await
    }

    /// The log of a stream that is known by its ids.
    pub(crate) async fn log_of(&self, source: &Source) -> io::Result<Arc<StreamLog>> {
        let folder = self.folder(&source.scope, &source.group).join(&source.id);
        let (cell, source, watch) = (self.cell(&source.id), source.clone(), Arc::clone(&self.watch));
        let open = || async {
            let opened = tokio::task::spawn_blocking(|| StreamLog::open(source, folder, watch));
            opened.await.map_err(io::Error::other)?.map(Arc::new)
        };
        cell.get_or_try_init(open).await.cloned()
    }

    /// How many bytes the streams of a group take up.
    pub(crate) async fn stored_bytes(&self, scope: &Scope, group: &str) -> io::Result<u64> {
        let (folder, group, watch) = (self.folder(scope, group), group.to_owned(), Arc::clone(&self.watch));
        let measured = tokio::task::spawn_blocking(move || watch.stored.bytes(&group, &folder));
        measured.await.map_err(io::Error::other)?
    }

    fn cell(&self, id: &str) -> Arc<OnceCell<Arc<StreamLog>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).cell(id, self.most_idle)
    }

    /// Closes a stream once nobody uses it any more.
    pub(crate) fn forget(&self, stream: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).streams.remove(stream);
    }

    /// Removes the files of a stream or, without one, of a whole group.
    pub(crate) async fn remove(&self, scope: &Scope, group: &str, stream: Option<&str>) -> io::Result<()> {
        let mut folder = self.folder(scope, group);
        if let Some(stream) = stream {
            self.forget(stream);
            folder.push(stream);
        }
        let removals = self.watch.removals.clone();
        let removed = tokio::task::spawn_blocking(move || removals.folder(&folder)).await;
        match stream {
            Some(_) => self.watch.stored.changed(group),
            None => {
                self.watch.folders.forget(&self.folder(scope, group));
                self.watch.stored.forget(group);
            }
        }
        removed.map_err(io::Error::other)?
    }

    fn folder(&self, scope: &Scope, group: &str) -> PathBuf {
        self.root.join(&scope.account).join(&scope.region).join(group)
    }
}

/// Few where few files may be open.
fn most_idle() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    files.map_or(IDLE_STREAMS, |files| usize::try_from(files / 8).unwrap_or(IDLE_STREAMS).clamp(1, IDLE_STREAMS))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use kernel::Timestamp;
    use std::collections::BTreeSet;

    #[tokio::test]
    async fn a_stream_is_open_once_and_idle_ones_are_closed() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        let scope = Scope::new("000000000000", "us-east-1");
        let stream = |n: usize| Stream {
            group: "g".into(),
            name: n.to_string(),
            id: n.to_string(),
            created: Timestamp::default(),
            last_event: None,
        };
        let held = shelf.log(&scope, &stream(0)).await.unwrap();
        for n in 1..100 {
            shelf.log(&scope, &stream(n)).await.unwrap();
        }
        let open =
            || shelf.open.lock().unwrap().streams.keys().map(|id| id.parse().unwrap()).collect::<BTreeSet<usize>>();
        // The held one, the newest and those before it.
        assert_eq!(open(), [0].into_iter().chain(99 - shelf.most_idle..100).collect());
        assert!(Arc::ptr_eq(&held, &shelf.log(&scope, &stream(0)).await.unwrap()));
    }
}
