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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A deployment `d-1` of the revision under `key` that was made at second 10 and has this status.
    pub(crate) fn deployment(status: Status, key: &str) -> Deployment {
        let completed = status.ended().then(|| Timestamp::from_seconds(20));
        Deployment {
            id: "d-1".to_owned(),
            application_id: "a".to_owned(),
            application: "app".to_owned(),
            group_id: "g".to_owned(),
            group: "hosts".to_owned(),
            config: "CodeDeployDefault.AllAtOnce".to_owned(),
            minimum: MinimumHealthy::HostCount(0),
            revision: revision(key),
            previous_revision: None,
            status,
            fault: None,
            created: Timestamp::from_seconds(10),
            started: None,
            completed,
            overview: Overview::default(),
            description: Some("by hand".to_owned()),
            creator: "user".to_owned(),
            ignore_application_stop_failures: true,
            update_outdated_instances_only: true,
            file_exists_behavior: "RETAIN".to_owned(),
            auto_rollback: None,
            rollback: Rollback::default(),
            stop: None,
            due: None,
        }
    }

    /// A revision in S3 under this key.
    pub(crate) fn revision(key: &str) -> RevisionLocation {
        let s3_location = aws::codedeploy::S3Location { key: Some(key.to_owned()), ..Default::default() };
        RevisionLocation { s3_location: Some(s3_location), ..RevisionLocation::default() }
    }

    #[test]
    fn only_the_last_three_states_are_an_end() {
        let all = [Status::Created, Status::InProgress, Status::Succeeded, Status::Failed, Status::Stopped];
        assert_eq!(all.map(Status::ended), [false, false, true, true, true]);
        assert_eq!(all.map(Status::name), ["Created", "InProgress", "Succeeded", "Failed", "Stopped"]);
    }

    #[test]
    fn an_overview_counts_each_host_once() {
        let of = |progress| Host { id: "h".to_owned(), standing: crate::rules::wave::Standing::Unhealthy, progress };
        let hosts =
            [Progress::Pending, Progress::InProgress, Progress::Succeeded, Progress::Failed, Progress::Skipped].map(of);
        let expected = Overview { pending: 1, in_progress: 1, succeeded: 1, failed: 1, skipped: 1 };
        assert_eq!(Overview::of(&hosts), expected);
    }

    #[test]
    fn a_deployment_is_found_by_time_among_all_and_among_its_group_s() {
        let deployment = deployment(Status::Created, "k");
        let expected = [Index::new("all", ""), Index::new("group", "g")].map(|index| index.sorted("000000000010000"));
        assert_eq!(deployment.indexes(), expected);
        let text = serde_json::to_string(&deployment).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Deployment>(&text).ok().map(|read| read.indexes()), Some(expected.to_vec()));
    }
}
