//! How much a data folder holds.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// No more files than these are looked at.
const MOST_FILES: usize = 100_000;

/// The size of a folder on disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) bytes: u64,
    /// False where there are more files than were looked at.
    pub(super) whole: bool,
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.whole { "" } else { "more than " };
        write!(formatter, "{more}{}", crate::terminal::bytes(self.bytes))
    }
}

/// What the files in `dir` take on disk; none where it is not for our eyes. What a container has mounted there, another
/// file system, does not count.
pub(super) fn size(dir: &Path) -> Option<Size> {
    let device = std::fs::metadata(dir).ok()?.dev();
    let mut folders = vec![dir.to_owned()];
    let (mut bytes, mut files) = (0, 0);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.dev() != device {
                continue;
            }
            files += 1;
            bytes += metadata.blocks() * 512;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            if files >= MOST_FILES {
                return Some(Size { bytes, whole: false });
            }
        }
    }
    Some(Size { bytes, whole: true })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn files_in_folders_count() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/file"), vec![1; 100_000]).unwrap();
        let found = size(folder.path()).unwrap();
        assert!(found.whole && found.bytes >= 100_000, "{found:?}");
        assert_eq!(size(Path::new("/nowhere")), None);
        assert_eq!(Size { bytes: 2_000_000, whole: false }.to_string(), "more than 2.0 MB");
    }
}
