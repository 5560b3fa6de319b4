//! A deployment.

use crate::rules::wave::{Host, MinimumHealthy, Progress};
use aws::codedeploy::{AutoRollbackConfiguration, RevisionLocation};
use kernel::{Document, Index, Timestamp};
use serde::{Deserialize, Serialize};

use super::sort_key;

/// The state of a deployment, under its name in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Accepted; its hosts are not chosen yet.
    Created,
    /// Its hosts are being deployed to.
    InProgress,
    /// Enough hosts succeeded.
    Succeeded,
    /// It could not start, or too many hosts failed.
    Failed,
    /// A user stopped it.
    Stopped,
}

impl Status {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }

    /// Whether nothing more will happen.
    pub fn ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped)
    }
}

/// `errorInformation` of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// For example `HEALTH_CONSTRAINTS`.
    pub code: String,
    /// One sentence.
    pub message: String,
}

impl Fault {
    /// A fault with a code of the API's enumeration.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// Hosts by progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// Not touched yet.
    pub pending: i64,
    /// Being deployed to.
    pub in_progress: i64,
    /// Ended well.
    pub succeeded: i64,
    /// Ended badly.
    pub failed: i64,
    /// Given up.
    pub skipped: i64,
}

impl Overview {
    /// Counts the hosts.
    pub fn of(hosts: &[Host]) -> Self {
        let count = |progress| hosts.iter().filter(|host| host.progress == progress).count() as i64;
        Self {
            pending: count(Progress::Pending),
            in_progress: count(Progress::InProgress),
            succeeded: count(Progress::Succeeded),
            failed: count(Progress::Failed),
            skipped: count(Progress::Skipped),
        }
    }
}

/// How a deployment and its rollback know each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The deployment that rolled this one back.
    pub by: Option<String>,
    /// The deployment that this one rolls back.
    pub of: Option<String>,
    /// Why there is none, or what it does.
    pub message: Option<String>,
}

/// A deployment of one revision to the hosts of one group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deployment {
    /// `d-` and nine letters or digits.
    pub id: String,
    /// The application's id.
    pub application_id: String,
    /// Its name when the deployment was made.
    pub application: String,
    /// The group's id.
    pub group_id: String,
    /// Its name when the deployment was made.
    pub group: String,
    /// The configuration's name.
    pub config: String,
    /// The configuration's minimum when the deployment was made.
    pub minimum: MinimumHealthy,
    /// What is deployed.
    pub revision: RevisionLocation,
    /// What the group had before.
    pub previous_revision: Option<RevisionLocation>,
    /// Where it is.
    pub status: Status,
    /// Why it failed or was stopped.
    pub fault: Option<Fault>,
    /// When it was made.
    pub created: Timestamp,
    /// When its hosts were chosen.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub completed: Option<Timestamp>,
    /// Its hosts by progress, as of the last step.
    pub overview: Overview,
    /// What the user said of it.
    pub description: Option<String>,
    /// `user` or `codeDeployRollback`.
    pub creator: String,
    /// Whether a host goes on after its ApplicationStop failed.
    pub ignore_application_stop_failures: bool,
    /// Whether hosts that have the group's revision are left out.
    pub update_outdated_instances_only: bool,
    /// `DISALLOW`, `OVERWRITE` or `RETAIN`.
    pub file_exists_behavior: String,
    /// The deployment's own rule for rolling back; else the group's.
    pub auto_rollback: Option<AutoRollbackConfiguration>,
    /// What it rolls back or is rolled back by.
    pub rollback: Rollback,
    /// Whether a user asked to stop it, and whether to roll back then.
    pub stop: Option<StopRequest>,
    /// When it is looked at next.
    pub due: Option<Timestamp>,
}

/// A user's wish to stop a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// Whether a rollback follows; else the group's rule decides.
    pub roll_back: Option<bool>,
}

impl Document for Deployment {
    const KIND: &'static str = "codedeploy.deployment";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn indexes(&self) -> Vec<Index> {
        let created = sort_key(self.created);
        vec![Index::new("all", "").sorted(&created), Index::new("group", &self.group_id).sorted(&created)]
    }

    fn due(&self) -> Option<Timestamp> {
        self.due
    }
}
