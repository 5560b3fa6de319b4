//! Git's objects as they are stored (git-cat-file, gitformat).

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) tree: String,
    pub(crate) parents: Vec<String>,
    pub(crate) author: Signature,
    pub(crate) committer: Signature,
    pub(crate) message: String,
}

/// Who, and when as `seconds offset`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) date: String,
}

/// Reads a commit; `None` if it is none. What is not UTF-8 is replaced.
pub(crate) fn commit(content: &[u8]) -> Option<Commit> {
    let text = String::from_utf8_lossy(content);
    let (headers, message) = text.split_once("\n\n").unwrap_or((&text, ""));
    let header = |wanted: &str| {
        let wanted = wanted.to_owned();
        headers
            .lines()
            .filter_map(move |line| line.split_once(' ').filter(|(name, _)| *name == wanted).map(|(_, value)| value))
    };
    let signature = |name| header(name).next().map(signature).unwrap_or_default();
    Some(Commit {
        tree: header("tree").next()?.to_owned(),
        parents: header("parent").map(str::to_owned).collect(),
        author: signature("author"),
        committer: signature("committer"),
        message: message.to_owned(),
    })
}

/// `Name <email> 1517591592 -0800`.
fn signature(text: &str) -> Signature {
    let (name, rest) = text.split_once('<').unwrap_or((text, ""));
    let (email, date) = rest.split_once('>').unwrap_or((rest, ""));
    Signature { name: name.trim().to_owned(), email: email.to_owned(), date: date.trim().to_owned() }
}

/// What a tree holds under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File,
    Executable,
    SymbolicLink,
    SubModule,
}

impl Kind {
    /// CodeCommit's file mode; none for folders and submodules.
    pub(crate) fn file_mode(self) -> Option<&'static str> {
        match self {
            Self::File => Some("NORMAL"),
            Self::Executable => Some("EXECUTABLE"),
            Self::SymbolicLink => Some("SYMLINK"),
            Self::Folder | Self::SubModule => None,
        }
    }
}

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) id: String,
}

/// Reads a tree: `mode name\0` and 20 bytes of id, each. What is behind a malformed entry is left out.
pub(crate) fn tree(mut content: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some((entry, rest)) = entry(content) {
        entries.push(entry);
        content = rest;
    }
    entries
}

fn entry(content: &[u8]) -> Option<(Entry, &[u8])> {
    let end = content.iter().position(|byte| *byte == 0)?;
    let (id, rest) = content.get(end + 1..)?.split_at_checked(20)?;
    let head = String::from_utf8_lossy(&content[..end]);
    let (mode, name) = head.split_once(' ')?;
    let kind = match mode {
        "40000" | "040000" => Kind::Folder,
        "120000" => Kind::SymbolicLink,
        "160000" => Kind::SubModule,
        mode if mode.ends_with("755") => Kind::Executable,
        _ => Kind::File,
    };
    let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
    Some((Entry { kind, name: name.to_owned(), id }, rest))
}

/// The names along `path`; `None` if it is no path within a tree. `/` and nothing are the root.
pub(crate) fn path(path: &str) -> Option<Vec<&str>> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() {
        return Some(Vec::new());
    }
    let parts: Vec<&str> = inner.split('/').collect();
    let good = |part: &&str| !matches!(*part, "" | "." | ".." | ".git") && !part.contains('\0');
    (path.len() <= 4_096 && parts.iter().all(good)).then_some(parts)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_commit_is_read_with_its_message_as_written() {
        let text = "tree 1\nparent 2\nparent 3\nauthor Jané Doe <j@x.org> 1517591592 -0800\n\
                    committer J <> 1 +0000\ngpgsig -----BEGIN\n parent 9\n -----END\n\nSubject\n\nBody\n";
        let commit = commit(text.as_bytes()).unwrap();
        assert_eq!((&*commit.tree, commit.parents), ("1", vec!["2".to_owned(), "3".to_owned()]));
        let author =
            Signature {
                name: "Jané Doe".to_owned(), email: "j@x.org".to_owned(), date: "1517591592 -0800".to_owned()
            };
        assert_eq!(commit.author, author);
        assert_eq!(commit.committer.date, "1 +0000");
        assert_eq!(commit.message, "Subject\n\nBody\n");
        assert_eq!(super::commit(b"blob"), None);
    }

    #[test]
    fn a_tree_is_read_by_mode_name_and_id() {
        let modes = ["40000 src", "100644 a b.txt", "100755 run", "120000 link", "160000 sub"];
        let content: Vec<u8> = modes.iter().flat_map(|head| [head.as_bytes(), &[0], &[0xab; 20]].concat()).collect();
        let read: Vec<(String, Kind)> = tree(&content).into_iter().map(|entry| (entry.name, entry.kind)).collect();
        let kinds = [Kind::Folder, Kind::File, Kind::Executable, Kind::SymbolicLink, Kind::SubModule];
        let names = ["src", "a b.txt", "run", "link", "sub"].map(str::to_owned);
        assert_eq!(read, names.into_iter().zip(kinds).collect::<Vec<_>>());
        assert_eq!(tree(&content)[0].id, "ab".repeat(20));
    }

    #[test]
    fn paths_stay_inside_of_the_tree() {
        assert_eq!(path("/"), Some(vec![]));
        assert_eq!(path("/a/b c/"), Some(vec!["a", "b c"]));
        for bad in ["a//b", "../x", "a/./b", ".git/config", "a\0b", &"x/".repeat(3_000)] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_may_be_read(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (commit(&content), tree(&content));
        }
    }
}
