//! CodeDeploy's documents and what always holds of them.
//!
//! - A group's `active_deployment` names its one deployment that has not ended, in the commit that makes or ends it.
//! - A deployment's targets are documents of their own, written in the commit that starts the deployment.
//! - A target hands out at most one command at a time; the command is written before any host sees it.

mod application;
mod config;
pub(crate) mod deployment;
mod group;
mod instance;
mod revision;
mod signer;
mod target;

pub use application::Application;
pub use config::{DEFAULT_CONFIG, DeploymentConfig, PREDEFINED, Predefined, Traffic, predefined};
pub use deployment::{Deployment, Fault, Overview, Rollback, Status, StopRequest};
pub use group::DeploymentGroup;
pub use instance::{Identity, OnPremisesInstance};
pub use revision::{ApplicationRevision, revision_id};
pub use signer::{SignedSpecification, Signer};
pub use target::{Command, DeploymentTarget, LifecycleEvent};

/// A time as a sort key: texts in the order of the times.
fn sort_key(time: kernel::Timestamp) -> String {
    format!("{:015}", time.millis().max(0))
}
