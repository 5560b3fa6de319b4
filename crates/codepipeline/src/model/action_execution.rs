//! Action executions.

use kernel::{Document, Index, Large, Timestamp};
use serde::{Deserialize, Serialize};

use super::execution::Execution;
use crate::rules::definition::{Action, ActionKind};
use crate::rules::flow::Ordinal;
use crate::rules::status::ActionStatus;
use crate::rules::timeouts::action_timeout;

/// One attempt at one action of one execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionExecution {
    /// The pipeline's id.
    pub pipeline_id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The pipeline execution's number.
    pub ordinal: Ordinal,
    /// The pipeline execution's id.
    pub execution_id: String,
    /// The action execution's number within its pipeline execution, from 1.
    pub number: u32,
    /// The action execution's id, a UUID: the token of everything it does outside.
    pub id: String,
    /// The pipeline version it belongs to.
    pub pipeline_version: i32,
    /// The stage's name.
    pub stage: String,
    /// The action's name.
    pub action: String,
    /// The action's type.
    pub kind: ActionKind,
    /// The namespace of its output variables.
    pub namespace: Option<String>,
    /// The region it runs in, if its declaration says so.
    pub region: Option<String>,
    /// The role it runs as.
    pub role: String,
    /// The pipeline's role, which takes [`ActionExecution::role`], where the action has a role of its own.
    #[serde(default)]
    pub pipeline_role: Option<String>,
    /// Its status.
    pub status: ActionStatus,
    /// How far it has come.
    pub phase: Phase,
    /// Its settings with all variables resolved, as JSON; from [`Phase::Prepared`] on.
    pub resolved_configuration: Option<Large>,
    /// What it reads; from [`Phase::Prepared`] on.
    pub inputs: Vec<Artifact>,
    /// What it makes; from [`Phase::Prepared`] on.
    pub outputs: Vec<Artifact>,
    /// The source revision that its primary input came from; of a source action, its own.
    pub source_revision: Option<String>,
    /// What a source action found.
    pub revision: Option<Revision>,
    /// Its output variables as JSON.
    pub variables: Option<Large>,
    /// What it was about, in a line.
    pub summary: Option<String>,
    /// Why it failed.
    pub failure: Option<ActionFailure>,
    /// When it started.
    pub started: Timestamp,
    /// When its status last changed.
    pub updated: Timestamp,
    /// Who changed it last: an ARN.
    pub updated_by: Option<String>,
    /// When it fails for taking too long.
    pub deadline: Timestamp,
    /// When it is looked at next; nothing once it has ended.
    pub due: Option<Timestamp>,
    /// Whether retention has removed what it made from the artifact store.
    #[serde(default)]
    pub artifacts_removed: bool,
}

/// How far an action execution has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It is to run. Nothing has been done for it.
    Declared,
    /// Its settings and the places of its artifacts are fixed. Its effect may have begun.
    Prepared,
    /// Something outside runs for it.
    Waiting(External),
    /// It has ended; what ran outside, if anything.
    Ended(Option<External>),
}

/// Something outside that runs for an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// Its id there: a build's, a deployment's.
    pub id: String,
    /// Where to look at it.
    pub url: Option<String>,
}

/// Where an artifact lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its name in the pipeline.
    pub name: String,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}

/// A revision that a source action found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit id, or the object's version id.
    pub id: String,
    /// What it is, at most 2,048 characters.
    pub summary: String,
    /// When it was made.
    pub created: Timestamp,
}

/// Why an action failed: `errorDetails`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionFailure {
    /// `JobFailed`, `ConfigurationError`, `PermissionError`, …
    pub code: String,
    /// What went wrong, at most 5,000 characters.
    pub message: String,
    /// The same in a line, where the message says more.
    #[serde(default)]
    pub summary: Option<String>,
}

impl Document for ActionExecution {
    const KIND: &'static str = "codepipeline.action";

    fn key(&self) -> String {
        format!("{}{:06}", Self::prefix(&self.pipeline_id, self.ordinal), self.number)
    }

    fn indexes(&self) -> Vec<Index> {
        let age = format!("{:015}/{:06}", self.started.millis(), self.number);
        let place = format!("{}/{}/{}", self.pipeline_id, self.stage, self.action);
        let waiting = match &self.phase {
            Phase::Waiting(external) => Some(Index::new(Self::EXTERNAL, &external.id)),
            _ => None,
        };
        let token = self.approval_token().map(|token| Index::new(Self::TOKEN, token));
        let always = [
            Index::new(Self::PIPELINE, &self.pipeline_id).sorted(age),
            Index::new(Self::PLACE, place).sorted(format!("{:012}/{:06}", self.ordinal, self.number)),
        ];
        always.into_iter().chain(waiting).chain(token).collect()
    }

    fn due(&self) -> Option<Timestamp> {
        self.due
    }
}

