//! Deployment configurations: AWS's own and custom ones.

use crate::rules::wave::MinimumHealthy;
use kernel::{Document, Timestamp};
use serde::{Deserialize, Serialize};

/// What a group uses that names no configuration.
pub const DEFAULT_CONFIG: &str = "CodeDeployDefault.OneAtATime";

/// AWS's configurations for hosts; they cannot be changed or deleted.
pub const PREDEFINED: [(&str, MinimumHealthy); 3] = [
    ("CodeDeployDefault.AllAtOnce", MinimumHealthy::HostCount(0)),
    ("CodeDeployDefault.HalfAtATime", MinimumHealthy::FleetPercent(50)),
    (DEFAULT_CONFIG, MinimumHealthy::OneAtATime),
];

/// The predefined configuration of this name.
pub fn predefined(name: &str) -> Option<MinimumHealthy> {
    PREDEFINED.iter().find(|(predefined, _)| *predefined == name).map(|(_, minimum)| *minimum)
}

/// A custom configuration for hosts. Never changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeploymentConfig {
    /// The unique name.
    pub name: String,
    /// A UUID.
    pub id: String,
    /// Hosts that stay healthy.
    pub minimum: MinimumHealthy,
    /// When it was made.
    pub created: Timestamp,
}

impl Document for DeploymentConfig {
    const KIND: &'static str = "codedeploy.config";

    fn key(&self) -> String {
        self.name.clone()
    }
}
