//! Which files an `artifacts` section means. Source: "artifacts" in the buildspec reference of the CodeBuild User Guide.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fast_glob::glob_match;

use crate::archive::stays_inside;
use crate::protocol::ArtifactRequest;

/// Folders below folders that are looked into.
const MAX_DEPTH: usize = 128;

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Its name in the zip.
    pub(super) name: String,
    /// Of a link that stays one: where it leads.
    pub(super) link: Option<String>,
}

/// The files of an artifact, sorted by name, and what the log says about them.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The files.
    pub(super) files: Vec<Member>,
    /// Lines for the log, in CodeBuild's words.
    pub(super) lines: Vec<String>,
}

/// Looks the files up. Blocks. What cannot be read is passed over.
#[must_use]
pub(super) fn select(request: &ArtifactRequest) -> Selection {
    let given = request.base_directory.as_deref().unwrap_or(".");
    // Names without their folders would lead links astray.
    let links = request.enable_symlinks && !request.discard_paths;
    let mut selection = Selection::default();
    let mut found = BTreeMap::new();
    selection.lines.push(format!("Expanding base directory path: {given}"));
    selection.lines.push("Assembling file list".into());
    selection.lines.push(format!("Expanding {given}"));
    for base in bases(Path::new(&request.directory), given) {
        selection.lines.push(format!("Expanding file paths for base directory {}", base.display()));
        selection.lines.push("Assembling file list".into());
        for pattern in &request.files {
            selection.lines.push(format!("Expanding {pattern}"));
            let files = matching(&base, pattern, &request.exclude_paths, links);
            selection.lines.push(match files.len() {
                0 => format!("Skipping invalid file path {pattern}"),
                count => format!("Found {count} file(s)"),
            });
            let member = |file: String| {
                let link = link(&base, &file).filter(|_| links);
                let name = archive_name(&file, request.discard_paths);
                (name.clone(), Member { path: base.join(file), name, link })
            };
            found.extend(files.into_iter().map(member));
        }
    }
    selection.files = found.into_values().collect();
    selection
}

/// The base folders: the given one, or all that a glob matches.
fn bases(directory: &Path, given: &str) -> Vec<PathBuf> {
    if !has_wildcard(given) {
        return vec![directory.join(given)];
    }
    let folders = walk(directory, false).into_iter().filter(|(_, is_folder)| *is_folder);
    folders.filter(|(name, _)| glob_match(plain(given), name)).map(|(name, _)| directory.join(name)).collect()
}

fn matching(base: &Path, pattern: &str, exclude: &[String], links: bool) -> Vec<String> {
    let excluded = |name: &str| exclude.iter().any(|pattern| glob_match(plain(pattern), name));
    let plain = plain(pattern);
    if !has_wildcard(plain) {
        let is_there = base.join(plain).is_file() || (links && link(base, plain).is_some());
        let there = is_there && !excluded(plain);
        return if there { vec![plain.to_owned()] } else { vec![] };
    }
    let files = walk(base, links).into_iter().filter(|(_, is_folder)| !is_folder).map(|(name, _)| name);
    files.filter(|name| glob_match(plain, name) && !excluded(name)).collect()
}

fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

/// `./a` and `a` are one; `a/` means the folder.
fn plain(pattern: &str) -> &str {
    let pattern = pattern.trim_end_matches('/');
    pattern.trim_start_matches("./")
}

fn archive_name(name: &str, discard_paths: bool) -> String {
    let kept = if discard_paths { name.rsplit('/').next().unwrap_or(name) } else { name };
    // A name that leads out of the base, absolute or by `..`, becomes one inside the zip.
    let parts = kept.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
    parts.collect::<Vec<_>>().join("/")
}

/// Where the link of this name leads, if to somewhere below `base`.
fn link(base: &Path, name: &str) -> Option<String> {
    let target = fs::read_link(base.join(name)).ok()?;
    let target = target.to_str().filter(|target| stays_inside(Path::new(name), Path::new(target)))?;
    Some(target.to_owned())
}

/// All files and folders below `base`, as names relative to it. Links to files count as files, and with `links` all
/// that stay below `base`; links to folders are not followed, for they may lead in circles.
fn walk(base: &Path, links: bool) -> Vec<(String, bool)> {
    let mut found = vec![];
    let mut folders = vec![(String::new(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(base.join(&folder)).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && depth < MAX_DEPTH {
                folders.push((name.clone(), depth + 1));
            }
            if is_folder || entry.path().is_file() || (links && link(base, &name).is_some()) {
                found.push((name, is_folder));
            }
        }
    }
    found
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.txt", "b.md", "sub/a.txt", "sub/deep/c.txt", ".git/config", "my-build1/x", "my-build2/y"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        std::os::unix::fs::symlink("..", folder.path().join("sub/up")).unwrap();
        folder
    }

    fn names(folder: &Path, request: ArtifactRequest) -> Vec<String> {
        let request = ArtifactRequest { directory: folder.display().to_string(), ..request };
        select(&request).files.into_iter().map(|file| file.name).collect()
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn globs_mean_what_codebuild_means() {
        let folder = tree();
        let table = [
            ("**/*", ".git/config a.txt b.md my-build1/x my-build2/y sub/a.txt sub/deep/c.txt"),
            ("*", "a.txt b.md"),
            ("./a.txt", "a.txt"),
            ("*.txt sub/*", "a.txt sub/a.txt"),
            ("sub/**/*", "sub/a.txt sub/deep/c.txt"),
            ("**/*.txt", "a.txt sub/a.txt sub/deep/c.txt"),
            ("missing b.md", "b.md"),
            ("sub", ""),
        ];
        for (files, expected) in table {
            let request = ArtifactRequest { files: words(files), ..ArtifactRequest::default() };
            assert_eq!(names(folder.path(), request), words(expected), "{files}");
        }
    }

    #[test]
    fn base_exclude_and_discard() {
        let folder = tree();
        let all = |base: Option<&str>, exclude: &str, discard_paths| ArtifactRequest {
            files: words("**/*"),
            base_directory: base.map(str::to_owned),
            exclude_paths: words(exclude),
            discard_paths,
            ..ArtifactRequest::default()
        };
        assert_eq!(names(folder.path(), all(Some("sub"), "", false)), ["a.txt", "deep/c.txt"]);
        assert_eq!(names(folder.path(), all(Some("my-build*"), "", false)), ["x", "y"]);
        assert_eq!(
            names(folder.path(), all(None, "**/.*/**/* my-*/* sub/*", false)),
            words("a.txt b.md sub/deep/c.txt")
        );
        assert_eq!(names(folder.path(), all(Some("sub"), "", true)), ["a.txt", "c.txt"]);
        assert_eq!(names(folder.path(), all(Some("none"), "", false)), Vec::<String>::new());
    }

    #[test]
    fn names_in_the_zip_stay_inside() {
        assert_eq!(archive_name("../../etc/passwd", false), "etc/passwd");
        assert_eq!(archive_name("/a/./b", false), "a/b");
        assert_eq!(archive_name("a/b", true), "b");
    }

    #[test]
    fn the_log_says_what_was_not_there() {
        let folder = tree();
        let request = ArtifactRequest {
            directory: folder.path().display().to_string(),
            files: words("missing b.md"),
            ..ArtifactRequest::default()
        };
        let lines = select(&request).lines;
        assert!(lines.contains(&"Skipping invalid file path missing".to_owned()), "{lines:?}");
        assert!(lines.contains(&"Found 1 file(s)".to_owned()));
    }
}
