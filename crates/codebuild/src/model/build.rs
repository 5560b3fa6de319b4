//! Builds.

use std::collections::BTreeMap;

use agent::protocol::server::Inbox;
use aws::internal::codebuild::PipelineContext;
use kernel::{Document, Index, Large, Timestamp};
use serde::{Deserialize, Serialize};

use super::Plan;
use super::project::{ALL, sort_key};
use crate::rules::ids;
use crate::rules::phases::Life;

/// One build, from its acceptance on.
///
/// Invariants: the plan never changes; phases only go forward; `inbox` counts exactly the agent's reports whose effects
/// are in this document and in the log; nothing changes once the life is complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// `project:uuid`.
    pub id: String,
    /// The project's name.
    pub project: String,
    /// Its number in the project, from 1.
    pub number: i64,
    /// What it does.
    pub plan: Plan,
    /// The project's inline buildspec; from the end of DOWNLOAD_SOURCE on the text that runs.
    pub buildspec: Option<Large>,
    /// Whether `buildspec` was given inline and is a member of `source` in answers.
    pub inline_buildspec: bool,
    /// The pipeline that it works for.
    pub pipeline: Option<PipelineContext>,
    /// Who started it, in AWS's short form.
    pub initiator: String,
    /// Its phases.
    pub life: Life,
    /// StopBuild was called.
    #[serde(default)]
    pub stop_requested: bool,
    /// The commit (or S3 version) that the primary source is at.
    #[serde(default)]
    pub resolved_source_version: Option<String>,
    /// Where its log is, from PROVISIONING on.
    #[serde(default)]
    pub log: Option<LogPlace>,
    /// What the agent reported so far.
    #[serde(default)]
    pub inbox: Inbox,
    /// How far the log was then.
    #[serde(default)]
    pub logged: Logged,
    /// What selects the runtimes of the buildspec's `runtime-versions`; from the end of DOWNLOAD_SOURCE on.
    #[serde(default)]
    pub runtimes: Vec<String>,
    /// Values of the exported variables.
    #[serde(default)]
    pub exported: BTreeMap<String, String>,
    /// Names of artifacts as the build's shell evaluated them, in the order of [`Build::artifact_names`]' requests.
    #[serde(default)]
    pub artifact_names: Vec<Option<String>>,
    /// Artifacts that are in their buckets.
    #[serde(default)]
    pub uploads: Vec<Upload>,
    /// Which try it is.
    #[serde(default)]
    pub tries: Tries,
    /// The image that it runs on, as the engine names it: known before its container is started, and the same when that
    /// is done again.
    #[serde(default)]
    pub image: Option<String>,
    /// The prepared container that it claimed; it has that one and no other.
    #[serde(default)]
    pub claimed: Option<String>,
}

/// A build's place among the tries of one start, which follow each other by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// How many builds went before it.
    pub number: i32,
    /// The one before.
    pub previous: Option<String>,
    /// The one after; there with the commit that completes this one.
    pub next: Option<String>,
}

/// A log stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlace {
    /// The log group.
    pub group: String,
    /// The stream in it.
    pub stream: String,
}

/// How far a build's log is. Times in it never run backwards, so this is a place: a server that takes the build over finds
/// behind it what the one before wrote and could not record any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logged {
    /// The time of the last line.
    pub last: Timestamp,
    /// How many lines have this time.
    pub at_last: u64,
}

impl Logged {
    /// One line more.
    pub fn count(&mut self, time: Timestamp) {
        self.at_last = if time == self.last { self.at_last + 1 } else { 1 };
        self.last = time;
    }
}

/// An artifact in its bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The identifier of a secondary artifact.
    pub identifier: Option<String>,
    /// ARN of the object or folder.
    pub location: String,
    /// SHA-256 of a zip, in hex.
    pub sha256: Option<String>,
    /// MD5 of a zip, in hex.
    pub md5: Option<String>,
}

/// Index: all builds of a scope by their start.
pub(crate) const BY_START: &str = "start";
/// Index: the builds of one project by their number.
pub(crate) const BY_PROJECT: &str = "project";
/// Index: the builds of one project that are not complete.
pub(crate) const ACTIVE: &str = "active";
/// Index: the build that is not complete and has this container.
pub(crate) const BY_CONTAINER: &str = "container";

