//! Projects.

use kernel::{Document, Index, Large, Timestamp};
use serde::{Deserialize, Serialize};

/// A project as AWS describes it, with its inline buildspec set apart, for that may be long.
///
/// Invariant: `settings` obey [`crate::rules::project::check`], and `settings.source.buildspec` is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Everything but the buildspec.
    pub settings: aws::codebuild::Project,
    /// `source.buildspec`, where it was given.
    pub buildspec: Option<Large>,
}

/// The indexes of [`Project`]: all projects of a scope by the time they were made, and by their last change.
pub(crate) const BY_CREATED: &str = "created";
/// See [`BY_CREATED`].
pub(crate) const BY_MODIFIED: &str = "modified";
/// The only value of both indexes.
pub(crate) const ALL: &str = "all";

impl Project {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.settings.name.as_deref().unwrap_or_default()
    }
}

impl Document for Project {
    const KIND: &'static str = "codebuild.project";

    fn key(&self) -> String {
        self.name().to_owned()
    }

    fn indexes(&self) -> Vec<Index> {
        let row = |name, time: Option<Timestamp>| Index::new(name, ALL).sorted(sort_key(time.unwrap_or_default()));
        vec![row(BY_CREATED, self.settings.created), row(BY_MODIFIED, self.settings.last_modified)]
    }
}

/// A time as text that sorts as the time does.
pub(crate) fn sort_key(time: Timestamp) -> String {
    format!("{:015}", time.millis().max(0))
}

/// The last build number given out in a project; it outlives the project, for numbers are never used twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The project's name.
    pub project: String,
    /// The number of its newest build.
    pub last: i64,
}

impl Document for Counter {
    const KIND: &'static str = "codebuild.counter";

    fn key(&self) -> String {
        self.project.clone()
    }
}
