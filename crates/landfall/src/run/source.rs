//! What is built: a folder as it is, or a version of its repository, given to builds as CodeCommit would give them a
//! working copy.

use super::arguments::Arguments;
use super::tree::{self, Checkout, Choice, Repository, Tree};
use crate::exit::user_error;
use async_trait::async_trait;
use aws::Error;
use aws::internal::codecommit::{Checkout as WorkingCopy, Sources};
use aws::s3::Body;
use kernel::Caller;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder, ready to be built.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// As the user named it.
    pub(crate) named: PathBuf,
    pub(crate) tree: Arc<Tree>,
    /// The commit that it is, or that it has grown from.
    pub(crate) checkout: Option<Checkout>,
}

impl Source {
    /// The folder that the command line names, at the version that it names, which is laid out below `home`. Blocks.
    ///
    /// # Errors
    /// The user's: what cannot be read, a version that is not there.
    pub(crate) fn prepare(arguments: &Arguments, home: &Path) -> anyhow::Result<Self> {
        match &arguments.source_version {
            Some(version) => Self::at(&arguments.dir, version, home),
            None => Self::as_it_is(&arguments.dir, &choice(arguments)),
        }
    }

    /// The files of a folder as they are now.
    pub(crate) fn as_it_is(folder: &Path, choice: &Choice) -> anyhow::Result<Self> {
        let tree = Tree::list(folder, choice)?;
        let repository = if choice.include_ignored { Ok(None) } else { Repository::of(&tree.root) };
        let checkout = repository?.map(|repository| repository.checkout()).transpose()?.flatten();
        Ok(Self { named: folder.to_owned(), tree: Arc::new(tree), checkout })
    }

    fn at(folder: &Path, version: &str, home: &Path) -> anyhow::Result<Self> {
        let canonical = folder.canonicalize()?;
        let Some(repository) = Repository::of(&canonical)? else {
            return Err(user_error(format!(
                "--source-version {version}: {} is in no Git repository; without the flag its files are built as they are",
                folder.display()
            )));
        };
        let copy = home.join("source");
        let (commit, part) = repository.check_out(version, &copy)?;
        let part = copy.join(part);
        if !part.is_dir() {
            return Err(user_error(format!(
                "--source-version {version}: there was no folder {} then",
                folder.display()
            )));
        }
        let tree = Tree::list(&part, &Choice { include_ignored: true, ..Choice::default() })?;
        let checkout = Checkout { commit, branch: version.to_owned(), ..Checkout::default() };
        Ok(Self { named: folder.to_owned(), tree: Arc::new(tree), checkout: Some(checkout) })
    }

    /// The commit's full id.
    pub(crate) fn commit(&self) -> Option<&str> {
        self.checkout.as_ref().map(|checkout| checkout.commit.as_str())
    }

    /// In a few words: where it is, which commit, how much.
    pub(crate) fn said(&self) -> String {
        let (files, size) = self.tree.measure();
        let size = crate::terminal::bytes(size);
        let at = self.checkout.as_ref().map_or_else(String::new, |checkout| {
            let changed = if checkout.changed { " with changes" } else { "" };
            format!(" at {}{changed}", checkout.commit.get(..7).unwrap_or_default())
        });
        let named = if self.named == Path::new(".") { self.tree.root.as_path() } else { self.named.as_path() };
        format!("{}{at}, {files} {}, {size}", named.display(), if files == 1 { "file" } else { "files" })
    }

    /// What of the folder builds do not get, as a sentence; nothing where they get all.
    pub(crate) fn left_out(&self) -> Option<String> {
        let (first, more) = self.tree.left_out.split_first()?;
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        Some(format!(
            "left out: {}{more}, for a build gets files, folders, and links that stay in its folder",
            first.display()
        ))
    }

    /// A name for the build's project: the folder's, as far as project names allow.
    pub(crate) fn project(&self) -> String {
        let folder = match self.named.canonicalize() {
            Ok(path) => path,
            Err(_) => self.tree.root.clone(),
        };
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        project_name(&name)
    }
}

/// Which files a run takes: never what runs have made.
pub(crate) fn choice(arguments: &Arguments) -> Choice {
    let out = arguments.artifacts.canonicalize().unwrap_or_else(|_| arguments.artifacts.clone());
    Choice { include_ignored: arguments.include_ignored, without: vec![out], ..Choice::default() }
}

fn project_name(folder: &str) -> String {
    let legal = |character: char| if character.is_ascii_alphanumeric() || character == '_' { character } else { '-' };
    let name: String = folder.chars().map(legal).collect();
    let name = name.trim_start_matches(['-', '_']).chars().take(60).collect::<String>();
    if name.len() < 2 { "build".to_owned() } else { name }
}

/// The folders as repositories, by the names that builds ask for.
pub(crate) struct Folders(pub(crate) BTreeMap<String, Source>);

impl Folders {
    fn find(&self, name: &str) -> Result<&Source, Error> {
        self.0.get(name).ok_or_else(|| {
            aws::codecommit::error::repository_does_not_exist_exception(format!(
                "{name} does not exist: landfall run has no repositories but the folder that is built"
            ))
        })
    }
}

#[async_trait]
impl Sources for Folders {
    async fn archive(&self, _: &Caller, repository: &str, _: &str) -> Result<Body, Error> {
        Ok(tree::zip(Arc::clone(&self.find(repository)?.tree)))
    }

    async fn checkout(
        &self,
        _: &Caller,
        repository: &str,
        _: Option<&str>,
        _: Option<u32>,
    ) -> Result<WorkingCopy, Error> {
        let source = self.find(repository)?;
        Ok(WorkingCopy { commit: source.commit().map(str::to_owned), tar: tree::tar(Arc::clone(&source.tree)) })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_project_a_name() {
        for (folder, name) in
            [("app", "app"), ("my app.v2", "my-app-v2"), (".hidden", "hidden"), ("ü", "build"), ("", "build")]
        {
            assert_eq!(project_name(folder), name);
            assert!(codebuild::rules::ids::is_project_name(name));
        }
    }

    #[test]
    fn what_is_built_is_said_in_a_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "12345").unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("out")).unwrap();
        let mut source = Source::as_it_is(folder.path(), &Choice::default()).unwrap();
        assert_eq!(source.said(), format!("{}, 1 file, 5 B", folder.path().display()));
        assert!(source.left_out().unwrap().starts_with("left out: out, for"));
        source.checkout = Some(Checkout { commit: "0123456789".into(), changed: true, ..Checkout::default() });
        assert!(source.said().contains(" at 0123456 with changes, "), "{}", source.said());
    }
}
