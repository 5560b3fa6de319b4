//! A deployment group: which hosts, how, and what they last got.

use aws::codedeploy::{DeploymentGroupInfo, RevisionLocation};
use kernel::tags::Tags;
use kernel::{Document, Index, Timestamp};
use serde::{Deserialize, Serialize};

use super::revision_id;

/// A deployment group of an application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeploymentGroup {
    /// A UUID; stays through a rename, and names the hosts' folders.
    pub id: String,
    /// The application's id.
    pub application_id: String,
    /// The unique name within the application.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// What GetDeploymentGroup answers: settings, target revision, last deployments.
    pub info: DeploymentGroupInfo,
    /// Its tags.
    pub tags: Tags,
    /// The deployment that has not ended.
    pub active_deployment: Option<String>,
}

impl DeploymentGroup {
    /// The key of the group of that name.
    pub fn key_of(application_id: &str, name: &str) -> String {
        format!("{application_id}/{name}")
    }

    /// The revision of the last successful deployment.
    pub fn target_revision(&self) -> Option<&RevisionLocation> {
        self.info.target_revision.as_ref()
    }

    /// The name of its deployment configuration.
    pub fn config_name(&self) -> &str {
        self.info.deployment_config_name.as_deref().unwrap_or(super::DEFAULT_CONFIG)
    }
}

impl Document for DeploymentGroup {
    const KIND: &'static str = "codedeploy.group";

    fn key(&self) -> String {
        Self::key_of(&self.application_id, &self.name)
    }

    fn indexes(&self) -> Vec<Index> {
        let mut indexes = vec![Index::new("id", &self.id), Index::new("config", self.config_name())];
        if let Some(revision) = self.target_revision() {
            indexes.push(Index::new("revision", format!("{}/{}", self.application_id, revision_id(revision))));
        }
        indexes
    }
}
