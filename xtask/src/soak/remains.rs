//! What must be gone when the server has ended and nothing goes on any more.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::invariants::Violation;

/// Control groups that containers of this run had, seen while it went on.
#[derive(Default)]
pub(super) struct Groups(BTreeSet<PathBuf>);

impl Groups {
    /// Notes the groups of the containers that there are now.
    pub(super) fn look(&mut self, data: &Path) {
        for entry in fs::read_dir(data.join("containers")).into_iter().flatten().flatten() {
            let Ok(text) = fs::read(entry.path().join("shim.json")) else { continue };
            let Ok(config) = serde_json::from_slice::<Value>(&text) else { continue };
            let groups = config["groups"].as_array().into_iter().flatten().filter_map(Value::as_str);
            self.0.extend(groups.map(PathBuf::from));
        }
    }

    /// How many there were.
    pub(super) fn seen(&self) -> usize {
        self.0.len()
    }
}

/// Whatever is left of builds, on the machine and in the folder.
pub(super) fn check(data: &Path, groups: &Groups) -> anyhow::Result<Vec<Violation>> {
    let data = data.canonicalize()?;
    let mut wrong = Vec::new();
    let mut left = |what: &str, text: String| wrong.push(Violation::new(what, "", format!("left: {text}")));
    for group in groups.0.iter().filter(|group| group.exists()) {
        left("control groups", group.display().to_string());
    }
    let path = data.to_string_lossy().into_owned();
    for line in fs::read_to_string("/proc/self/mountinfo")?.lines().filter(|line| line.contains(&path)) {
        left("mounts", line.to_owned());
    }
    for process in processes(&path) {
        left("processes", process);
    }
    for file in files(&data.join("spool")) {
        left("files", file.display().to_string());
    }
    // Locks and verdicts begin with a dot, as do removals that were interrupted.
    for folder in ["containers", "run", "git/new"] {
        for name in
            names(&data.join(folder)).into_iter().filter(|name| !name.starts_with('.') || name.starts_with(".removed-"))
        {
            left("files", format!("{folder}/{name}"));
        }
    }
    for service in names(&data.join("blobs")) {
        for name in names(&data.join("blobs").join(&service).join("new")) {
            left("files", format!("blobs/{service}/new/{name}"));
        }
    }
    Ok(wrong)
}

/// Those that have the folder in their command line or their mounts, but for this one.
fn processes(path: &str) -> Vec<String> {
    let me = std::process::id().to_string();
    let found = names(Path::new("/proc"))
        .into_iter()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && *name != me);
    let about = |pid: String| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        (command.contains(path) || mounts.contains(path)).then(|| format!("{pid} {command}"))
    };
    found.filter_map(about).collect()
}

/// All files below a folder; the folders themselves may stay.
fn files(folder: &Path) -> Vec<PathBuf> {
    let below = |name: String| {
        let path = folder.join(name);
        if path.is_dir() { files(&path) } else { vec![path] }
    };
    names(folder).into_iter().flat_map(below).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn sees_what_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert_eq!(check(data, &Groups::default()).unwrap(), []);
        for left in ["containers/b-1", "containers/.removed-b-1.1.0", "run/b-1", "spool/codebuild", "blobs/s3/new"] {
            fs::create_dir_all(data.join(left)).unwrap();
        }
        fs::write(data.join("spool/codebuild/file"), "").unwrap();
        fs::write(data.join("blobs/s3/new/file"), "").unwrap();
        fs::write(data.join("containers/.runtime.json"), "").unwrap();
        let mut groups = Groups::default();
        groups.0.insert(data.join("containers"));
        assert_eq!(check(data, &groups).unwrap().len(), 6);
        let mut sleeper = std::process::Command::new("sleep").arg("60").arg0_of(data).spawn().unwrap();
        assert_eq!(check(data, &groups).unwrap().len(), 7);
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }

    trait Named {
        fn arg0_of(&mut self, path: &Path) -> &mut Self;
    }

    impl Named for std::process::Command {
        fn arg0_of(&mut self, path: &Path) -> &mut Self {
            std::os::unix::process::CommandExt::arg0(self, path)
        }
    }
}
