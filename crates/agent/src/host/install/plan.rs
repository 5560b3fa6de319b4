//! What an Install does, step by step.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::host::appspec::{FileExistsBehavior, FileMapping};

/// One step, written down in the form of the stock agent's `-install.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Step {
    Mkdir { directory: PathBuf },
    Copy { source: PathBuf, destination: PathBuf },
    Chown { owner: Option<String>, group: Option<String>, file: PathBuf },
    Chmod { mode: String, file: PathBuf },
}

/// The folders and files of the appspec's `files`.
///
/// # Errors
/// A source that is not in the bundle, two sources for one place, or a file that is there already and may not be.
pub(super) fn copies(files: &[FileMapping], archive: &Path, behavior: FileExistsBehavior) -> Result<Vec<Step>, String> {
    let mut plan = Plan { behavior, steps: vec![], planned: BTreeMap::new() };
    for file in files {
        let source = archive.join(file.source.trim_start_matches('/'));
        let destination = Path::new(&file.destination);
        match fs::symlink_metadata(&source) {
            Err(_) => return Err(format!("the file {} is not in the bundle", file.source)),
            Ok(metadata) if metadata.is_dir() => plan.folder(&source, destination)?,
            Ok(_) => plan.file(&source, &destination.join(source.file_name().unwrap_or_default()))?,
        }
    }
    Ok(plan.steps)
}

struct Plan {
    behavior: FileExistsBehavior,
    steps: Vec<Step>,
    /// Destination to source; of a folder nothing.
    planned: BTreeMap<PathBuf, Option<PathBuf>>,
}

impl Plan {
    fn folder(&mut self, source: &Path, destination: &Path) -> Result<(), String> {
        self.make(destination);
        let mut entries: Vec<_> = fs::read_dir(source).map_err(|error| error.to_string())?.flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let to = destination.join(entry.file_name());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.folder(&entry.path(), &to)?;
            } else {
                self.file(&entry.path(), &to)?;
            }
        }
        Ok(())
    }

    /// A folder and its ancestors, as far as they are missing.
    fn make(&mut self, folder: &Path) {
        if folder.is_dir() || self.planned.contains_key(folder) {
            return;
        }
        if let Some(parent) = folder.parent() {
            self.make(parent);
        }
        self.planned.insert(folder.to_owned(), None);
        self.steps.push(Step::Mkdir { directory: folder.to_owned() });
    }

    fn file(&mut self, source: &Path, destination: &Path) -> Result<(), String> {
        if let Some(other) = self.planned.get(destination) {
            let other = other.as_deref().unwrap_or(Path::new("a folder"));
            return Err(format!(
                "The deployment failed because the application specification file specifies two source files named \
                 {} and {} for the same destination {}.",
                other.display(),
                source.display(),
                destination.display()
            ));
        }
        if let Some(parent) = destination.parent() {
            self.make(parent);
        }
        if fs::symlink_metadata(destination).is_ok() {
            match self.behavior {
                FileExistsBehavior::Retain => return Ok(()),
                FileExistsBehavior::Overwrite => {}
                FileExistsBehavior::Disallow => {
                    return Err(format!(
                        "The deployment failed because a specified file already exists at this location: {}",
                        destination.display()
                    ));
                }
            }
        }
        self.planned.insert(destination.to_owned(), Some(source.to_owned()));
        self.steps.push(Step::Copy { source: source.to_owned(), destination: destination.to_owned() });
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A bundle with `a` and `d/b`, and a host.
    fn bench() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (archive, host) = (folder.path().join("archive"), folder.path().join("host"));
        fs::create_dir_all(archive.join("d")).unwrap();
        fs::create_dir(&host).unwrap();
        fs::write(archive.join("a"), "").unwrap();
        fs::write(archive.join("d/b"), "").unwrap();
        (folder, archive, host)
    }

    fn mapping(source: &str, destination: &Path) -> FileMapping {
        FileMapping { source: source.into(), destination: destination.display().to_string() }
    }

    #[test]
    fn folders_give_their_content_and_files_keep_their_name() {
        let (_folder, archive, host) = bench();
        let to = host.join("x/y");
        let mkdir = |path: &str| Step::Mkdir { directory: host.join(path) };
        let copy = |from: &str, to: &str| Step::Copy { source: archive.join(from), destination: host.join(to) };
        let steps = copies(&[mapping("d", &to), mapping("a", &to)], &archive, FileExistsBehavior::Disallow).unwrap();
        assert_eq!(steps, [mkdir("x"), mkdir("x/y"), copy("d/b", "x/y/b"), copy("a", "x/y/a")]);
        let steps = copies(&[mapping("/", &host)], &archive, FileExistsBehavior::Disallow).unwrap();
        assert_eq!(steps, [copy("a", "a"), mkdir("d"), copy("d/b", "d/b")]);
    }

    #[test]
    fn a_file_that_exists_is_refused_replaced_or_kept() {
        let (_folder, archive, host) = bench();
        std::os::unix::fs::symlink("/nowhere", host.join("a")).unwrap();
        let plan = |behavior| copies(&[mapping("a", &host)], &archive, behavior);
        let error = plan(FileExistsBehavior::Disallow).unwrap_err();
        let expected = "The deployment failed because a specified file already exists at this location: ";
        assert_eq!(error, format!("{expected}{}", host.join("a").display()));
        assert_eq!(plan(FileExistsBehavior::Overwrite).unwrap().len(), 1);
        assert_eq!(plan(FileExistsBehavior::Retain).unwrap(), []);
    }

    #[test]
    fn what_cannot_be_is_said() {
        let (_folder, archive, host) = bench();
        let error = copies(&[mapping("none", &host)], &archive, FileExistsBehavior::Disallow).unwrap_err();
        assert!(error.contains("none"), "{error}");
        let twice = [mapping("a", &host), mapping("/", &host)];
        let error = copies(&twice, &archive, FileExistsBehavior::Overwrite).unwrap_err();
        assert!(error.contains("two source files"), "{error}");
    }

    #[test]
    fn steps_are_written_as_the_stock_agent_writes_them() {
        let step = Step::Chmod { mode: "0644".into(), file: "/a".into() };
        assert_eq!(serde_json::to_string(&step).unwrap(), r#"{"type":"chmod","mode":"0644","file":"/a"}"#);
    }
}
