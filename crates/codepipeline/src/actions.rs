//! The action providers that Landfall can run, one file each.
//!
//! A provider starts something outside and later looks at it. Both may be called again for the same [`Job`] after a restart, so
//! starting is idempotent by [`Job::token`]; looking only reads.

mod approval;
mod codebuild;
mod codecommit;
mod codedeploy;
mod failure;
mod s3_deploy;
mod s3_source;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use kernel::{Caller, Timestamp};

use crate::model::{Artifact, External, Revision};
use crate::rules::definition::ActionKind;
use crate::rules::start::RevisionOverride;
use crate::service::Service;

pub(crate) use failure::Trouble;

/// An action about to run, or running.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Who does it: the pipeline's or the action's role, in the action's region, on the pipeline's behalf.
    pub(crate) caller: Caller,
    /// The pipeline's name.
    pub(crate) pipeline: String,
    /// The pipeline execution's id.
    pub(crate) execution: String,
    /// The action's name.
    pub(crate) action: String,
    /// Unique to this attempt: the action execution's id.
    pub(crate) token: String,
    /// The settings, variables resolved.
    pub(crate) configuration: BTreeMap<String, String>,
    /// What it reads, in the order of declaration.
    pub(crate) inputs: Vec<Artifact>,
    /// Where it is to put what it makes.
    pub(crate) outputs: Vec<Artifact>,
    /// The source revision that its primary input came from.
    pub(crate) source_revision: Option<String>,
    /// The revision that an earlier attempt at this action took, of a source action.
    pub(crate) found_before: Option<String>,
    /// The revision to take instead of the latest, of a source action.
    pub(crate) wanted: Option<RevisionOverride>,
    /// When the action started.
    pub(crate) started: Timestamp,
    /// When it fails for taking too long.
    pub(crate) deadline: Timestamp,
    /// Whether an earlier process may have begun to start it.
    pub(crate) again: bool,
}

impl Job {
    /// A setting, which validation made sure is there if the provider requires it.
    pub(crate) fn setting(&self, key: &str) -> &str {
        self.configuration.get(key).map(String::as_str).unwrap_or_default()
    }
}

/// How far an action is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Course {
    /// It runs outside; look again.
    Runs(External),
    /// It has succeeded.
    Done(Box<Completion>),
}

impl Course {
    pub(crate) fn done(completion: Completion) -> Self {
        Self::Done(Box::new(completion))
    }
}

/// What a successful action leaves behind.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Completion {
    /// In a line.
    pub(crate) summary: Option<String>,
    /// Output variables.
    pub(crate) variables: BTreeMap<String, String>,
    /// What a source action found.
    pub(crate) revision: Option<Revision>,
}

/// How long after its last look a waiting action is looked at again if no event wakes it.
const SAFETY_NET: Duration = Duration::from_secs(60);

/// Something that can run actions of one type.
#[async_trait]
pub(crate) trait Provider: Send + Sync {
    /// Starts the action; does it whole if that takes no time. Called again with [`Job::again`], it goes on with what was begun.
    async fn start(&self, service: &Service, job: &Job) -> Result<Course, Trouble>;

    /// Looks how far the action is that runs outside under `id`.
    async fn look(&self, service: &Service, job: &Job, external: &External) -> Result<Course, Trouble>;

    /// How long after a look the action is looked at again if nothing wakes it; nothing if only its time limit is to be seen to.
    fn looks_every(&self) -> Option<Duration> {
        Some(SAFETY_NET)
    }

    /// What there is to say of an action while it runs.
    fn remark(&self, _job: &Job) -> Option<String> {
        None
    }
}

/// Who runs actions of that type; nobody yet for the rest of the catalogue.
pub(crate) fn provider(kind: &ActionKind) -> Option<&'static dyn Provider> {
    match (kind.owner.as_str(), kind.category.as_str(), kind.provider.as_str()) {
        ("AWS", "Source", "CodeCommit") => Some(&codecommit::CodeCommitSource),
        ("AWS", "Source", "S3") => Some(&s3_source::S3Source),
        ("AWS", "Build" | "Test", "CodeBuild") => Some(&codebuild::CodeBuildAction),
        ("AWS", "Deploy", "CodeDeploy") => Some(&codedeploy::CodeDeployAction),
        ("AWS", "Deploy", "S3") => Some(&s3_deploy::S3Deploy),
        ("AWS", "Approval", "Manual") => Some(&approval::ManualApproval),
        _ => None,
    }
}