impl ActionExecution {
    /// Index by pipeline id, oldest first.
    pub const PIPELINE: &'static str = "pipeline";
    /// Index by pipeline id, stage and action, oldest first.
    pub const PLACE: &'static str = "place";
    /// Index by the id of what runs outside, while it is awaited.
    pub const EXTERNAL: &'static str = "external";

    /// Index by the token of an approval, also once it is answered.
    pub const TOKEN: &'static str = "token";

    /// A new attempt at `action` of `stage`, due at once.
    #[must_use]
    pub fn new(
        execution: &Execution,
        number: u32,
        (stage, action): (&str, &Action),
        pipeline_role: &str,
        (id, now): (String, Timestamp),
    ) -> Self {
        Self {
            pipeline_id: execution.pipeline_id.clone(),
            pipeline: execution.pipeline.clone(),
            ordinal: execution.run.ordinal,
            execution_id: execution.id.clone(),
            number,
            id,
            pipeline_version: execution.run.version,
            stage: stage.to_owned(),
            action: action.name.clone(),
            kind: action.kind.clone(),
            namespace: action.namespace.clone(),
            region: action.region.clone(),
            role: action.role.as_deref().unwrap_or(pipeline_role).to_owned(),
            pipeline_role: action.role.as_ref().map(|_| pipeline_role.to_owned()),
            status: ActionStatus::InProgress,
            phase: Phase::Declared,
            resolved_configuration: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            source_revision: None,
            revision: None,
            variables: None,
            summary: None,
            failure: None,
            started: now,
            updated: now,
            updated_by: None,
            deadline: now + action_timeout(action),
            due: Some(now),
            artifacts_removed: false,
        }
    }

    /// What the keys of an execution's action executions begin with.
    #[must_use]
    pub fn prefix(pipeline_id: &str, ordinal: Ordinal) -> String {
        format!("{pipeline_id}/{ordinal:012}/")
    }

    /// What runs, or ran, outside for it.
    #[must_use]
    pub fn external(&self) -> Option<&External> {
        match &self.phase {
            Phase::Waiting(external) | Phase::Ended(Some(external)) => Some(external),
            _ => None,
        }
    }

    /// The id of what runs, or ran, outside; of a source, the revision that it found.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        let revision = self.revision.as_ref().map(|revision| revision.id.as_str());
        self.external().map(|external| external.id.as_str()).or(revision)
    }

    /// The token that answers it, of an approval that was opened.
    #[must_use]
    pub fn approval_token(&self) -> Option<&str> {
        self.external().filter(|_| self.kind.category == "Approval").map(|external| external.id.as_str())
    }

    /// Whether it waits for somebody's answer.
    #[must_use]
    pub fn awaits_approval(&self) -> bool {
        self.kind.category == "Approval" && matches!(self.phase, Phase::Waiting(_))
    }

    /// Ends it.
    pub fn end(&mut self, status: ActionStatus, now: Timestamp) {
        self.status = status;
        self.phase = Phase::Ended(self.external().cloned());
        self.updated = now;
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::execution::Trigger;
    use super::*;
    use crate::rules::definition::ExecutionMode;
    use crate::rules::flow::Run;

    fn action(ordinal: Ordinal, number: u32) -> ActionExecution {
        let now = Timestamp::from_millis(1);
        let execution = Execution {
            pipeline_id: "p-1".into(),
            pipeline: "app".into(),
            id: "e".into(),
            run: Run::new(ordinal, 1, ExecutionMode::Superseded, now),
            trigger: Trigger::default(),
            client_token: None,
            input: Large::default(),
            started: now,
            stop_reason: None,
            rollback_target: None,
        };
        let declared = Action { name: "Compile".into(), ..Action::default() };
        ActionExecution::new(&execution, number, ("Build", &declared), "role", ("a".into(), now))
    }

    #[test]
    fn keys_sort_by_execution_and_number() {
        let keys = [action(9, 2), action(9, 10), action(10, 1)].map(|action| action.key());
        assert!(keys.is_sorted(), "{keys:?}");
        assert!(keys[0].starts_with(&ActionExecution::prefix("p-1", 9)));
    }

    #[test]
    fn it_is_found_by_what_it_waits_for_only_while_it_waits() {
        let mut action = action(1, 1);
        let external = Index::new(ActionExecution::EXTERNAL, "app:1");
        assert!(!action.indexes().contains(&external));
        action.phase = Phase::Waiting(External { id: "app:1".into(), url: None });
        assert!(action.indexes().contains(&external));
        action.end(ActionStatus::Succeeded, Timestamp::from_millis(5));
        assert!(!action.indexes().contains(&external));
        assert_eq!(action.external().unwrap().id, "app:1", "but it is remembered");
        assert_eq!(action.due(), None);
    }
}
