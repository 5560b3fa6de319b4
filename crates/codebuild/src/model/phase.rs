//! Phases and states, in AWS's terms.

use kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// The phases of a build (`BuildPhaseType`), in the order of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "AWS's own names say it")]
pub enum PhaseType {
    Submitted,
    Queued,
    Provisioning,
    DownloadSource,
    Install,
    PreBuild,
    Build,
    PostBuild,
    UploadArtifacts,
    Finalizing,
    Completed,
}

impl PhaseType {
    /// AWS's name of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Queued => "QUEUED",
            Self::Provisioning => "PROVISIONING",
            Self::DownloadSource => "DOWNLOAD_SOURCE",
            Self::Install => "INSTALL",
            Self::PreBuild => "PRE_BUILD",
            Self::Build => "BUILD",
            Self::PostBuild => "POST_BUILD",
            Self::UploadArtifacts => "UPLOAD_ARTIFACTS",
            Self::Finalizing => "FINALIZING",
            Self::Completed => "COMPLETED",
        }
    }

    /// Whether the buildspec's commands run in it.
    #[must_use]
    pub fn is_command_phase(self) -> bool {
        (Self::Install..=Self::PostBuild).contains(&self)
    }
}

impl From<agent::protocol::Phase> for PhaseType {
    fn from(phase: agent::protocol::Phase) -> Self {
        match phase {
            agent::protocol::Phase::Install => Self::Install,
            agent::protocol::Phase::PreBuild => Self::PreBuild,
            agent::protocol::Phase::Build => Self::Build,
            agent::protocol::Phase::PostBuild => Self::PostBuild,
        }
    }
}

/// The state of a build or phase (`StatusType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "AWS's own names say it")]
pub enum Status {
    InProgress,
    Succeeded,
    Failed,
    Fault,
    TimedOut,
    Stopped,
}

impl Status {
    /// AWS's name of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Fault => "FAULT",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
        }
    }
}

impl From<agent::protocol::PhaseStatus> for Status {
    fn from(status: agent::protocol::PhaseStatus) -> Self {
        match status {
            agent::protocol::PhaseStatus::Succeeded => Self::Succeeded,
            agent::protocol::PhaseStatus::Failed => Self::Failed,
            agent::protocol::PhaseStatus::Fault => Self::Fault,
            agent::protocol::PhaseStatus::TimedOut => Self::TimedOut,
            agent::protocol::PhaseStatus::Stopped => Self::Stopped,
        }
    }
}

/// Why a phase ended as it did; both empty for a success.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// AWS's code, for example `COMMAND_EXECUTION_ERROR`.
    pub code: String,
    /// AWS's text.
    pub message: String,
}

/// The longest code kept in a phase context, in characters; AWS's own have half of that.
const LONGEST_CODE: usize = 100;
/// The longest message kept in a phase context, in characters.
const LONGEST_MESSAGE: usize = 2_000;

impl Context {
    /// A context; what is too long is cut.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: cut(code.into(), LONGEST_CODE), message: cut(message.into(), LONGEST_MESSAGE) }
    }

    /// The caller's own mistake: a source, an artifact or a permission.
    pub fn client_error(message: impl Into<String>) -> Self {
        Self::new("CLIENT_ERROR", message)
    }

    /// A buildspec that is missing or malformed.
    pub fn yaml_file_error(message: impl Into<String>) -> Self {
        Self::new("YAML_FILE_ERROR", message)
    }

    /// The build ran out of time.
    #[must_use]
    pub fn timed_out() -> Self {
        Self::new("BUILD_TIMED_OUT", "Build has timed out. ")
    }

    /// Something of ours failed.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("INTERNAL_ERROR", message)
    }
}

fn cut(mut text: String, most: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
    }
    text
}

/// One phase of one build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Which.
    pub phase: PhaseType,
    /// How it ended; absent while it runs, and for COMPLETED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// Why it ended so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
}

impl Phase {
    /// A phase that begins.
    #[must_use]
    pub fn begun(phase: PhaseType, start: Timestamp) -> Self {
        Self { phase, status: None, start, end: None, context: None }
    }

    /// Whole seconds from start to end.
    #[must_use]
    pub fn seconds(&self) -> Option<i64> {
        self.end.map(|end| i64::try_from(end.since(self.start).as_secs()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_on_the_wire() {
        for phase in [PhaseType::PreBuild, PhaseType::DownloadSource, PhaseType::Completed] {
            assert_eq!(serde_json::json!(phase), phase.as_str());
        }
        for status in [Status::InProgress, Status::TimedOut, Status::Fault] {
            assert_eq!(serde_json::json!(status), status.as_str());
        }
    }

    #[test]
    fn command_phases() {
        assert!(PhaseType::Install.is_command_phase() && PhaseType::PostBuild.is_command_phase());
        assert!(!PhaseType::DownloadSource.is_command_phase() && !PhaseType::UploadArtifacts.is_command_phase());
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(Context::client_error("ü".repeat(5_000)).message.chars().count(), LONGEST_MESSAGE);
        assert_eq!(Context::client_error("short").message, "short");
        assert_eq!(Context::new("C".repeat(5_000), "").code.len(), LONGEST_CODE);
    }
}
