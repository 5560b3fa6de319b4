//! The agent's folders and files, as the stock agent lays them out below its deployment root:
//!
//! - `GROUP/DEPLOYMENT/bundle.tar`, `deployment-archive/`, `logs/scripts.log`
//! - `deployment-instructions/GROUP{-install.json,-cleanup,_most_recent_install,_last_successful_install}`
//! - `ongoing-deployment/DEPLOYMENT`: the command that is being run
//!
//! and of our own `taken-commands/DEPLOYMENT`: a command of which nothing was run yet.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files of commands that are older are not reported after a restart.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// The deployment root.
#[derive(Debug, Clone)]
pub(super) struct State {
    root: PathBuf,
}

impl State {
    /// Makes the folders.
    pub(super) fn open(root: PathBuf) -> io::Result<Self> {
        let state = Self { root };
        for folder in [state.instructions(), state.ongoing(), state.taking(), state.root.join("deployment-logs")] {
            fs::create_dir_all(&folder)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
        }
        Ok(state)
    }

    fn instructions(&self) -> PathBuf {
        self.root.join("deployment-instructions")
    }

    fn ongoing(&self) -> PathBuf {
        self.root.join("ongoing-deployment")
    }

    fn taking(&self) -> PathBuf {
        self.root.join("taken-commands")
    }

    /// All deployments of a group.
    pub(super) fn group(&self, group: &str) -> PathBuf {
        self.root.join(group)
    }

    /// One deployment's folder.
    pub(super) fn deployment(&self, group: &str, deployment: &str) -> Deployment {
        Deployment(self.group(group).join(deployment))
    }

    /// What the last Install of a group did.
    pub(super) fn install_file(&self, group: &str) -> PathBuf {
        self.instructions().join(format!("{group}-install.json"))
    }

    /// What the next Install of a group removes first.
    pub(super) fn cleanup_file(&self, group: &str) -> PathBuf {
        self.instructions().join(format!("{group}-cleanup"))
    }

    fn pointer(&self, group: &str, which: Which) -> PathBuf {
        let name = match which {
            Which::MostRecent => "most_recent_install",
            Which::LastSuccessful => "last_successful_install",
        };
        self.instructions().join(format!("{group}_{name}"))
    }

    /// The deployment that a pointer of the group points to.
    pub(super) fn pointed(&self, group: &str, which: Which) -> Option<Deployment> {
        let path = fs::read_to_string(self.pointer(group, which)).ok()?;
        Some(Deployment(PathBuf::from(path.trim_end())))
    }

    /// Makes a pointer of the group point to a deployment.
    pub(super) fn point(&self, group: &str, which: Which, deployment: &Deployment) -> io::Result<()> {
        replace(&self.pointer(group, which), deployment.0.to_string_lossy().as_bytes())
    }

    /// Notes a command before the server hears that it is taken over, after which it is handed out no more.
    pub(super) fn take(&self, deployment: &str, command: &str) -> io::Result<()> {
        replace(&self.taking().join(deployment), command.as_bytes())
    }

    /// Commands that an earlier run of the agent took and ran nothing of. Old ones are forgotten.
    pub(super) fn taken(&self) -> Vec<String> {
        let notes = fs::read_dir(self.taking()).into_iter().flatten().flatten();
        let is_begun = |note: &fs::DirEntry| self.ongoing().join(note.file_name()).exists();
        let kept = notes.filter(|note| !is_stale(&note.path()) && !is_begun(note));
        kept.filter_map(|note| fs::read_to_string(note.path()).ok()).collect()
    }

    /// Notes the command that is being run for a deployment.
    pub(super) fn begin(&self, deployment: &str, command: &str) -> io::Result<()> {
        replace(&self.ongoing().join(deployment), command.as_bytes())?;
        // If it stays it means nothing beside the other note.
        let _ = fs::remove_file(self.taking().join(deployment));
        Ok(())
    }

    /// Forgets a command that was taken and came to nothing; the deployment's next one may be noted already.
    pub(super) fn drop_taken(&self, deployment: &str, command: &str) {
        let note = self.taking().join(deployment);
        if fs::read_to_string(&note).is_ok_and(|text| text == command) {
            // Taken up again after a restart, it is refused by the server.
            let _ = fs::remove_file(note);
        }
    }

    /// Forgets the command of a deployment.
    pub(super) fn end(&self, deployment: &str) {
        // A note that cannot be removed is reported once more after a restart, and ignored by the server.
        let _ = fs::remove_file(self.ongoing().join(deployment));
    }

