//! Reading objects: one `git cat-file` that answers one question after the other.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::{Git, GitError};
use crate::rules::objects::{self, Entry, Kind};
use crate::rules::specifier::is_object_id;

/// The largest commit or tree that is read.
const LARGEST_OBJECT: u64 = 20 * 1024 * 1024;

/// An object that was asked for.
pub(crate) enum Found {
    Missing,
    /// Larger than was asked for; the reader is of no further use.
    TooLarge(u64),
    Object {
        id: String,
        content: Vec<u8>,
    },
}

/// Reads objects of one repository.
pub(crate) struct ObjectReader {
    _git: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Git {
    /// A reader of the repository in `folder`.
    pub(crate) fn objects(&self, folder: &Path) -> Result<ObjectReader, GitError> {
        let mut command = self.command(folder);
        command.args(["cat-file", "--batch"]).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut git = command.spawn()?;
        let pipes = (git.stdin.take(), git.stdout.take());
        let (Some(questions), Some(answers)) = pipes else { return Err(unexpected("no pipes")) };
        Ok(ObjectReader { _git: git, questions, answers: BufReader::new(answers) })
    }
}

impl ObjectReader {
    /// The object named by `id`, followed through tags to a `kind` (`commit`, `tree`) if one is given.
    pub(crate) async fn read(&mut self, id: &str, kind: Option<&str>, largest: u64) -> Result<Found, GitError> {
        if !is_object_id(id) {
            return Ok(Found::Missing);
        }
        let question = kind.map_or_else(|| format!("{id}\n"), |kind| format!("{id}^{{{kind}}}\n"));
        self.questions.write_all(question.as_bytes()).await?;
        self.questions.flush().await?;
        let mut head = String::new();
        self.answers.read_line(&mut head).await?;
        let words: Vec<&str> = head.split_whitespace().collect();
        let [id, _kind, size] = words[..] else {
            return if head.ends_with(" missing\n") { Ok(Found::Missing) } else { Err(unexpected(&head)) };
        };
        let size: u64 = size.parse().map_err(|_| unexpected(&head))?;
        if size > largest {
            return Ok(Found::TooLarge(size));
        }
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // A line feed follows the content.
        (&mut self.answers).take(size + 1).read_to_end(&mut content).await?;
        match content.pop() {
            Some(b'\n') => Ok(Found::Object { id: id.to_owned(), content }),
            _ => Err(unexpected("an object that ends early")),
        }
    }

    /// The commit with its full id; `None` if there is none.
    pub(crate) async fn commit(&mut self, id: &str) -> Result<Option<(String, objects::Commit)>, GitError> {
        match self.read(id, Some("commit"), LARGEST_OBJECT).await? {
            Found::Object { id, content, .. } => Ok(objects::commit(&content).map(|commit| (id, commit))),
            Found::TooLarge(size) => Err(unexpected(&format!("a commit of {size} bytes"))),
            Found::Missing => Ok(None),
        }
    }

    /// The entries of a tree; `None` if there is none.
    pub(crate) async fn tree(&mut self, id: &str) -> Result<Option<Vec<Entry>>, GitError> {
        match self.read(id, Some("tree"), LARGEST_OBJECT).await? {
            Found::Object { content, .. } => Ok(Some(objects::tree(&content))),
            Found::TooLarge(size) => Err(unexpected(&format!("a tree of {size} bytes"))),
            Found::Missing => Ok(None),
        }
    }

    /// What lies at `path` below the tree `root`; `None` if nothing does.
    pub(crate) async fn entry(&mut self, root: &str, path: &[&str]) -> Result<Option<Entry>, GitError> {
        let mut at = Entry { kind: Kind::Folder, name: String::new(), id: root.to_owned() };
        for name in path {
            if at.kind != Kind::Folder {
                return Ok(None);
            }
            let entries = self.tree(&at.id).await?.unwrap_or_default();
            match entries.into_iter().find(|entry| entry.name == *name) {
                Some(entry) => at = entry,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }
}

fn unexpected(what: &str) -> GitError {
    GitError::Unexpected(what.chars().take(200).collect())
}
