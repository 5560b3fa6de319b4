//! What Git knows of a folder. It is only read: no index is refreshed, no object written.

use crate::exit::user_error;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The longest commit message that is read, in bytes.
const LONGEST_MESSAGE: usize = 100 * 1024;

/// A folder in a working tree.
pub(crate) struct Repository<'f> {
    folder: &'f Path,
}

/// What a commit is called, for the variables of source actions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// The full id.
    pub(crate) commit: String,
    /// The branch that is checked out; empty where none is.
    pub(crate) branch: String,
    pub(crate) message: String,
    /// ISO 8601.
    pub(crate) author_date: String,
    pub(crate) committer_date: String,
    /// Whether files differ from it.
    pub(crate) changed: bool,
}

impl<'f> Repository<'f> {
    /// The repository that a folder is in; none where there is no Git or no repository.
    ///
    /// # Errors
    /// Git's own words where it refuses the folder, for its owner for example.
    pub(crate) fn of(folder: &'f Path) -> anyhow::Result<Option<Self>> {
        let repository = Self { folder };
        let output = match repository.command(&["rev-parse", "--is-inside-work-tree"]).output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        if output.status.success() {
            return Ok((output.stdout.trim_ascii() == b"true").then_some(repository));
        }
        let words = String::from_utf8_lossy(&output.stderr);
        if words.contains("dubious ownership") {
            return Err(user_error(format!(
                "{}\n--include-ignored builds the folder without asking Git",
                words.trim()
            )));
        }
        Ok(None)
    }

    /// The files that are tracked, or new and not ignored. Submodules and repositories inside are one path each.
    pub(super) fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let listed = self.ask(&["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])?;
        let names = listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(|name| self.folder.join(OsStr::from_bytes(name))).collect())
    }

    /// What is checked out; none before the first commit.
    pub(crate) fn checkout(&self) -> anyhow::Result<Option<Checkout>> {
        let found = self.command(&["log", "-1", "--no-show-signature", "--format=%H%n%aI%n%cI%n%B"]).output()?;
        if !found.status.success() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&found.stdout[..found.stdout.len().min(LONGEST_MESSAGE)]).into_owned();
        let mut lines = text.splitn(4, '\n');
        let mut line = || lines.next().unwrap_or_default().trim_end().to_owned();
        let (commit, author_date, committer_date, message) = (line(), line(), line(), line());
        let branch = self.command(&["symbolic-ref", "--quiet", "--short", "HEAD"]).output()?;
        let changed = self.ask(&["status", "--porcelain", "--untracked-files=normal", "--", "."])?;
        Ok(Some(Checkout {
            commit,
            branch: String::from_utf8_lossy(&branch.stdout).trim().to_owned(),
            message,
            author_date,
            committer_date,
            changed: !changed.stdout.is_empty(),
        }))
    }

    /// Makes a working copy of `version` in `to`, a folder that is not there yet; answers the commit and the part of the
    /// copy that this folder is.
    ///
    /// # Errors
    /// The user's: the version names nothing.
    pub(crate) fn check_out(&self, version: &str, to: &Path) -> anyhow::Result<(String, PathBuf)> {
        let commit = self.commit(version)?;
        let part = self.ask(&["rev-parse", "--show-prefix"])?;
        let part = PathBuf::from(OsStr::from_bytes(part.stdout.trim_ascii_end()));
        let top = self.ask(&["rev-parse", "--show-toplevel"])?;
        let top = Path::new(OsStr::from_bytes(top.stdout.trim_ascii_end())).to_owned();
        let (from, target) = (top.as_os_str(), to.as_os_str());
        let clone = ["clone", "--quiet", "--no-checkout", "--"].map(OsStr::new);
        self.ask(&[&clone[..], &[from, target]].concat())?;
        let copy = Repository { folder: to };
        copy.ask(&["checkout", "--quiet", "--detach", &commit])?;
        Ok((commit, part))
    }

    /// The full id of the commit that a version names; a branch of the origin may be named without it.
    fn commit(&self, version: &str) -> anyhow::Result<String> {
        for name in [version.to_owned(), format!("origin/{version}")] {
            let name = format!("{name}^{{commit}}");
            let found = self.command(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).output()?;
            if found.status.success() {
                return Ok(String::from_utf8_lossy(&found.stdout).trim().to_owned());
            }
        }
        Err(user_error(format!(
            "--source-version {version}: the repository of {} has no such commit, branch or tag; `git fetch --tags` gets \
             what its origin has",
            self.folder.display()
        )))
    }

    fn ask<A: AsRef<OsStr>>(&self, line: &[A]) -> anyhow::Result<Output> {
        let output = self.command(line).output()?;
        if output.status.success() {
            return Ok(output);
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let line: Vec<_> = line.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        Err(user_error(format!("git {} in {}: {words}", line.join(" "), self.folder.display())))
    }

    fn command<A: AsRef<OsStr>>(&self, line: &[A]) -> Command {
        let mut command = Command::new("git");
        // A monitor is a program that the repository's own configuration names.
        command.arg("-C").arg(self.folder).args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]);
        command.args(line).env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
            command.env_remove(variable);
        }
        command.stdin(std::process::Stdio::null());
        command
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn git(root: &Path, line: &[&str]) {
        let identity = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").args(identity).args(line).current_dir(root).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    #[test]
    fn a_folder_without_history_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Repository::of(folder.path()).unwrap().is_none());
        git(folder.path(), &["init", "-q"]);
        assert_eq!(Repository::of(folder.path()).unwrap().unwrap().checkout().unwrap(), None);
    }

    #[test]
    fn a_version_is_checked_out_beside_and_nothing_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        git(root, &["init", "-q", "--initial-branch=main"]);
        std::fs::create_dir(root.join("app")).unwrap();
        std::fs::write(root.join("app/file"), "one").unwrap();
        git(root, &["add", "."]);
        git(root, &["commit", "-qm", "first line\n\nand more"]);
        git(root, &["tag", "v1"]);
        std::fs::write(root.join("app/file"), "two").unwrap();

        let app = root.join("app");
        let repository = Repository::of(&app).unwrap().unwrap();
        let now = repository.checkout().unwrap().unwrap();
        assert_eq!((now.branch.as_str(), now.changed, now.commit.len()), ("main", true, 40));
        assert_eq!(now.message.trim_end(), "first line\n\nand more");

        let beside = tempfile::tempdir().unwrap();
        let to = beside.path().join("copy");
        let (commit, part) = repository.check_out("v1", &to).unwrap();
        assert_eq!((commit, part.as_path()), (now.commit, Path::new("app/")));
        assert_eq!(std::fs::read_to_string(to.join("app/file")).unwrap(), "one");
        assert_eq!(std::fs::read_to_string(root.join("app/file")).unwrap(), "two");
        let error = repository.check_out("v2", &to).unwrap_err().to_string();
        assert!(error.contains("v2") && error.contains("git fetch"), "{error}");
    }
}
