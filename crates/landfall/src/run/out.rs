//! The folder that artifacts are unpacked into. It notes what it was given, so that the next run takes away that and
//! nothing else; and it tells Git to look away.

use crate::exit::user_error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::{Path, PathBuf};

/// The note, in the folder.
const NOTE: &str = ".landfall-run.json";
/// Keeps `git status` as it was.
const IGNORE: &str = ".gitignore";

/// A folder for artifacts.
#[derive(Debug)]
pub(crate) struct Out {
    folder: PathBuf,
}

/// What earlier runs have put here.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    files: BTreeSet<PathBuf>,
}

/// A file that was put here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Placed {
    /// Below the folder.
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Whether a folder is one that runs put artifacts into.
pub(crate) fn is_one(folder: &Path) -> bool {
    folder.join(NOTE).is_file()
}

impl Out {
    /// A folder that is not there yet, is empty, or was made by a run before.
    ///
    /// # Errors
    /// The user's: it holds something else.
    pub(crate) fn new(folder: &Path) -> anyhow::Result<Self> {
        let out = Self { folder: folder.to_owned() };
        let shown = folder.display();
        let taken = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(user_error(format!("--artifacts {shown}: {error}"))),
            Ok(mut entries) => entries.next().is_some() && !is_one(folder),
        };
        if taken {
            return Err(user_error(format!(
                "{shown} holds files that landfall run did not put there: move them away, or name another folder with \
                 --artifacts"
            )));
        }
        Ok(out)
    }

    /// The folder, as the user named it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts everything below `fresh` here in place of what runs before have put here. Files of others stay. Blocks.
    ///
    /// # Errors
    /// The user's: a file of somebody else is in the way; or the disk is full.
    pub(crate) fn replace(&self, fresh: &Path) -> anyhow::Result<Vec<Placed>> {
        let files = below(fresh)?;
        std::fs::create_dir_all(&self.folder)?;
        let owner = Owner::of(&self.folder)?;
        let before = self.note()?;
        self.check_free(&files, &before)?;
        let all = before.files.iter().chain(files.iter().map(|file| &file.path)).cloned().collect();
        // Noted before anything is put here: what is cut off is still known to be ours.
        self.write_note(&Note { files: all }, &owner)?;
        before.files.iter().try_for_each(|file| self.remove(file))?;
        files.iter().try_for_each(|file| self.put(fresh, &file.path, &owner))?;
        self.write_note(&Note { files: files.iter().map(|file| file.path.clone()).collect() }, &owner)?;
        Ok(files)
    }

    fn check_free(&self, files: &[Placed], before: &Note) -> anyhow::Result<()> {
        let others = |path: &Path| !before.files.contains(path) && self.folder.join(path).symlink_metadata().is_ok();
        match files.iter().find(|file| others(&file.path)) {
            None => Ok(()),
            Some(file) => Err(user_error(format!(
                "{} is not from landfall run, and the build has made a file of that name: move it away",
                self.folder.join(&file.path).display()
            ))),
        }
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        match std::fs::remove_file(self.folder.join(file)) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(error);
            }
            _ => {}
        }
        // Folders that are empty now were its alone.
        let parents = file.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
        parents.map(|parent| std::fs::remove_dir(self.folder.join(parent))).take_while(Result::is_ok).for_each(drop);
        Ok(())
    }

    fn put(&self, fresh: &Path, file: &Path, owner: &Owner) -> io::Result<()> {
        let (from, to) = (fresh.join(file), self.folder.join(file));
        for parent in file.parent().into_iter().flat_map(Path::ancestors).collect::<Vec<_>>().into_iter().rev() {
            let parent = self.folder.join(parent);
            if !parent.is_dir() {
                std::fs::create_dir(&parent)?;
                owner.give(&parent)?;
            }
        }
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy(&from, &to)?,
            other => other?,
        }
        owner.give(&to)
    }

    fn note(&self) -> anyhow::Result<Note> {
        match std::fs::read(self.folder.join(NOTE)) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                let note = self.folder.join(NOTE);
                user_error(format!("{}: {error}; remove the folder if nothing in it is yours", note.display()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Note::default()),
            Err(error) => Err(error.into()),
        }
    }

    fn write_note(&self, note: &Note, owner: &Owner) -> anyhow::Result<()> {
        let ignore = self.folder.join(IGNORE);
        if !ignore.exists() {
            std::fs::write(&ignore, "*\n")?;
            owner.give(&ignore)?;
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&mut file, note)?;
        let path = self.folder.join(NOTE);
        file.persist(&path)?;
        Ok(owner.give(&path)?)
    }
}

/// Whose the folder is that contains it all: what root unpacks under sudo is still the user's.
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn of(folder: &Path) -> io::Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(Self(None));
        }
        let parent = folder.canonicalize()?.parent().map_or_else(|| Path::new("/").to_owned(), Path::to_owned);
        let metadata = parent.metadata()?;
        let owner = Self(Some((metadata.uid(), metadata.gid())));
        owner.give(folder)?;
        Ok(owner)
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        self.0.map_or(Ok(()), |(user, group)| lchown(path, Some(user), Some(group)))
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_symlink() {
        return std::os::unix::fs::symlink(std::fs::read_link(from)?, to);
    }
    std::fs::copy(from, to).map(drop)
}

/// The files and links below a folder, by name.
fn below(folder: &Path) -> io::Result<Vec<Placed>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(path) = folders.pop() {
        for entry in std::fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if let Ok(name) = entry.path().strip_prefix(folder) {
                files.push(Placed { path: name.to_owned(), bytes: entry.metadata()?.len() });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn fresh(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let files = below(folder).unwrap().into_iter().map(|file| file.path.display().to_string());
        files.filter(|name| name != NOTE && name != IGNORE).collect()
    }

    #[test]
    fn artifacts_replace_those_before_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("out");
        let out = Out::new(&folder).unwrap();
        let first = fresh(&["bin/app", "old/deep/file"]);
        std::fs::set_permissions(first.path().join("bin/app"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let placed = out.replace(first.path()).unwrap();
        assert_eq!(placed[0], Placed { path: "bin/app".into(), bytes: 7 });
        assert_eq!(folder.join("bin/app").metadata().unwrap().permissions().mode() & 0o777, 0o755);

        std::fs::write(folder.join("bin/mine"), "mine").unwrap();
        Out::new(&folder).unwrap().replace(fresh(&["bin/app", "new"]).path()).unwrap();
        assert_eq!(names(&folder), ["bin/app", "bin/mine", "new"]);
        assert!(!folder.join("old").exists());

        let error = out.replace(fresh(&["bin/mine"]).path()).unwrap_err().to_string();
        assert!(error.contains("bin/mine") && error.contains("move it away"), "{error}");
        assert_eq!(names(&folder), ["bin/app", "bin/mine", "new"]);
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused() {
        let home = tempfile::tempdir().unwrap();
        assert!(Out::new(home.path()).is_ok(), "it is empty");
        std::fs::write(home.path().join("mine"), "").unwrap();
        let error = Out::new(home.path()).unwrap_err().to_string();
        assert!(error.contains("--artifacts"), "{error}");
        let file = home.path().join("mine");
        assert!(Out::new(&file).unwrap_err().to_string().contains("mine"));
    }
}
