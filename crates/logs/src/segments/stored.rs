//! How many bytes a group's segments take up: measured when asked, remembered until one of its streams changes.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is known of each group by its id.
#[derive(Default)]
pub(crate) struct Stored(Mutex<HashMap<String, Known>>);

#[derive(Default)]
struct Known {
    /// Rises with each change.
    changes: u64,
    bytes: Option<u64>,
}

impl Stored {
    /// Some stream of the group has more or fewer bytes now.
    pub(crate) fn changed(&self, group: &str) {
        if let Some(known) = self.lock().get_mut(group) {
            known.changes += 1;
            known.bytes = None;
        }
    }

    /// A group that is deleted is not asked for any more.
    pub(crate) fn forget(&self, group: &str) {
        self.lock().remove(group);
    }

    /// The bytes of all segments in a group's folder. Blocks where they are not known.
    pub(crate) fn bytes(&self, group: &str, folder: &Path) -> io::Result<u64> {
        let changes = {
            let mut all = self.lock();
            let known = all.entry(group.to_owned()).or_default();
            if let Some(bytes) = known.bytes {
                return Ok(bytes);
            }
            known.changes
        };
        let bytes = walk(folder)?;
        if let Some(known) = self.lock().get_mut(group).filter(|known| known.changes == changes) {
            known.bytes = Some(bytes);
        }
        Ok(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of the segments below a folder; what is removed meanwhile does not count.
fn walk(folder: &Path) -> io::Result<u64> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        let (entry, path) = entry.map(|entry| (entry.file_type(), entry.path()))?;
        if entry.is_ok_and(|kind| kind.is_dir()) {
            bytes += walk(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "log") {
            bytes += std::fs::metadata(path).map_or(0, |file| file.len());
        }
    }
    Ok(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_measured_again() {
        let folder = tempfile::tempdir().unwrap();
        let (stored, path) = (Stored::default(), folder.path().join("g"));
        let write = |name: &str, size: usize| {
            std::fs::create_dir_all(path.join("s")).unwrap();
            std::fs::write(path.join("s").join(name), vec![0; size]).unwrap();
        };
        let bytes = || stored.bytes("g", &path).unwrap();
        assert_eq!(bytes(), 0);
        stored.changed("g");
        write("0.log", 10);
        write("0.summary", 99);
        assert_eq!(bytes(), 10);
        write("1.log", 5);
        assert_eq!(bytes(), 10, "remembered");
        stored.changed("g");
        assert_eq!(bytes(), 15);
        stored.forget("g");
        write("2.log", 1);
        assert_eq!(bytes(), 16);
    }
}
