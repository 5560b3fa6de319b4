//! An artifact holds what its globs mean, by a matcher that is slow and obviously right; and it comes out as it went in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Seek, Write};
use std::path::Path;

use proptest::prelude::*;
use tokio::sync::mpsc;

use super::pack::pack;
use super::select::select;
use crate::archive::tree::{Entry, Tree, read, tree, write};
use crate::archive::unpack_file;
use crate::protocol::{ArchiveFormat, ArtifactRequest};

/// A piece of a pattern between two slashes.
#[derive(Debug, Clone)]
enum Segment {
    /// `**`: any number of folders, also none.
    AnyFolders,
    Pieces(Vec<Piece>),
}

#[derive(Debug, Clone)]
enum Piece {
    Letter(char),
    /// `?`
    AnyLetter,
    /// `*`
    AnyText,
    /// `[ab]` or `[!ab]`
    Class(bool, Vec<char>),
    /// `{a,b}`
    Either(String, String),
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        6 => prop::sample::select(vec!['a', 'b', '.', 't', 'é']).prop_map(Piece::Letter),
        1 => Just(Piece::AnyLetter),
        3 => Just(Piece::AnyText),
        1 => (any::<bool>(), prop::collection::vec(prop::sample::select(vec!['a', 'b', 't']), 1..3))
            .prop_map(|(not, letters)| Piece::Class(not, letters)),
        1 => ("[ab]{1,2}", "[ab.]{1,2}").prop_map(|(one, other)| Piece::Either(one, other)),
    ]
}

fn pattern() -> impl Strategy<Value = Vec<Segment>> {
    let segment = prop_oneof![
        1 => Just(Segment::AnyFolders),
        3 => prop::collection::vec(piece(), 1..4).prop_map(Segment::Pieces),
    ];
    prop::collection::vec(segment, 1..4).prop_map(tidied)
}

/// Without what has no meaning of its own: two `*` in a row, two `**`, or a `.`; and a pattern ends with the files it means.
fn tidied(mut pattern: Vec<Segment>) -> Vec<Segment> {
    for segment in &mut pattern {
        if let Segment::Pieces(pieces) = segment {
            pieces.dedup_by(|one, other| matches!((one, other), (Piece::AnyText, Piece::AnyText)));
            if pieces.iter().all(|piece| matches!(piece, Piece::Letter('.'))) {
                pieces.push(Piece::Letter('a'));
            }
        }
    }
    pattern.dedup_by(|one, other| matches!((one, other), (Segment::AnyFolders, Segment::AnyFolders)));
    if matches!(pattern.last(), Some(Segment::AnyFolders)) {
        pattern.push(Segment::Pieces(vec![Piece::AnyText]));
    }
    pattern
}

fn text(pattern: &[Segment]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Letter(letter) => letter.to_string(),
        Piece::AnyLetter => "?".to_owned(),
        Piece::AnyText => "*".to_owned(),
        Piece::Class(not, letters) => format!("[{}{}]", if *not { "!" } else { "" }, String::from_iter(letters)),
        Piece::Either(one, other) => format!("{{{one},{other}}}"),
    };
    let segment = |segment: &Segment| match segment {
        Segment::AnyFolders => "**".to_owned(),
        Segment::Pieces(pieces) => pieces.iter().map(piece).collect(),
    };
    pattern.iter().map(segment).collect::<Vec<String>>().join("/")
}

fn means(pattern: &[Segment], parts: &[&str]) -> bool {
    match (pattern.split_first(), parts.split_first()) {
        (None, None) => true,
        (Some((Segment::AnyFolders, rest)), _) => (0..=parts.len()).any(|skipped| means(rest, &parts[skipped..])),
        (Some((Segment::Pieces(pieces), rest)), Some((part, parts))) => {
            fits(pieces, &part.chars().collect::<Vec<_>>()) && means(rest, parts)
        }
        _ => false,
    }
}

