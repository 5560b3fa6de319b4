//! Random folders for tests: written to the disk, and read back for comparison.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Folder,
    /// Its mode and content.
    File(u32, Vec<u8>),
    /// Its target.
    Link(String),
}

/// Paths and what lies there, each below its folder.
pub(crate) type Tree = BTreeMap<String, Entry>;

/// A name that is harder than most.
pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[ab]",
        1 => prop::sample::select(vec![".hidden", "-rf", "a b", "naïve", "日本", "\u{1f600}", "a\\b", "*", "a'b\"", "line\nend"])
            .prop_map(str::to_owned),
        1 => "[a-z]{120}",
        1 => "[a-z]{1,3}\\.(txt|md)",
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let content = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (any::<u8>(), 60_000_usize..140_000).prop_map(|(byte, length)| vec![byte; length]),
    ];
    let mode = prop::sample::select(vec![0o644, 0o755, 0o600, 0o400, 0o777]);
    prop_oneof![
        2 => Just(Entry::Folder),
        6 => (mode, content).prop_map(|(mode, content)| Entry::File(mode, content)),
        // Some lead to what is there, some in circles, some nowhere.
        2 => prop::collection::vec("[ab]", 1..3).prop_map(|parts| Entry::Link(parts.join("/"))),
    ]
}

/// A folder's content: what would lie below a file or a link is left out.
pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    prop::collection::vec((prop::collection::vec(name(), 1..4), entry()), 0..10).prop_map(|entries| {
        let mut tree = Tree::new();
        for (parts, entry) in entries {
            let folders: Vec<String> = (1..parts.len()).map(|count| parts[..count].join("/")).collect();
            let free = |path: &String| tree.get(path).is_none_or(|there| *there == Entry::Folder);
            if folders.iter().all(free) && !tree.contains_key(&parts.join("/")) {
                tree.extend(folders.into_iter().map(|path| (path, Entry::Folder)));
                tree.insert(parts.join("/"), entry);
            }
        }
        tree
    })
}

pub(crate) fn write(tree: &Tree, folder: &Path) {
    for (path, entry) in tree {
        let path = folder.join(path);
        match entry {
            Entry::Folder => fs::create_dir_all(&path).unwrap(),
            Entry::File(mode, content) => {
                fs::write(&path, content).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
            }
            Entry::Link(target) => symlink(target, &path).unwrap(),
        }
    }
}

pub(crate) fn read(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).unwrap().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            let entry = if kind.is_dir() {
                folders.push(path);
                Entry::Folder
            } else if kind.is_symlink() {
                Entry::Link(fs::read_link(&path).unwrap().to_string_lossy().into_owned())
            } else {
                Entry::File(entry.metadata().unwrap().permissions().mode() & 0o777, fs::read(&path).unwrap())
            };
            tree.insert(name, entry);
        }
    }
    tree
}
