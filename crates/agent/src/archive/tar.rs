//! Tar archives.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use tar::{Archive, Entry, EntryType};

use super::{ArchiveError, Budget, Place};

/// Unpacks a tar stream into an existing folder.
pub(super) fn unpack(stream: impl Read, folder: &Path) -> Result<(), ArchiveError> {
    let mut budget = Budget::default();
    for entry in Archive::new(stream).entries()? {
        budget.entry()?;
        unpack_entry(entry?, folder, &mut budget)?;
    }
    Ok(())
}

fn unpack_entry(mut entry: Entry<'_, impl Read>, folder: &Path, budget: &mut Budget) -> Result<(), ArchiveError> {
    let kind = entry.header().entry_type();
    // `git archive` puts the commit's id here.
    if kind.is_pax_global_extensions() {
        return Ok(());
    }
    let Some(place) = Place::new(folder, &entry.path_bytes())? else {
        return Ok(());
    };
    let mode = entry.header().mode()?;
    match kind {
        EntryType::Directory => Ok(place.folder(mode)?),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let mut file = place.file(mode)?;
            budget.copy(&mut entry, &mut file)?;
            // A time that no clock or no disk can hold is no reason to fail.
            if let Some(modified) = UNIX_EPOCH.checked_add(Duration::from_secs(entry.header().mtime()?)) {
                let _ = file.set_modified(modified);
            }
            Ok(())
        }
        EntryType::Symlink => place.link(&target(&entry)),
        EntryType::Link => {
            let original = Place::new(folder, &target(&entry))?;
            let original = original.ok_or_else(|| ArchiveError::Kind(place.path().display().to_string()))?;
            Ok(place.hard_link(&original)?)
        }
        _ => Err(ArchiveError::Kind(place.path().display().to_string())),
    }
}

fn target(entry: &Entry<'_, impl Read>) -> Vec<u8> {
    entry.link_name_bytes().map(|name| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use tar::{Builder, Header};

    use super::*;

    type Given<'a> = (EntryType, &'a str, &'a str);

    fn archive(entries: &[Given<'_>]) -> Vec<u8> {
        let mut builder = Builder::new(vec![]);
        for (kind, name, content) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            // The crate's own setters refuse what is to be tested here.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            let data = if kind.is_file() { content.as_bytes() } else { &[] };
            if !kind.is_file() {
                header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
            }
            header.set_size(data.len() as u64);
            header.set_cksum();
            builder.append(&header, data).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn unpacked(entries: &[Given<'_>]) -> (tempfile::TempDir, Result<(), ArchiveError>) {
        let folder = tempfile::tempdir().unwrap();
        let result = unpack(&archive(entries)[..], folder.path());
        (folder, result)
    }

    #[test]
    fn files_folders_and_links() {
        let (folder, result) = unpacked(&[
            (EntryType::Directory, "d/", ""),
            (EntryType::Regular, "d/run", "hello"),
            (EntryType::Symlink, "link", "d/run"),
            (EntryType::Link, "second", "d/run"),
        ]);
        result.unwrap();
        for name in ["d/run", "link", "second"] {
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), "hello");
        }
        assert_eq!(fs::metadata(folder.path().join("d/run")).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn dangerous_entries_are_refused_with_their_name() {
        let table: &[(&[Given<'_>], &str)] = &[
            (&[(EntryType::Regular, "../evil", "x")], "../evil"),
            (&[(EntryType::Regular, "/evil", "x")], "/evil"),
            (&[(EntryType::Symlink, "evil", "/etc/passwd")], "leads out"),
            (&[(EntryType::Symlink, "evil", "../..")], "leads out"),
            (&[(EntryType::Link, "evil", "/etc/passwd")], "/etc/passwd"),
            (
                &[(EntryType::Directory, "d", ""), (EntryType::Symlink, "l", "d"), (EntryType::Regular, "l/x", "x")],
                "l/x",
            ),
            (&[(EntryType::Fifo, "pipe", "")], "pipes"),
        ];
        for (entries, text) in table {
            let (_folder, result) = unpacked(entries);
            let message = result.unwrap_err().to_string();
            assert!(message.contains(text), "{message} should say {text}");
        }
    }

    #[test]
    fn a_cut_archive_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let whole = archive(&[(EntryType::Regular, "a", &"x".repeat(2000))]);
        assert!(unpack(&whole[..1000], folder.path()).is_err());
    }
}