    /// Deployments and commands that an earlier run of the agent left unfinished. Old ones are forgotten.
    pub(super) fn unfinished(&self) -> Vec<(String, String)> {
        let notes = fs::read_dir(self.ongoing()).into_iter().flatten().flatten();
        notes
            .filter_map(|note| {
                let deployment = note.file_name().into_string().ok()?;
                if is_stale(&note.path()) {
                    self.end(&deployment);
                    return None;
                }
                Some((deployment, fs::read_to_string(note.path()).ok()?))
            })
            .collect()
    }

    /// Removes the oldest deployments of a group until `most` are left, but never the ones to keep.
    pub(super) fn prune(&self, group: &str, most: usize, keep: &[&Deployment]) {
        let mut found: Vec<(SystemTime, PathBuf)> = fs::read_dir(self.group(group))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        found.sort();
        let surplus = found.len().saturating_sub(most);
        let old = found.into_iter().map(|(_, path)| path);
        for path in old.filter(|path| keep.iter().all(|deployment| deployment.0 != *path)).take(surplus) {
            // What cannot be removed now is tried again at the next deployment.
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// One of a group's two pointers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// The last bundle that was fetched.
    MostRecent,
    /// The last Install that succeeded, whatever became of its deployment.
    LastSuccessful,
}

/// One deployment's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deployment(PathBuf);

impl Deployment {
    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    pub(super) fn bundle(&self) -> PathBuf {
        self.0.join("bundle.tar")
    }

    pub(super) fn archive(&self) -> PathBuf {
        self.0.join("deployment-archive")
    }

    pub(super) fn scripts_log(&self) -> PathBuf {
        self.0.join("logs/scripts.log")
    }
}

fn is_stale(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > STALE)
}

/// Writes a whole file or nothing.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, content)?;
    fs::rename(new, path)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn state() -> (tempfile::TempDir, State) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path().join("root")).unwrap();
        (folder, state)
    }

    #[test]
    fn unfinished_commands_outlive_the_agent_for_a_day() {
        let (_folder, state) = state();
        state.begin("d-1", "command 1").unwrap();
        state.begin("d-2", "command 2").unwrap();
        state.begin("d-3", "command 3").unwrap();
        state.end("d-2");
        let old = fs::File::open(state.ongoing().join("d-3")).unwrap();
        let written = old.metadata().unwrap().modified().unwrap();
        old.set_modified(written - Duration::from_secs(25 * 3600)).unwrap();
        assert_eq!(state.unfinished(), [("d-1".to_owned(), "command 1".to_owned())]);
        assert!(!state.ongoing().join("d-3").exists());
    }

    #[test]
    fn a_command_that_was_taken_is_kept_until_it_begins_or_comes_to_nothing() {
        let (_folder, state) = state();
        for (deployment, command) in [("d-1", "one"), ("d-2", "two"), ("d-3", "three"), ("d-4", "next")] {
            state.take(deployment, command).unwrap();
        }
        state.begin("d-2", "two").unwrap();
        state.drop_taken("d-3", "three");
        state.drop_taken("d-4", "the one before");
        let mut taken = state.taken();
        taken.sort();
        assert_eq!(taken, ["next", "one"]);
        state.take("d-2", "a note that could not be removed").unwrap();
        assert_eq!(state.taken().len(), 2);
    }

    #[test]
    fn pointers_point() {
        let (_folder, state) = state();
        assert_eq!(state.pointed("g", Which::LastSuccessful), None);
        let deployment = state.deployment("g", "d-1");
        state.point("g", Which::LastSuccessful, &deployment).unwrap();
        assert_eq!(state.pointed("g", Which::LastSuccessful), Some(deployment));
        assert_eq!(state.pointed("g", Which::MostRecent), None);
    }

    #[test]
    fn the_oldest_go_first_and_the_last_successful_stays() {
        let (_folder, state) = state();
        let all: Vec<Deployment> = (0..5).map(|n| state.deployment("g", &format!("d-{n}"))).collect();
        for (n, deployment) in all.iter().enumerate() {
            fs::create_dir_all(deployment.archive()).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64 * 60);
            fs::File::open(deployment.folder()).unwrap().set_modified(time).unwrap();
        }
        state.prune("g", 2, &[&all[0]]);
        let left: Vec<bool> = all.iter().map(|deployment| deployment.folder().exists()).collect();
        assert_eq!(left, [true, false, false, false, true]);
    }
}
