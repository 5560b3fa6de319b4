//! The documents: repositories, the references announced so far, and pushes in progress.

use kernel::{Document, Index, Scope, Timestamp, tags::Tags};
use serde::{Deserialize, Serialize};

/// A repository. Its Git folder is named by its id, so that renaming moves nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    /// The branch's name without `refs/heads/`; absent until the first branch is pushed.
    pub(crate) default_branch: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
}

impl Repository {
    /// The index that lists all repositories of a scope by their last modification.
    pub(crate) const BY_MODIFICATION: &'static str = "modified";
    /// The index that finds a repository by its id.
    pub(crate) const BY_ID: &'static str = "id";

    pub(crate) fn arn(&self, scope: &Scope) -> String {
        kernel::Arn::new("codecommit", scope, &self.name).to_string()
    }
}

impl Document for Repository {
    const KIND: &'static str = "codecommit.repository";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn indexes(&self) -> Vec<Index> {
        let modified = format!("{:015}", self.modified.millis().max(0));
        vec![Index::new(Self::BY_MODIFICATION, "").sorted(modified), Index::new(Self::BY_ID, &self.id)]
    }
}

/// A reference as it was last announced by an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reference {
    /// The id of the repository.
    pub(crate) repository: String,
    /// The full name, `refs/heads/main`.
    pub(crate) name: String,
    /// What it points at: a commit, for annotated tags the tag.
    pub(crate) target: String,
}

/// Where branches live.
pub(crate) const HEADS: &str = "refs/heads/";
/// Where tags live.
pub(crate) const TAGS: &str = "refs/tags/";

impl Reference {
    pub(crate) fn key_of(repository: &str, name: &str) -> String {
        format!("{repository}/{name}")
    }
}

impl Document for Reference {
    const KIND: &'static str = "codecommit.reference";

    fn key(&self) -> String {
        Self::key_of(&self.repository, &self.name)
    }
}

/// One change of a reference that a push asks for. Absent sides mean that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
}

/// A push that has begun: written before Git changes anything, removed with the events of what it changed. After
/// a crash it says who pushed and in which steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Push {
    pub(crate) repository: String,
    /// Sorts by time.
    pub(crate) id: String,
    /// Who pushed.
    pub(crate) caller_arn: String,
    /// At most [`Push::MOST_COMMANDS`]; of a larger push the rest is found by comparing.
    pub(crate) commands: Vec<Command>,
    /// When to settle it if its own process has not.
    pub(crate) due: Timestamp,
}

impl Push {
    /// So many commands of the longest kind fit into a document.
    pub(crate) const MOST_COMMANDS: usize = 40;
}

impl Document for Push {
    const KIND: &'static str = "codecommit.push";

    fn key(&self) -> String {
        format!("{}/{}", self.repository, self.id)
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.due)
    }
}

/// A deleted repository whose folder and references are still to be cleared away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Removal {
    /// The id of the repository.
    pub(crate) repository: String,
    pub(crate) due: Timestamp,
}

impl Document for Removal {
    const KIND: &'static str = "codecommit.removal";

    fn key(&self) -> String {
        self.repository.clone()
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.due)
    }
}
