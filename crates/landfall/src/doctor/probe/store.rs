//! The store of images.

use super::super::facts::Images;
use std::path::Path;

/// What it holds; none where there is no store yet, or none that this user may read.
pub(super) fn look(data_dir: &Path) -> Option<Images> {
    let folder = data_dir.join("images");
    if !folder.is_dir() {
        return None;
    }
    let list = images::Images::open(folder, images::Options::default()).and_then(|images| images.list()).ok()?;
    let standard = |name: &String| name == "landfall/standard" || name.starts_with("landfall/standard:");
    Some(Images {
        count: list.len(),
        bytes: list.iter().map(|image| image.size).sum(),
        standard: list.iter().any(|image| image.references.iter().any(standard)),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_store_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(look(folder.path()), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        images::Images::open(folder.path().join("images"), images::Options::default()).unwrap();
        assert_eq!(look(folder.path()), Some(Images { count: 0, bytes: 0, standard: false }));
    }
}
