//! `manifest.jsonl`: what a backup holds. The first line tells of the backup, each further one of a file or folder.

use crate::exit::user_error;
use anyhow::Context as _;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

/// The file in the backup's folder.
pub(super) const FILE: &str = "manifest.jsonl";

/// The format of backups that this release writes; it reads all up to this.
pub(super) const FORMAT: u32 = 1;

/// The longest line: Linux's longest path, each byte encoded, and the rest.
const LONGEST_LINE: u64 = 16 * 1024;

/// Bytes of a path that are written as `%XX`: what is no text, and `%` itself.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// What the first line tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    /// [`FORMAT`].
    pub(super) landfall_backup: u32,
    /// The version that made it.
    pub(super) landfall: String,
    /// When it was begun, in ISO 8601; also in milliseconds since the epoch.
    pub(super) time: String,
    pub(super) millis: i64,
    /// The data folder's format ([`kernel::store::FORMAT`]).
    pub(super) folder_format: i64,
    /// How many files, and their bytes.
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Of all lines but this one.
    pub(super) sha256: String,
}

/// A file, or a folder where there is no content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Relative to the data folder; bytes that are no text as `%XX`.
    path: String,
    /// Permissions.
    pub(super) mode: u32,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Content>,
}

/// A file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) sha256: String,
    pub(super) size: u64,
    /// When the file was last written, in nanoseconds since the epoch.
    pub(super) written: i64,
}

/// A whole manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) header: Header,
    pub(super) entries: Vec<Entry>,
}

impl Entry {
    pub(super) fn new(path: &Path, mode: u32, content: Option<Content>) -> Self {
        let path = percent_encode(path.as_os_str().as_bytes(), ENCODED).to_string();
        Self { path, mode: mode & 0o777, content }
    }

    /// The path as it is written, for people.
    pub(super) fn name(&self) -> &str {
        &self.path
    }

    /// The path; `None` if it leads out of the data folder.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let bytes: Vec<u8> = percent_decode_str(&self.path).collect();
        let path = PathBuf::from(OsStr::from_bytes(&bytes));
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        (inside && !path.as_os_str().is_empty() && !bytes.contains(&0)).then_some(path)
    }
}

impl Manifest {
    /// Writes it in the place of the one before, if any: after a crash one of them is there whole.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let mut lines = Vec::new();
        for entry in &self.entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        let header = Header { sha256: hex::encode(Sha256::digest(&lines)), ..self.header.clone() };
        let temporary = dir.join(format!("{FILE}.new"));
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(format!("{}\n", serde_json::to_string(&header)?).as_bytes())?;
        file.write_all(&lines)?;
        file.sync_all()?;
        fs::rename(temporary, dir.join(FILE))?;
        File::open(dir)?.sync_all()
    }

    /// The manifest of the backup in `dir`; `None` if there is none.
    ///
    /// # Errors
    /// It was made by a newer release, or it is damaged.
    pub(super) fn read(dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = dir.join(FILE);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.with_context(|| path.display().to_string())?,
        };
        let damaged =
            |why: String| user_error(format!("{} is damaged: {why}; restore from another backup", path.display()));
        let mut lines = Lines(BufReader::new(file));
        let first = lines.next().map_err(&damaged)?.ok_or_else(|| damaged("it is empty".to_owned()))?;
        let header = read_header(&first).map_err(|why| match why {
            Unread::Newer(format) => user_error(format!(
                "{} has backup format {format}, this landfall knows formats up to {FORMAT}; use a newer release",
                path.display()
            )),
            Unread::Damaged(why) => damaged(why),
        })?;
        let mut hash = Sha256::new();
        let mut entries = Vec::new();
        while let Some(line) = lines.next().map_err(&damaged)? {
            hash.update(&line);
            entries.push(read_entry(&line).map_err(|why| damaged(format!("line {}: {why}", entries.len() + 2)))?);
        }
        if hex::encode(hash.finalize()) != header.sha256 {
            return Err(damaged("its lines are not those that were written".to_owned()));
        }
        Ok(Some(Self { header, entries }))
    }
}

/// Why the first line is of no use.
enum Unread {
    Newer(u64),
    Damaged(String),
}

