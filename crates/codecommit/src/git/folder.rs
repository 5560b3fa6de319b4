//! Bare repositories on disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Git, GitError};

/// What a new repository's `HEAD` names until its first branch is pushed.
const FIRST_BRANCH: &str = "main";

/// A bare repository that keeps no reflog and lets anybody who may read it fetch any object.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n\tlogAllRefUpdates = false\n\
                      [uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n";

/// An archive holds all files: what a project marks `export-ignore` is meant for its own releases.
const ATTRIBUTES: &str = "* -export-ignore -export-subst\n";

impl Git {
    /// The repository's folder, made if it is not there yet. Whole or not there at all, also after a crash.
    pub(crate) async fn ensure(&self, id: &str) -> Result<PathBuf, GitError> {
        let folder = self.folder(id);
        if tokio::fs::try_exists(&folder).await? {
            return Ok(folder);
        }
        let (root, temporary, home) = (self.root.to_path_buf(), self.temporary(), self.home());
        let made = folder.clone();
        let make = move || -> io::Result<()> {
            fs::create_dir_all(&home)?;
            make(&root, &temporary.join(unique()), &made)
        };
        tokio::task::spawn_blocking(make).await.map_err(io::Error::other)??;
        Ok(folder)
    }

    /// Lets `HEAD` name the default branch, for clones.
    pub(crate) async fn set_head(&self, id: &str, branch: &str) -> Result<(), GitError> {
        let folder = self.ensure(id).await?;
        let content = format!("ref: {}{branch}\n", crate::model::HEADS);
        let beside = self.temporary();
        let write = move || -> io::Result<()> {
            let head = folder.join("HEAD");
            if fs::read_to_string(&head)? == content {
                return Ok(());
            }
            // Not in the repository: there nobody would find what a crash has left.
            fs::create_dir_all(&beside)?;
            let temporary = beside.join(format!("HEAD.{}", unique()));
            write(&temporary, &content)?;
            kernel::crash_point!("codecommit_before_head");
            fs::rename(&temporary, &head)?;
            File::open(&folder)?.sync_all()
        };
        Ok(tokio::task::spawn_blocking(write).await.map_err(io::Error::other)??)
    }

    /// Removes the repository's folder; one that is gone is no error.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), GitError> {
        let (folder, removals) = (self.folder(id), self.removals().clone());
        Ok(tokio::task::spawn_blocking(move || removals.folder(&folder)).await.map_err(io::Error::other)??)
    }

    /// Removes what a crash left behind of working copies and folders in the making. Only before anything is served.
    pub(crate) fn clear_temporary(&self) {
        match fs::remove_dir_all(self.temporary()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "cannot clear what the last run left behind");
            }
            _ => {}
        }
    }

    /// A new, empty folder for a working copy.
    pub(crate) async fn temporary_folder(&self) -> Result<PathBuf, GitError> {
        let folder = self.temporary().join(unique());
        tokio::fs::create_dir_all(&folder).await?;
        tokio::fs::create_dir_all(self.home()).await?;
        Ok(folder)
    }
}

/// A name that nobody else in this process uses: these folders do not outlive it.
fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Makes the repository beside its place and renames it there; if somebody else was faster, theirs stays.
fn make(root: &Path, temporary: &Path, folder: &Path) -> io::Result<()> {
    for part in ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"] {
        fs::create_dir_all(temporary.join(part))?;
    }
    write(&temporary.join("HEAD"), &format!("ref: refs/heads/{FIRST_BRANCH}\n"))?;
    write(&temporary.join("config"), CONFIG)?;
    write(&temporary.join("info/attributes"), ATTRIBUTES)?;
    kernel::crash_point!("codecommit_before_folder");
    match fs::rename(temporary, folder) {
        Err(_) if folder.exists() => fs::remove_dir_all(temporary),
        Err(error) => Err(error),
        Ok(()) => File::open(root)?.sync_all(),
    }
}

fn write(file: &Path, content: &str) -> io::Result<()> {
    let mut file = File::create(file)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}
