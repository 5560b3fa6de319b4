//! The job of a build: what the agent is to run.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One build's commands and their surroundings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The build's id (`project:uuid`), for the agent's own messages.
    pub build: String,
    /// The shell that runs the commands (`env.shell` of the buildspec).
    pub shell: Shell,
    /// Buildspec 0.1: every command gets a shell of its own, started in `directory`.
    pub shell_per_command: bool,
    /// Absolute folder in which the first command starts (`CODEBUILD_SRC_DIR`).
    pub directory: String,
    /// All variables of the shell, secrets included. `HOME` and `PATH` have defaults.
    pub environment: Environment,
    /// Phases in the order of [`Phase`]; one that is absent is not run and not reported.
    pub phases: Vec<PhaseJob>,
    /// Names of the buildspec's `exported-variables`.
    pub exported_variables: Vec<String>,
    /// Words to expand in the shell's last state, between double quotes: an artifact's name such as
    /// `app-$(date +%Y-%m-%d)`. Answered by [`super::Report::Expressions`].
    #[serde(default)]
    pub expressions: Vec<String>,
    /// Whether Git gets the role's credentials for CodeCommit by itself (`git-credential-helper` of the buildspec).
    #[serde(default)]
    pub git_credentials: bool,
    /// Exact values that are written as `***` in the log.
    pub masked: Vec<Secret>,
    /// Time left for all phases together, in milliseconds, counted from the arrival of the job.
    pub timeout_ms: u64,
}

/// One phase's commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseJob {
    /// Which phase.
    pub phase: Phase,
    /// Commands; the first one that fails ends the list.
    pub commands: Vec<String>,
    /// Commands that run after `commands` whether they failed or not.
    pub finally: Vec<String>,
    /// What a failure of this phase means for the next ones.
    pub on_failure: OnFailure,
    /// User of the phase's commands, by name or number, as the image's own `/etc/passwd` knows it.
    pub run_as: Option<String>,
}

impl PhaseJob {
    /// A phase with nothing in it.
    #[must_use]
    pub fn empty(phase: Phase) -> Self {
        Self { phase, commands: vec![], finally: vec![], on_failure: OnFailure::Standard, run_as: None }
    }
}

/// The command phases of a build, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "AWS's own names say it")]
pub enum Phase {
    Install,
    PreBuild,
    Build,
    PostBuild,
}

impl Phase {
    /// All phases in their order.
    pub const ALL: [Self; 4] = [Self::Install, Self::PreBuild, Self::Build, Self::PostBuild];

    /// AWS's name of it, for example `PRE_BUILD`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Install => "INSTALL",
            Self::PreBuild => "PRE_BUILD",
            Self::Build => "BUILD",
            Self::PostBuild => "POST_BUILD",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The buildspec's `on-failure` of a phase; retrying a build is the server's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Not given: a failed BUILD still runs POST_BUILD, a failed INSTALL or PRE_BUILD ends the phases.
    #[default]
    Standard,
    /// No later phase runs.
    Abort,
    /// The next phase runs.
    Continue,
}

/// The buildspec's `env.shell`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shell {
    /// The image's `sh`.
    #[default]
    Sh,
    /// The image's `bash`.
    Bash,
}

impl Shell {
    /// The program's name.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Sh => "sh",
            Self::Bash => "bash",
        }
    }
}

/// Environment variables; their values never appear in `Debug` output.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environment(pub BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A value that is masked in logs and in `Debug` output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_values() {
        let environment = Environment::from([("TOKEN", "hunter2")]);
        let shown = format!("{environment:?} {:?}", Secret("hunter2".into()));
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn phases_sort_in_their_order() {
        assert!(Phase::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Phase::PostBuild.to_string(), "POST_BUILD");
    }
}
