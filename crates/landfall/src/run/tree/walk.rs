//! Everything below a folder.

use super::{Choice, Tree, gone, unreadable};
use std::path::{Path, PathBuf};

/// Adds a folder and all that is below it; links are not followed.
pub(super) fn walk(tree: &mut Tree, folder: &Path, choice: &Choice) -> anyhow::Result<()> {
    let mut left: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        if choice.leaves_out(&path) {
            continue;
        }
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if gone(&error) => continue,
            Err(error) => return Err(unreadable(&path, &error)),
        };
        if metadata.is_dir() && crate::run::out::is_one(&path) {
            continue;
        }
        tree.add(&path, &metadata, choice)?;
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).map_err(|error| unreadable(&path, &error))?;
            for entry in entries {
                left.push(entry.map_err(|error| unreadable(&path, &error))?.path());
            }
        }
    }
    Ok(())
}