fn fits(pieces: &[Piece], text: &[char]) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return text.is_empty() };
    let tail = |word: &str| {
        let word: Vec<char> = word.chars().collect();
        text.strip_prefix(word.as_slice()).is_some_and(|text| fits(rest, text))
    };
    match piece {
        Piece::Letter(letter) => tail(&letter.to_string()),
        Piece::AnyLetter => !text.is_empty() && fits(rest, &text[1..]),
        Piece::AnyText => (0..=text.len()).any(|taken| fits(rest, &text[taken..])),
        Piece::Class(not, letters) => {
            text.first().is_some_and(|letter| letters.contains(letter) != *not) && fits(rest, &text[1..])
        }
        Piece::Either(one, other) => tail(one) || tail(other),
    }
}

/// The files, those that links lead to among them, by their names.
fn files(folder: &Path, tree: &Tree) -> BTreeMap<String, (u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt;
    let file = |(name, entry): (&String, &Entry)| {
        let path = folder.join(name);
        let metadata = fs::metadata(&path).ok().filter(|metadata| metadata.is_file() && *entry != Entry::Folder)?;
        Some((name.clone(), (metadata.permissions().mode() & 0o777, fs::read(&path).ok()?)))
    };
    tree.iter().filter_map(file).collect()
}

fn packed(request: &ArtifactRequest, to: &Path) {
    let selection = select(request);
    let (sender, mut pieces) = mpsc::channel(64);
    let thread = std::thread::spawn(move || pack(&selection.files, sender));
    let mut file = tempfile::tempfile().unwrap();
    while let Some(piece) = pieces.blocking_recv() {
        file.write_all(&piece).unwrap();
    }
    thread.join().unwrap().unwrap();
    file.rewind().unwrap();
    unpack_file(file, ArchiveFormat::Zip, to).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn globs_mean_what_they_say(
        tree in tree(), patterns in prop::collection::vec(pattern(), 1..3), excluded in prop::collection::vec(pattern(), 0..2),
        discard_paths in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        write(&tree, folder.path());
        let request = ArtifactRequest {
            directory: folder.path().display().to_string(),
            files: patterns.iter().map(|pattern| text(pattern)).collect(),
            exclude_paths: excluded.iter().map(|pattern| text(pattern)).collect(),
            discard_paths,
            ..ArtifactRequest::default()
        };
        let found: BTreeSet<String> = select(&request).files.into_iter().map(|file| file.name).collect();
        let any = |patterns: &[Vec<Segment>], name: &str| {
            patterns.iter().any(|pattern| means(pattern, &name.split('/').collect::<Vec<_>>()))
        };
        let meant = files(folder.path(), &tree).into_keys().filter(|name| any(&patterns, name) && !any(&excluded, name));
        let kept = |name: String| if discard_paths { name.rsplit('/').next().unwrap_or_default().to_owned() } else { name };
        prop_assert_eq!(found, meant.map(kept).collect(), "{:?} without {:?}", request.files, request.exclude_paths);
    }

    #[test]
    fn an_artifact_comes_out_as_it_went_in(tree in tree()) {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(&tree, from.path());
        let directory = from.path().display().to_string();
        packed(&ArtifactRequest { directory, files: vec!["**/*".into()], ..ArtifactRequest::default() }, to.path());
        let came_out = read(to.path());
        prop_assert_eq!(files(to.path(), &came_out), files(from.path(), &tree));
    }

    #[test]
    fn links_within_an_artifact_stay_links_where_asked_for(tree in tree()) {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(&tree, from.path());
        let directory = from.path().display().to_string();
        let request = ArtifactRequest { directory, files: vec!["**/*".into()], ..ArtifactRequest::default() };
        packed(&ArtifactRequest { enable_symlinks: true, ..request }, to.path());
        let no_folders = |tree: Tree| tree.into_iter().filter(|(_, entry)| *entry != Entry::Folder).collect::<Tree>();
        prop_assert_eq!(no_folders(read(to.path())), no_folders(tree));
    }
}
