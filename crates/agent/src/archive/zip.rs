//! Zip archives.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::read::ZipFile;

use super::{ArchiveError, Budget, Place};

/// Longest target of a link, in bytes (PATH_MAX).
const MAX_TARGET: u64 = 4096;

/// Unpacks a zip into an existing folder.
pub(super) fn unpack(file: File, folder: &Path) -> Result<(), ArchiveError> {
    let mut archive = ZipArchive::new(BufReader::new(file))?;
    let mut budget = Budget::default();
    for index in 0..archive.len() {
        budget.entry()?;
        // `by_index` would ask for a password; the raw look tells which entry needs one.
        let raw = archive.by_index_raw(index)?;
        if raw.encrypted() {
            return Err(ArchiveError::Encrypted(String::from_utf8_lossy(raw.name_raw()).into_owned()));
        }
        drop(raw);
        unpack_entry(archive.by_index(index)?, folder, &mut budget)?;
    }
    Ok(())
}

fn unpack_entry<R: Read>(mut entry: ZipFile<'_, R>, folder: &Path, budget: &mut Budget) -> Result<(), ArchiveError> {
    let Some(place) = Place::new(folder, entry.name_raw())? else {
        return Ok(());
    };
    if entry.is_dir() {
        return Ok(place.folder(entry.unix_mode().unwrap_or(0o755))?);
    }
    if entry.is_symlink() {
        let mut target = vec![];
        entry.take(MAX_TARGET).read_to_end(&mut target)?;
        return place.link(&target);
    }
    let mode = entry.unix_mode().unwrap_or(0o644);
    // S_IFMT: a regular file, or a mode without a kind.
    if !matches!(mode & 0o170_000, 0 | 0o100_000) {
        return Err(ArchiveError::Kind(place.path().display().to_string()));
    }
    budget.copy(&mut entry, &mut place.file(mode)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;
    use std::io::{Seek, Write};
    use std::os::unix::fs::PermissionsExt;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn unpacked(fill: impl FnOnce(&mut ZipWriter<File>)) -> (tempfile::TempDir, Result<(), ArchiveError>) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = ZipWriter::new(tempfile::tempfile().unwrap());
        fill(&mut writer);
        let mut file = writer.finish().unwrap();
        file.rewind().unwrap();
        let result = unpack(file, folder.path());
        (folder, result)
    }

    #[test]
    fn files_keep_their_mode() {
        let (folder, result) = unpacked(|zip| {
            zip.add_directory("d", SimpleFileOptions::default()).unwrap();
            zip.start_file("d/run", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
            zip.write_all(b"#!/bin/sh\n").unwrap();
            zip.add_symlink("link", "d/run", SimpleFileOptions::default()).unwrap();
        });
        result.unwrap();
        assert_eq!(fs::metadata(folder.path().join("link")).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read(folder.path().join("d/run")).unwrap(), b"#!/bin/sh\n");
    }

    #[test]
    fn dangerous_entries_are_refused_with_their_name() {
        for name in ["../evil", "/evil", "a/../../evil"] {
            let (_folder, result) = unpacked(|zip| zip.start_file(name, SimpleFileOptions::default()).unwrap());
            let message = result.unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
        let (_folder, result) =
            unpacked(|zip| zip.add_symlink("evil", "/etc/passwd", SimpleFileOptions::default()).unwrap());
        assert!(result.unwrap_err().to_string().contains("leads out"));
    }

    #[test]
    fn what_is_no_zip_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"<Error>NoSuchKey</Error>").unwrap();
        assert!(unpack(file, Path::new("/nowhere")).is_err());
    }
}
