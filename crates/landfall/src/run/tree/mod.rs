//! The files of a folder, as a build gets them: listed once, then streamed.

mod git;
mod pack;
mod walk;

pub(crate) use git::{Checkout, Repository};
pub(crate) use pack::{tar, zip};

use crate::exit::user_error;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The most entries and bytes of a source: what the agent unpacks at most.
const MOST_ENTRIES: usize = 2_000_000;
const MOST_BYTES: u64 = 64 << 30;

/// The files of a folder.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) entries: Vec<Entry>,
    /// Links that lead out of the folder, and what is neither file, folder nor link: builds do not get them.
    pub(crate) left_out: Vec<PathBuf>,
    /// The size of all files, in bytes.
    pub(crate) bytes: u64,
}

/// One file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path below the root.
    pub(crate) name: PathBuf,
    pub(crate) kind: Kind,
    /// The permission bits.
    pub(crate) mode: u32,
    /// The last change, in seconds since the epoch.
    pub(crate) modified: u64,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File { size: u64 },
    Link { target: PathBuf },
}

/// Which files are taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    /// Also those that Git ignores.
    pub(crate) include_ignored: bool,
    /// Not the `.git` folder.
    pub(crate) without_history: bool,
    /// Folders that are never taken: what earlier runs have made.
    pub(crate) without: Vec<PathBuf>,
}

impl Choice {
    /// Whether a path is not taken, nor what is below it.
    fn leaves_out(&self, path: &Path) -> bool {
        self.without_history && path.file_name().is_some_and(|name| name == ".git")
            || self.without.iter().any(|without| path.starts_with(without))
    }
}

impl Tree {
    /// Lists a folder. In a working tree of Git what it ignores is left out, unless all is wanted; its `.git` folder
    /// is taken, so that `git describe` works. Blocks.
    ///
    /// # Errors
    /// The user's: a folder that cannot be read, or that is larger than a build can be given.
    pub(crate) fn list(root: &Path, choice: &Choice) -> anyhow::Result<Self> {
        let root = root.canonicalize().map_err(|error| unreadable(root, &error))?;
        let mut tree = Self { root, ..Self::default() };
        let top = tree.root.clone();
        tree.add_folder(&top, choice)?;
        tree.entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        tree.entries.dedup_by(|one, other| one.name == other.name);
        Ok(tree)
    }

    /// How many files there are, and their bytes; without Git's own.
    pub(crate) fn measure(&self) -> (usize, u64) {
        let own = self.entries.iter().filter(|entry| !entry.name.starts_with(".git"));
        own.fold((0, 0), |(count, bytes), entry| match entry.kind {
            Kind::Folder => (count, bytes),
            Kind::File { size } => (count + 1, bytes + size),
            Kind::Link { .. } => (count + 1, bytes),
        })
    }

    fn add_folder(&mut self, folder: &Path, choice: &Choice) -> anyhow::Result<()> {
        let repository = if choice.include_ignored { None } else { Repository::of(folder)? };
        let history = folder.join(".git");
        let Some(repository) = repository else { return walk::walk(self, folder, choice) };
        for path in repository.files()? {
            // A submodule, or a repository inside of the repository: one name for all of it.
            match path.symlink_metadata() {
                Ok(metadata) if metadata.is_dir() => self.add_folder(&path, choice)?,
                Ok(metadata) => self.add(&path, &metadata, choice)?,
                Err(error) if gone(&error) => {}
                Err(error) => return Err(unreadable(&path, &error)),
            }
        }
        if history.is_dir() && !choice.without_history { walk::walk(self, &history, choice) } else { Ok(()) }
    }

