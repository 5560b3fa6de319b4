//! An application: a name that groups and revisions belong to.

use kernel::tags::Tags;
use kernel::{Document, Timestamp};
use serde::{Deserialize, Serialize};

/// An application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Application {
    /// The unique name.
    pub name: String,
    /// A UUID; a new application under an old name has another.
    pub id: String,
    /// `Server`, `Lambda` or `ECS`; fixed at creation.
    pub compute_platform: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its tags.
    pub tags: Tags,
}

impl Document for Application {
    const KIND: &'static str = "codedeploy.application";

    fn key(&self) -> String {
        self.name.clone()
    }
}
