//! What is packed comes out the same, and nothing that is packed comes out elsewhere.

use std::fs::{self, File};
use std::io::{Cursor, Seek, Write};
use std::path::Path;

use ::tar::{Builder, EntryType, Header};
use ::zip::ZipWriter;
use ::zip::write::SimpleFileOptions;
use proptest::prelude::*;

use super::tree::{Entry, Tree, read, tree, write};
use super::unpack_file;
use crate::protocol::ArchiveFormat;

fn tarred(folder: &Path) -> Vec<u8> {
    let mut builder = Builder::new(vec![]);
    builder.follow_symlinks(false);
    builder.append_dir_all(".", folder).unwrap();
    builder.into_inner().unwrap()
}

fn zipped(tree: &Tree) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default();
    for (path, entry) in tree {
        match entry {
            Entry::Folder => zip.add_directory(path.as_str(), options).unwrap(),
            Entry::Link(target) => zip.add_symlink(path.as_str(), target.as_str(), options).unwrap(),
            Entry::File(mode, content) => {
                zip.start_file(path.as_str(), options.unix_permissions(*mode)).unwrap();
                zip.write_all(content).unwrap();
            }
        }
    }
    zip.finish().unwrap().into_inner()
}

fn unpacked(archive: &[u8], format: ArchiveFormat, folder: &Path) -> Result<(), super::ArchiveError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(archive).unwrap();
    file.rewind().unwrap();
    unpack_file(file, format, folder)
}

/// An entry as only an attacker writes it.
#[derive(Debug, Clone)]
struct Hostile {
    kind: EntryType,
    name: String,
    target: String,
    /// Whether the name comes in an extended header.
    extended: bool,
}

fn path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "b", "l", "..", ".", "", "secret", "outside"]);
    (any::<bool>(), prop::collection::vec(part, 1..5)).prop_map(|(absolute, parts)| {
        let root = if absolute && parts.len() == 4 { "/" } else { "" };
        format!("{root}{}", parts.join("/"))
    })
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let kinds = [EntryType::Regular, EntryType::Directory, EntryType::Symlink, EntryType::Symlink, EntryType::Link];
    (prop::sample::select(kinds.to_vec()), path(), path(), prop::bool::weighted(0.2))
        .prop_map(|(kind, name, target, extended)| Hostile { kind, name, target, extended })
}

fn header(kind: EntryType, name: &str, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o777);
    // The crate's own setters refuse what is to be tested here.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size as u64);
    header
}

fn hostile_tar(entries: &[Hostile]) -> Vec<u8> {
    let mut builder = Builder::new(vec![]);
    for Hostile { kind, name, target, extended } in entries {
        if *extended {
            let record = format!(" path={name}\n");
            let length = record.len() + 2;
            let length = if length < 100 { length } else { length + 1 };
            let record = format!("{length}{record}");
            let mut before = header(EntryType::XHeader, "pax", record.len());
            before.set_cksum();
            builder.append(&before, record.as_bytes()).unwrap();
        }
        let content: &[u8] = if kind.is_file() { b"overwritten" } else { b"" };
        let mut header = header(*kind, if *extended { "a" } else { name }, content.len());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn hostile_zip(entries: &[Hostile]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default();
    for Hostile { kind, name, target, .. } in entries {
        // A name that comes twice is refused by the writer alone.
        let _ = match kind {
            EntryType::Directory => zip.add_directory(name.as_str(), options),
            EntryType::Symlink => zip.add_symlink(name.as_str(), target.as_str(), options),
            _ => zip.start_file(name.as_str(), options).and_then(|()| Ok(zip.write_all(b"overwritten")?)),
        };
    }
    zip.finish().unwrap().into_inner()
}

/// A folder with something beside it that must stay as it is.
fn check_nothing_leaves(archive: &[u8], format: ArchiveFormat) {
    let world = tempfile::tempdir().unwrap();
    let world = world.path().canonicalize().unwrap();
    let inside = world.join("x/y/inside");
    fs::create_dir_all(&inside).unwrap();
    for outside in ["secret", "x/secret", "x/y/secret"] {
        fs::write(world.join(outside), "secret").unwrap();
    }
    fs::create_dir(world.join("x/y/outside")).unwrap();
    let _ = unpacked(archive, format, &inside);
    let beside: Tree = read(&world).into_iter().filter(|(path, _)| !path.starts_with("x/y/inside/")).collect();
    let expected = ["secret", "x", "x/secret", "x/y", "x/y/inside", "x/y/outside", "x/y/secret"];
    assert_eq!(beside.keys().collect::<Vec<_>>(), expected);
    let files = beside.values().filter_map(|entry| match entry {
        Entry::File(_, content) => Some(content.as_slice()),
        _ => None,
    });
    files.for_each(|content| assert_eq!(content, b"secret"));
    for path in read(&inside).keys() {
        if let Ok(real) = inside.join(path).canonicalize() {
            assert!(real.starts_with(&inside), "{path} leads to {}", real.display());
        }
        // A second name of a file outside would let it be written later.
        let found = fs::symlink_metadata(inside.join(path));
        assert!(!found.is_ok_and(|found| same_file(&found, &world.join("x/y/secret"))), "{path} is the file outside");
    }
}

fn same_file(metadata: &fs::Metadata, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let other = File::open(other).unwrap().metadata().unwrap();
    (metadata.dev(), metadata.ino()) == (other.dev(), other.ino())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn what_is_packed_comes_out_the_same(tree in tree()) {
        let (from, by_tar, by_zip) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(&tree, from.path());
        unpacked(&tarred(from.path()), ArchiveFormat::Tar, by_tar.path()).unwrap();
        prop_assert_eq!(read(by_tar.path()), tree.clone());
        unpacked(&zipped(&tree), ArchiveFormat::Zip, by_zip.path()).unwrap();
        prop_assert_eq!(read(by_zip.path()), tree);
    }

    #[test]
    fn nothing_leaves_the_folder(entries in prop::collection::vec(hostile(), 1..8)) {
        check_nothing_leaves(&hostile_tar(&entries), ArchiveFormat::Tar);
        check_nothing_leaves(&hostile_zip(&entries), ArchiveFormat::Zip);
    }

    #[test]
    fn a_damaged_archive_is_an_error_and_nothing_worse(
        tree in tree(), zip in any::<bool>(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let from = tempfile::tempdir().unwrap();
        write(&tree, from.path());
        let mut archive = if zip { zipped(&tree) } else { tarred(from.path()) };
        for (at, byte) in changes {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        check_nothing_leaves(&archive, if zip { ArchiveFormat::Zip } else { ArchiveFormat::Tar });
    }
}