fn read_header(line: &[u8]) -> Result<Header, Unread> {
    let damaged = |error: serde_json::Error| Unread::Damaged(format!("line 1: {error}"));
    let value: serde_json::Value = serde_json::from_slice(line).map_err(damaged)?;
    // A newer release may have other members: the format says so before they are looked at.
    match value["landfallBackup"].as_u64() {
        Some(format) if format > u64::from(FORMAT) => Err(Unread::Newer(format)),
        Some(_) => serde_json::from_value(value).map_err(damaged),
        None => Err(Unread::Damaged("line 1: no landfallBackup".to_owned())),
    }
}

fn read_entry(line: &[u8]) -> Result<Entry, String> {
    let entry: Entry = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if entry.path().is_none() {
        return Err(format!("'{}' is no path in a data folder", entry.path));
    }
    match &entry.content {
        Some(content) if !is_digest(&content.sha256) => Err(format!("'{}' is no SHA-256", content.sha256)),
        _ => Ok(entry),
    }
}

struct Lines(BufReader<File>);

impl Lines {
    /// The next line with its end.
    fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut line = Vec::new();
        let read = self.0.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        match read.map_err(|error| error.to_string())? {
            0 => Ok(None),
            _ if line.ends_with(b"\n") => Ok(Some(line)),
            _ => Err("it breaks off, or a line is too long".to_owned()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let content = Content { sha256: "ab".repeat(32), size: 7, written: 1_700_000_000_000_000_001 };
        let odd = OsStr::from_bytes(b"git/1.git/refs/heads/caf\xe9 100%");
        let header = Header {
            landfall_backup: FORMAT,
            landfall: "0.1.0".to_owned(),
            time: "2026-01-01T00:00:00Z".to_owned(),
            millis: 1_767_225_600_000,
            folder_format: 2,
            files: 1,
            bytes: 7,
            sha256: String::new(),
        };
        let entries =
            vec![Entry::new(Path::new("git"), 0o40700, None), Entry::new(Path::new(odd), 0o100_644, Some(content))];
        Manifest { header, entries }
    }

    fn read_changed(change: impl Fn(String) -> String) -> String {
        let dir = tempfile::tempdir().expect("a folder");
        manifest().write(dir.path()).expect("written");
        let file = dir.path().join(FILE);
        let text = fs::read_to_string(&file).expect("text");
        fs::write(&file, change(text)).expect("changed");
        Manifest::read(dir.path()).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_written_reads_back_with_any_path() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(Manifest::read(dir.path()).expect("none yet"), None);
        for _ in 0..2 {
            manifest().write(dir.path()).expect("written");
        }
        let read = Manifest::read(dir.path()).expect("read").expect("it is there");
        assert_eq!(read.entries, manifest().entries);
        assert_eq!(read.entries[1].name(), "git/1.git/refs/heads/caf%E9 100%25");
        let path = read.entries[1].path().expect("a path inside");
        assert_eq!(path.as_os_str().as_bytes(), b"git/1.git/refs/heads/caf\xe9 100%");
        assert_eq!((read.entries[0].mode, read.entries[1].mode), (0o700, 0o644));
    }

    #[test]
    fn damage_is_told_and_a_newer_format_too() {
        for (change, part) in [
            (&(|text: String| text.replace("\"size\":7", "\"size\":8")) as &dyn Fn(String) -> String, "not those"),
            (&|text: String| text.replace("abab", "xyab"), "no SHA-256"),
            (&|text: String| text.replace("\"path\":\"git\"", "\"path\":\"../x\""), "no path in a data folder"),
            (&|text: String| text.replace("\"path\":\"git\"", "\"path\":\"/x\""), "no path in a data folder"),
            (&|text: String| text.trim_end().to_owned(), "breaks off"),
            (&|text: String| text.lines().next().map(|line| format!("{line}\n")).unwrap_or_default(), "not those"),
            (&|text: String| text.replace("\"files\":1", "\"files\":"), "line 1"),
            (&|_| String::new(), "empty"),
            (&|_| "{}\n".to_owned(), "no landfallBackup"),
            (&|text: String| text.replace("\"landfallBackup\":1", "\"landfallBackup\":9"), "format 9"),
        ] {
            let error = read_changed(change);
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
