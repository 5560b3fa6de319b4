use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use super::Bundle;

/// The control groups of a container, as runc noted them: one for each controller of version 1, one in all of
/// version 2.
pub(super) struct Cgroups(Vec<PathBuf>);

impl Cgroups {
    /// Reads runc's note; none if runc left none.
    pub(super) fn of(bundle: &Bundle) -> Self {
        #[derive(Deserialize)]
        struct State {
            cgroup_paths: BTreeMap<String, PathBuf>,
        }
        let states = fs::read_dir(bundle.runc_state()).into_iter().flatten().flatten();
        let read = |folder: fs::DirEntry| fs::read(folder.path().join("state.json")).ok();
        let state = states.filter_map(read).find_map(|text| serde_json::from_slice::<State>(&text).ok());
        Self(state.map(|state| state.cgroup_paths.into_values().collect()).unwrap_or_default())
    }

    /// Whether the kernel killed a process in them for want of memory.
    pub(super) fn oom_killed(&self) -> bool {
        self.0.iter().any(|group| {
            // Version 1 counts in the first of these files, version 2 in the second.
            ["memory.oom_control", "memory.events"]
                .iter()
                .filter_map(|name| fs::read_to_string(group.join(name)).ok())
                .any(|text| oom_kills(&text) > 0)
        })
    }

    /// Removes them; false if one remains after a second (a process that the kernel has not let go of).
    pub(super) fn remove(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|group| remove_empty(group))
    }
}

/// Removes a group as soon as its last process is gone, which is a moment after its first.
fn remove_empty(group: &Path) -> bool {
    for _ in 0..100 {
        match fs::remove_dir(group) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy => thread::sleep(Duration::from_millis(10)),
            Err(error) => return error.kind() == ErrorKind::NotFound,
            Ok(()) => return true,
        }
    }
    false
}

/// The count behind `oom_kill` in either version's file.
fn oom_kills(text: &str) -> u64 {
    let count = |line: &str| line.strip_prefix("oom_kill ").and_then(|count| count.trim().parse().ok());
    text.lines().find_map(count).unwrap_or(0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reads_both_versions_of_the_count() {
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), 2);
        assert_eq!(oom_kills("low 0\nhigh 0\nmax 9\noom 3\noom_kill 1\noom_group_kill 0\n"), 1);
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\n"), 0);
    }

    #[test]
    fn takes_the_groups_from_runcs_note() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::new(folder.path().to_path_buf());
        assert!(Cgroups::of(&bundle).0.is_empty());
        let group = folder.path().join("memory");
        fs::create_dir(&group).unwrap();
        let state = bundle.runc_state().join("c1");
        fs::create_dir_all(&state).unwrap();
        let note = serde_json::json!({"id": "c1", "cgroup_paths": {"memory": group}});
        fs::write(state.join("state.json"), note.to_string()).unwrap();
        let groups = Cgroups::of(&bundle);
        assert!(!groups.oom_killed());
        assert!(groups.remove());
        assert!(!group.exists());
    }
}