    /// Adds what is at `path`, if builds can be given it.
    fn add(&mut self, path: &Path, metadata: &Metadata, choice: &Choice) -> anyhow::Result<()> {
        let Ok(name) = path.strip_prefix(&self.root) else { return Ok(()) };
        if name.as_os_str().is_empty() || choice.leaves_out(path) {
            return Ok(());
        }
        let Some(kind) = kind(path, name, metadata).map_err(|error| unreadable(path, &error))? else {
            self.left_out.push(name.to_owned());
            return Ok(());
        };
        if let Kind::File { size } = kind {
            self.bytes += size;
        }
        let modified = u64::try_from(metadata.mtime()).unwrap_or(0);
        self.entries.push(Entry { name: name.to_owned(), kind, mode: metadata.mode() & 0o777, modified });
        if self.entries.len() > MOST_ENTRIES || self.bytes > MOST_BYTES {
            return Err(user_error(format!(
                "{} has more than {MOST_ENTRIES} files or {} GiB, more than a build is given: let .gitignore name what \
                 it does not need",
                self.root.display(),
                MOST_BYTES >> 30
            )));
        }
        Ok(())
    }
}

fn kind(path: &Path, name: &Path, metadata: &Metadata) -> io::Result<Option<Kind>> {
    if metadata.is_dir() {
        return Ok(Some(Kind::Folder));
    }
    if metadata.is_file() {
        return Ok(Some(Kind::File { size: metadata.len() }));
    }
    if !metadata.is_symlink() {
        return Ok(None);
    }
    let target = std::fs::read_link(path)?;
    Ok(agent::archive::stays_inside(name, &target).then_some(Kind::Link { target }))
}

/// A file that somebody removed while the folder was read, or whose parent has become a file.
fn gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unreadable(path: &Path, error: &io::Error) -> anyhow::Error {
    user_error(format!("{}: {error}", path.display()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::process::Command;

    fn names(tree: &Tree) -> Vec<&str> {
        tree.entries.iter().map(|entry| entry.name.to_str().unwrap()).collect()
    }

    fn write(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
    }

    fn git(root: &Path, line: &[&str]) {
        let identity = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").args(identity).args(line).current_dir(root).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    #[test]
    fn a_plain_folder_is_taken_whole_but_for_what_runs_have_made() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        write(&root, &["a", "d/run.sh", "landfall-out/old", "elsewhere/.landfall-run.json", "elsewhere/old"]);
        std::fs::set_permissions(root.join("d/run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink("d/run.sh", root.join("inside")).unwrap();
        symlink("/etc/passwd", root.join("outside")).unwrap();
        let choice = Choice { without: vec![root.join("landfall-out")], ..Choice::default() };
        let tree = Tree::list(&root, &choice).unwrap();
        assert_eq!(names(&tree), ["a", "d", "d/run.sh", "inside"]);
        assert_eq!((tree.entries[2].mode, tree.bytes, tree.measure()), (0o755, 9, (3, 9)));
        assert_eq!(tree.left_out, [Path::new("outside")]);
    }

    #[test]
    fn a_working_tree_is_taken_as_git_sees_it_with_its_history() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, &["tracked", "deleted", "target/big", "forced"]);
        std::fs::write(root.join(".gitignore"), "/target\nforced\n").unwrap();
        git(root, &["init", "-q"]);
        git(root, &["add", "--force", "tracked", "deleted", "forced", ".gitignore"]);
        git(root, &["commit", "-qm", "first"]);
        std::fs::remove_file(root.join("deleted")).unwrap();
        write(root, &["new", "sub/inner"]);
        let tree = Tree::list(root, &Choice::default()).unwrap();
        let found: Vec<_> = names(&tree).into_iter().filter(|name| !name.starts_with(".git/")).collect();
        assert_eq!(found, [".git", ".gitignore", "forced", "new", "sub/inner", "tracked"]);
        assert!(names(&tree).contains(&".git/HEAD"));
        let all = Tree::list(root, &Choice { include_ignored: true, ..Choice::default() }).unwrap();
        assert!(names(&all).contains(&"target/big"));
    }

    #[test]
    fn a_part_of_a_repository_is_taken_without_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &["app/main", "other/main", "app/nested/file"]);
        git(folder.path(), &["init", "-q"]);
        git(&folder.path().join("app/nested"), &["init", "-q"]);
        let tree = Tree::list(&folder.path().join("app"), &Choice::default()).unwrap();
        let found: Vec<_> = names(&tree).into_iter().filter(|name| !name.contains(".git")).collect();
        assert_eq!(found, ["main", "nested/file"]);
        assert!(names(&tree).contains(&"nested/.git/HEAD"));
    }
}
