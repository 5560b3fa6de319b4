//! Pipeline executions.

use std::collections::BTreeMap;

use kernel::{Document, Index, Large, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rules::flow::{Ordinal, Run};
use crate::rules::start::RevisionOverride;

/// One execution of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// The pipeline's id.
    pub pipeline_id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The execution's id, a UUID.
    pub id: String,
    /// How far it has come.
    pub run: Run,
    /// What started it.
    pub trigger: Trigger,
    /// The client token it was started with.
    pub client_token: Option<String>,
    /// [`ExecutionInput`] as JSON.
    pub input: Large,
    /// When it was started.
    pub started: Timestamp,
    /// The reason given for stopping it.
    pub stop_reason: Option<String>,
    /// Of a rollback: the id of the execution that it goes back to.
    #[serde(default)]
    pub rollback_target: Option<String>,
}

/// What started an execution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// `CreatePipeline`, `StartPipelineExecution`, `PollForSourceChanges`, `ManualRollback`, …
    pub kind: String,
    /// The caller's ARN, or that of the resource that changed.
    pub detail: String,
}

/// What an execution was started with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionInput {
    /// The pipeline variables' values.
    pub variables: BTreeMap<String, String>,
    /// Source revisions asked for instead of the latest ones.
    pub overrides: Vec<RevisionOverride>,
}

impl Document for Execution {
    const KIND: &'static str = "codepipeline.execution";

    fn key(&self) -> String {
        Self::key_of(&self.pipeline_id, self.run.ordinal)
    }

    fn indexes(&self) -> Vec<Index> {
        let token =
            self.client_token.as_ref().map(|token| Index::new(Self::TOKEN, format!("{}/{token}", self.pipeline_id)));
        token.into_iter().chain([Index::new(Self::ID, &self.id)]).collect()
    }
}

impl Execution {
    /// Index by execution id.
    pub const ID: &'static str = "id";
    /// Index by pipeline id and client token.
    pub const TOKEN: &'static str = "token";

    /// A rollback to `target`: it takes over what the target was started with.
    #[must_use]
    pub fn rollback(target: &Self, id: String, run: Run, trigger: Trigger, now: Timestamp) -> Self {
        Self {
            pipeline_id: target.pipeline_id.clone(),
            pipeline: target.pipeline.clone(),
            id,
            run,
            trigger,
            client_token: None,
            input: target.input.clone(),
            started: now,
            stop_reason: None,
            rollback_target: Some(target.id.clone()),
        }
    }

    /// The key of a pipeline's execution: sorts by start.
    #[must_use]
    pub fn key_of(pipeline_id: &str, ordinal: Ordinal) -> String {
        format!("{pipeline_id}/{ordinal:012}")
    }
}