impl Build {
    /// The second half of its id.
    #[must_use]
    pub fn uuid(&self) -> &str {
        self.id.rsplit_once(':').map_or(self.id.as_str(), |(_, uuid)| uuid)
    }

    /// When it was accepted.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        self.life.phases.first().map(|phase| phase.start).unwrap_or_default()
    }

    /// When it was complete.
    #[must_use]
    pub fn ended(&self) -> Option<Timestamp> {
        self.life.phases.last().filter(|_| self.life.is_complete()).map(|phase| phase.start)
    }

    /// The id of its container and the name of its socket folder.
    #[must_use]
    pub fn container(&self) -> String {
        self.claimed.clone().unwrap_or_else(|| ids::container_id(self.uuid()))
    }
}

impl Document for Build {
    const KIND: &'static str = "codebuild.build";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn indexes(&self) -> Vec<Index> {
        let mut rows = vec![
            Index::new(BY_START, ALL).sorted(sort_key(self.started())),
            Index::new(BY_PROJECT, &self.project).sorted(format!("{:012}", self.number)),
        ];
        if !self.life.is_complete() {
            rows.push(Index::new(ACTIVE, &self.project).sorted(sort_key(self.started())));
            rows.push(Index::new(BY_CONTAINER, self.container()));
        }
        rows
    }

    /// Until it is complete a build is always due: one step carries it from QUEUED to COMPLETED, older builds first.
    fn due(&self) -> Option<Timestamp> {
        (!self.life.is_complete()).then(|| self.started())
    }
}

/// The build that a pipeline's client token started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineStart {
    /// Derived from the pipeline's execution, action and attempt.
    pub token: String,
    /// The build's id.
    pub build: String,
}

impl Document for PipelineStart {
    const KIND: &'static str = "codebuild.pipeline-start";

    fn key(&self) -> String {
        self.token.clone()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{Context, PhaseType, Status};

    /// A build that was accepted at `seconds`.
    pub(crate) fn build(seconds: i64) -> Build {
        Build {
            id: "demo:01234567-89ab-4cde-8f01-23456789abcd".into(),
            project: "demo".into(),
            number: 7,
            plan: Plan { timeout_in_minutes: 60, queued_timeout_in_minutes: 480, ..Plan::default() },
            buildspec: None,
            inline_buildspec: false,
            pipeline: None,
            initiator: "root".into(),
            life: Life::submitted(Timestamp::from_seconds(seconds)),
            stop_requested: false,
            resolved_source_version: None,
            log: None,
            inbox: Inbox::default(),
            logged: Logged::default(),
            exported: BTreeMap::new(),
            artifact_names: vec![],
            runtimes: vec![],
            uploads: vec![],
            tries: Tries::default(),
            image: None,
            claimed: None,
        }
    }

    #[test]
    fn a_claimed_container_takes_the_place_of_its_own() {
        let mut build = build(5);
        let own = build.container();
        assert!(own.starts_with("b-") && build.indexes().contains(&Index::new(BY_CONTAINER, own)));
        build.claimed = Some("p-1".into());
        assert_eq!(build.container(), "p-1");
        assert!(build.indexes().contains(&Index::new(BY_CONTAINER, "p-1")));
    }

    #[test]
    fn a_build_is_due_until_it_is_complete() {
        let mut build = build(5);
        assert_eq!(build.due(), Some(Timestamp::from_seconds(5)));
        assert_eq!(build.indexes().len(), 4);
        build.life.advance(Status::Stopped, Context::default(), Timestamp::from_seconds(6));
        assert_eq!((build.life.current(), build.due()), (PhaseType::Completed, None));
        assert_eq!((build.ended(), build.indexes().len()), (Some(Timestamp::from_seconds(6)), 2));
    }

    #[test]
    fn documents_survive_their_json() {
        let build = build(5);
        let text = serde_json::to_string(&build).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Build>(&text).ok(), Some(build));
    }
}
