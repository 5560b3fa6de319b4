//! What a build does: its project's settings with the overrides of its start laid over them.

use aws::codebuild::{
    LogsConfig, ProjectArtifacts, ProjectCache, ProjectEnvironment, ProjectFileSystemLocation, ProjectSource,
    ProjectSourceVersion, VpcConfig,
};
use serde::{Deserialize, Serialize};

/// The effective settings of one build. Shapes are AWS's own; a later change of the project does not reach them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// The primary source.
    pub source: ProjectSource,
    /// Version of the primary source as asked for.
    pub source_version: Option<String>,
    /// Further sources, by their identifiers.
    pub secondary_sources: Vec<ProjectSource>,
    /// Versions of those.
    pub secondary_source_versions: Vec<ProjectSourceVersion>,
    /// The primary artifact.
    pub artifacts: ProjectArtifacts,
    /// Further artifacts, by their identifiers.
    pub secondary_artifacts: Vec<ProjectArtifacts>,
    /// The cache's settings.
    pub cache: Option<ProjectCache>,
    /// Image, size and variables.
    pub environment: ProjectEnvironment,
    /// The role whose credentials the build holds.
    pub service_role: String,
    /// From the end of QUEUED to the end of the build, in minutes.
    pub timeout_in_minutes: i32,
    /// The longest wait in QUEUED, in minutes.
    pub queued_timeout_in_minutes: i32,
    /// Key that artifacts are encrypted with.
    pub encryption_key: String,
    /// Where logs go.
    pub logs_config: Option<LogsConfig>,
    /// Network settings, stored as given.
    pub vpc_config: Option<VpcConfig>,
    /// File systems, stored as given.
    pub file_system_locations: Option<Vec<ProjectFileSystemLocation>>,
    /// How often a failed build is tried again.
    pub auto_retry_limit: Option<i32>,
    /// Whether a debug session was asked for.
    pub debug_session: Option<bool>,
}
