//! What lies in a data folder, which of it is content, and in which order it is copied.
//!
//! The server writes on while this goes through its files. The snapshot of the store came first, so everything that it
//! refers to is there by now; what follows must not be older than it:
//! - blobs and Git objects never change, and nothing is removed while a backup runs (`kernel::removal`);
//! - Git's references come before its objects, loose ones before the packed ones: Git writes in the opposite order;
//! - of a folder the names are listed before the files are read: a log stream begins a segment only when the one
//!   before is whole, so what is listed has no gap.

use kernel::removal::{BACKUP_LOCK, SET_ASIDE};
use kernel::store::DATABASE;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Directly in the data folder: what is of this machine and this run alone. Containers and what belongs to running
/// builds do not move to another machine.
const OF_THIS_RUN: &[&str] =
    &["lock", BACKUP_LOCK, SET_ASIDE, "server.json", "bin", "run", "spool", "containers", "docker", "images", "dummy"];

/// A file or folder of the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Relative to the data folder.
    pub(super) path: PathBuf,
    pub(super) is_folder: bool,
}

/// Everything in the data folder that belongs into a backup, besides the database, in the order to copy it; `each`
/// copies it before the next is looked for.
pub(super) fn walk(data_dir: &Path, each: &mut dyn FnMut(&Found) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    let mut once = |found: &Found| if seen.insert(found.path.clone()) { each(found) } else { Ok(()) };
    walk_folder(data_dir, Path::new(""), &mut once)?;
    // What was removed meanwhile lies there under its old path.
    walk_folder(&data_dir.join(SET_ASIDE), Path::new(""), &mut once)
}

fn walk_folder(root: &Path, folder: &Path, each: &mut dyn FnMut(&Found) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let entries = match list(&root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| super::contents::told(&root.join(folder), &error))?,
    };
    let names: BTreeSet<&[u8]> = entries.iter().map(|(name, _)| name.as_os_str().as_bytes()).collect();
    let wanted = |name: &Path| is_content(folder, name, &names);
    let mut wanted: Vec<_> = entries.iter().filter(|(name, _)| wanted(name)).collect();
    wanted.sort_by_key(|(name, _)| (rank(folder, name), name.clone()));
    for (name, is_folder) in wanted {
        let found = Found { path: folder.join(name), is_folder: *is_folder };
        each(&found)?;
        if *is_folder {
            walk_folder(root, &found.path, each)?;
        }
    }
    Ok(())
}

/// The files and folders in a folder. Nothing else belongs there; a link could lead anywhere.
fn list(folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = match entry.file_type() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            kind => kind?,
        };
        if kind.is_dir() || kind.is_file() {
            entries.push((PathBuf::from(entry.file_name()), kind.is_dir()));
        }
    }
    Ok(entries)
}

/// Whether `name` in `folder` is content: not of this run alone, and not half-written. `names` are all there.
fn is_content(folder: &Path, name: &Path, names: &BTreeSet<&[u8]>) -> bool {
    let text = name.to_string_lossy();
    let mut above = folder.components().map(|part| part.as_os_str().to_string_lossy());
    match (above.next().as_deref(), above.next().as_deref()) {
        (None, _) => !OF_THIS_RUN.contains(&&*text) && !text.starts_with(DATABASE) && !text.ends_with(".new"),
        (Some("git"), None) => text.ends_with(".git"),
        (Some("git"), Some(_)) => is_git_content(&text, names),
        (Some("blobs"), Some(_)) => text != "new",
        _ => !text.ends_with(".new"),
    }
}

/// In a repository: no lock, nothing that Git is still writing, no index whose pack is not there yet.
fn is_git_content(name: &str, names: &BTreeSet<&[u8]>) -> bool {
    let unfinished = name.starts_with("tmp_") || name.ends_with(".lock") || name.starts_with("HEAD.");
    let pack_is_there = |stem: &str| names.contains(format!("{stem}.pack").as_bytes());
    let whole = match name.rsplit_once('.') {
        Some((stem, "idx" | "rev" | "bitmap" | "mtimes")) if stem.starts_with("pack-") => pack_is_there(stem),
        _ => true,
    };
    whole && !unfinished
}

/// Before what else in its folder it is copied.
fn rank(folder: &Path, name: &Path) -> u8 {
    let in_repository = folder.parent() == Some(Path::new("git"));
    match name.to_str() {
        Some("refs") if in_repository => 0,
        Some("objects") if in_repository => 2,
        _ => 1,
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, file).expect("a file");
        }
        dir
    }

    fn files(dir: &Path) -> Vec<String> {
        let mut files = Vec::new();
        let mut note = |found: &Found| {
            files.extend((!found.is_folder).then(|| found.path.display().to_string()));
            Ok(())
        };
        walk(dir, &mut note).expect("a walk");
        files
    }

    #[test]
    fn what_is_of_this_run_or_half_written_stays_out() {
        let content =
            ["audit/1.log", "blobs/s3/ab/cd", "git/1.git/HEAD", "logs/1/r/g/s/0.log", "master.key", "tls/ca.pem"];
        let other = [
            "lock",
            "backup.lock",
            "server.json",
            "landfall.db",
            "landfall.db-wal",
            "landfall.db-shm",
            "master.key.new",
            "bin/agent",
            "run/1/sock",
            "spool/1/x",
            "containers/1/y",
            "dummy/journal",
            "blobs/s3/new/x",
            "git/new/x",
            "git/home/x",
            "git/1.git/HEAD.1-2",
            "git/1.git/packed-refs.lock",
            "git/1.git/objects/tmp_objdir-1/x",
            "git/1.git/objects/pack/tmp_pack_1",
            "git/1.git/objects/pack/pack-2.idx",
            "logs/1/r/g/s/0.new",
        ];
        let dir = folder_with(&[&content[..], &other].concat());
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("audit/link")).expect("a link");
        assert_eq!(files(dir.path()), content);
    }

    #[test]
    fn references_come_before_objects_and_loose_ones_first() {
        let dir = folder_with(&[
            "git/1.git/objects/pack/pack-1.pack",
            "git/1.git/objects/pack/pack-1.idx",
            "git/1.git/packed-refs",
            "git/1.git/refs/heads/main",
            "git/1.git/HEAD",
        ]);
        let expected =
            ["refs/heads/main", "HEAD", "packed-refs", "objects/pack/pack-1.idx", "objects/pack/pack-1.pack"];
        assert_eq!(files(dir.path()), expected.map(|file| format!("git/1.git/{file}")));
    }

    #[test]
    fn what_was_set_aside_is_found_at_its_old_path_and_what_is_there_goes_first() {
        let dir = folder_with(&["blobs/s3/ab/1", "set-aside/blobs/s3/ab/1", "set-aside/blobs/s3/cd/2"]);
        assert_eq!(files(dir.path()), ["blobs/s3/ab/1", "blobs/s3/cd/2"]);
    }

    #[test]
    fn folders_are_told_before_what_is_in_them_also_empty_ones() {
        let dir = folder_with(&[]);
        fs::create_dir_all(dir.path().join("git/1.git/refs/heads")).expect("folders");
        let mut all = Vec::new();
        let mut note = |found: &Found| {
            all.push(found.path.display().to_string());
            Ok(())
        };
        walk(dir.path(), &mut note).expect("a walk");
        assert_eq!(all, ["git", "git/1.git", "git/1.git/refs", "git/1.git/refs/heads"]);
    }
}
