use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often what runs in a group is looked at again before it is given up: some hundredths of a second each.
const ROUNDS: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// The control groups of one container, by absolute path: one for each hierarchy of version 1, one for all of version 2.
/// Whatever the container made in them goes with them.
#[derive(Debug, Clone)]
pub struct Groups(Vec<PathBuf>);

impl Groups {
    /// The groups at these paths, which need not be there.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self(paths)
    }

    /// Whether the kernel killed a process in them for want of memory.
    pub fn oom_killed(&self) -> bool {
        let files = ["memory.oom_control", "memory.events"];
        self.subtree().iter().any(|group| {
            // Version 1 counts in the first of these files, version 2 in the second.
            let texts = files.iter().filter_map(|name| fs::read_to_string(group.join(name)).ok());
            texts.map(|text| oom_kills(&text)).sum::<u64>() > 0
        })
    }

    /// Kills all that runs in them; false if something remains after a second.
    pub fn kill(&self) -> bool {
        if self.0.iter().any(|group| put(&group.join("cgroup.kill"), "1").is_ok()) {
            return self.wait_until_empty();
        }
        // What is frozen cannot fork away from the list of processes.
        self.freeze("FROZEN");
        self.kill_each();
        self.freeze("THAWED");
        self.wait_until_empty()
    }

    /// Removes as many as can be; false if one remains after a second (a process that the kernel has not let go of).
    pub fn remove(&self) -> bool {
        // Each is tried: `all` alone would stop at the first that stays.
        let gone: Vec<bool> = self.subtree().iter().rev().map(|group| remove_empty(group)).collect();
        gone.into_iter().all(|gone| gone)
    }

    fn freeze(&self, state: &str) {
        for group in &self.0 {
            // Only the freezer's own group has the file.
            let _ = put(&group.join("freezer.state"), state);
        }
    }

    fn kill_each(&self) -> bool {
        let processes: Vec<i32> = self.subtree().iter().flat_map(|group| processes(group)).collect();
        for &process in &processes {
            // It may have ended since; its number is not another's while its group still lists it.
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
        processes.is_empty()
    }

    fn wait_until_empty(&self) -> bool {
        (0..ROUNDS).any(|round| {
            if round > 0 {
                thread::sleep(PAUSE);
            }
            self.kill_each()
        })
    }

    /// The groups and all below them, each after the one that it is in.
    fn subtree(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = self.0.iter().filter(|group| group.is_dir()).cloned().collect();
        let mut next = 0;
        while let Some(group) = found.get(next) {
            let below = fs::read_dir(group).into_iter().flatten().flatten();
            let folders = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
            found.extend(folders);
            next += 1;
        }
        found
    }
}

/// Writes to a file of the kernel's; it is never made where it is missing.
fn put(file: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

/// The processes in a group itself; those that are not seen from here (of another pid namespace) read as 0 and are left out.
fn processes(group: &Path) -> Vec<i32> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter(|&process| process > 0).collect()
}

/// Removes a group as soon as its last process is gone, which is a moment after its first.
fn remove_empty(group: &Path) -> bool {
    let busy = |error: &io::Error| error.kind() == ErrorKind::ResourceBusy;
    for _ in 0..ROUNDS {
        match fs::remove_dir(group) {
            Err(error) if busy(&error) => thread::sleep(PAUSE),
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
    use std::process::Command;

    use super::*;

    #[test]
    fn reads_both_versions_of_the_count() {
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), 2);
        assert_eq!(oom_kills("low 0\nhigh 0\nmax 9\noom 3\noom_kill 1\noom_group_kill 0\n"), 1);
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\n"), 0);
    }

    #[test]
    fn sees_want_of_memory_in_groups_below_too() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("docker/c1");
        fs::create_dir_all(&inner).unwrap();
        let groups = Groups::new(vec![folder.path().to_path_buf(), "/nowhere".into()]);
        assert!(!groups.oom_killed());
        fs::write(inner.join("memory.events"), "oom_kill 1\n").unwrap();
        assert!(groups.oom_killed());
    }

    #[test]
    fn removes_groups_from_the_innermost_on() {
        let folder = tempfile::tempdir().unwrap();
        let group = folder.path().join("group");
        fs::create_dir_all(group.join("a/b")).unwrap();
        fs::create_dir_all(group.join("c")).unwrap();
        assert!(Groups::new(vec![group.clone()]).remove());
        assert!(!group.exists());
        assert!(Groups::new(vec![group]).remove());
    }

    #[test]
    fn kills_what_its_list_names() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(folder.path().join("cgroup.procs"), format!("0\n{}\n", child.id())).unwrap();
        let groups = Groups::new(vec![folder.path().to_path_buf()]);
        assert!(!groups.kill_each());
        assert!(!child.wait().unwrap().success());
        fs::write(folder.path().join("cgroup.procs"), "").unwrap();
        assert!(groups.kill());
    }
}
