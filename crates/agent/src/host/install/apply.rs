//! Does an Install's steps, and undoes those of the one before.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use super::plan::Step;
use crate::user;

/// Removes what the cleanup file lists, last first: files and links, and folders that are empty then.
///
/// # Errors
/// A file that cannot be removed.
pub(super) fn remove_previous(cleanup: &Path) -> Result<(), String> {
    let Ok(list) = fs::read_to_string(cleanup) else { return Ok(()) };
    for path in list.lines().rev().map(Path::new) {
        let Ok(metadata) = fs::symlink_metadata(path) else { continue };
        if metadata.is_dir() {
            // A folder with files of others in it stays.
            let _ = fs::remove_dir(path);
        } else {
            fs::remove_file(path).map_err(|error| named(path, &error))?;
        }
    }
    fs::remove_file(cleanup).map_err(|error| named(cleanup, &error))
}

/// Writes the steps down before they are taken.
///
/// # Errors
/// The disk's.
pub(super) fn write_down(file: &Path, steps: &[Step]) -> Result<(), String> {
    let json = serde_json::json!({ "instructions": steps }).to_string();
    fs::write(file, json).map_err(|error| named(file, &error))
}

/// Takes the steps; each place is in the cleanup file before it is made.
///
/// # Errors
/// The first step that fails, with its place.
pub(super) fn apply(steps: &[Step], cleanup: &Path) -> Result<(), String> {
    let mut made = File::create(cleanup).map_err(|error| named(cleanup, &error))?;
    for step in steps {
        if let Some(path) = makes(step) {
            writeln!(made, "{}", path.display()).map_err(|error| named(cleanup, &error))?;
        }
        take(step)?;
    }
    made.sync_all().map_err(|error| named(cleanup, &error))
}

fn makes(step: &Step) -> Option<&Path> {
    match step {
        Step::Mkdir { directory } => Some(directory),
        Step::Copy { destination, .. } => Some(destination),
        Step::Chown { .. } | Step::Chmod { .. } => None,
    }
}

fn take(step: &Step) -> Result<(), String> {
    match step {
        Step::Mkdir { directory } => fs::create_dir_all(directory).map_err(|error| named(directory, &error)),
        Step::Copy { source, destination } => copy(source, destination).map_err(|error| named(destination, &error)),
        Step::Chmod { mode, file } => {
            let mode = u32::from_str_radix(mode, 8).map_err(|error| format!("mode {mode}: {error}"))?;
            fs::set_permissions(file, Permissions::from_mode(mode)).map_err(|error| named(file, &error))
        }
        Step::Chown { owner, group, file } => {
            let root = Path::new("/");
            let uid = owner.as_deref().map(|name| user::find(root, name)).transpose()?.map(|user| user.uid);
            let gid = group.as_deref().map(|name| user::find_group(root, name)).transpose()?;
            chown(file, uid, gid).map_err(|error| named(file, &error))
        }
    }
}

/// Copies a file with its mode, or a link as a link, in place of what is there.
fn copy(source: &Path, destination: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(source)?;
    if fs::symlink_metadata(destination).is_ok() {
        // A program that runs cannot be written to, and a link would be written through.
        fs::remove_file(destination)?;
    }
    if metadata.is_symlink() {
        return symlink(fs::read_link(source)?, destination);
    }
    fs::copy(source, destination)?;
    File::options().write(true).open(destination)?.set_modified(metadata.modified()?)
}

fn named(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_was_installed_is_removed_again_and_what_others_made_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("source"), "new").unwrap();
        symlink("source", at("link")).unwrap();
        let steps = [
            Step::Mkdir { directory: at("app") },
            Step::Copy { source: at("source"), destination: at("app/file") },
            Step::Mkdir { directory: at("app/sub") },
            Step::Copy { source: at("link"), destination: at("app/sub/link") },
            Step::Chmod { mode: "4755".into(), file: at("app/file") },
        ];
        apply(&steps, &at("cleanup")).unwrap();
        assert_eq!(fs::metadata(at("app/file")).unwrap().permissions().mode() & 0o7777, 0o4755);
        assert_eq!(fs::read_link(at("app/sub/link")).unwrap(), Path::new("source"));

        fs::write(at("app/users-own"), "").unwrap();
        remove_previous(&at("cleanup")).unwrap();
        assert!(at("app/users-own").exists() && !at("app/file").exists() && !at("app/sub").exists());
        assert!(!at("cleanup").exists());
        remove_previous(&at("cleanup")).unwrap();
    }

    #[test]
    fn a_copy_replaces_a_link_and_not_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("source"), "new").unwrap();
        fs::write(at("precious"), "old").unwrap();
        symlink(at("precious"), at("destination")).unwrap();
        apply(&[Step::Copy { source: at("source"), destination: at("destination") }], &at("cleanup")).unwrap();
        assert_eq!(fs::read_to_string(at("precious")).unwrap(), "old");
        assert_eq!(fs::read_to_string(at("destination")).unwrap(), "new");
    }

    #[test]
    fn owners_that_do_not_exist_are_named() {
        let step = Step::Chown { owner: Some("no-such-user".into()), group: None, file: "/tmp".into() };
        assert!(take(&step).unwrap_err().contains("no-such-user"));
    }
}
