//! The EventBridge events that tell of changes (user guide, "Monitoring CodePipeline events").

use kernel::{Event, Ids, Scope, Timestamp};
use serde_json::{Map, Value, json};

use crate::model::{ActionExecution, Artifact, Execution, pipeline_arn};
use crate::rules::status::{ExecutionStatus, StageStatus};

/// What all events of one commit share.
pub(super) struct Notices<'a> {
    pub(super) scope: &'a Scope,
    pub(super) ids: &'a dyn Ids,
    pub(super) now: Timestamp,
}

impl Notices<'_> {
    /// "CodePipeline Pipeline Execution State Change".
    pub(super) fn execution(&self, execution: &Execution, status: ExecutionStatus) -> Event {
        let mut detail = common(execution);
        detail.insert("state".into(), status.event().into());
        if let (ExecutionStatus::Stopped | ExecutionStatus::Stopping, Some(reason)) = (status, &execution.stop_reason) {
            detail.insert("stop-execution-comments".into(), reason.clone().into());
        }
        self.event("CodePipeline Pipeline Execution State Change", &execution.pipeline, detail)
    }

    /// "CodePipeline Stage Execution State Change".
    pub(super) fn stage(&self, execution: &Execution, stage: &str, status: StageStatus) -> Event {
        let mut detail = common(execution);
        detail.insert("stage".into(), stage.into());
        detail.insert("state".into(), status.event().into());
        self.event("CodePipeline Stage Execution State Change", &execution.pipeline, detail)
    }

    /// The events of an execution and its stage that were taken up again.
    pub(super) fn resumed(&self, execution: &Execution, stage: &str) -> [Event; 2] {
        let mut whole = common(execution);
        whole.insert("state".into(), "RESUMED".into());
        let mut part = whole.clone();
        part.insert("stage".into(), stage.into());
        part.insert("stage-last-retry-attempt-time".into(), self.now.iso8601().into());
        [
            self.event("CodePipeline Pipeline Execution State Change", &execution.pipeline, whole),
            self.event("CodePipeline Stage Execution State Change", &execution.pipeline, part),
        ]
    }

    /// "CodePipeline Action Execution State Change", in the state that the action execution has.
    pub(super) fn action(&self, execution: &Execution, action: &ActionExecution) -> Event {
        let mut detail = common(execution);
        let kind = &action.kind;
        let members = [
            ("stage", json!(action.stage)),
            ("action", json!(action.action)),
            ("action-execution-id", json!(action.id)),
            ("state", json!(action.status.event())),
            ("region", json!(action.region.as_deref().unwrap_or(&self.scope.region))),
            (
                "type",
                json!({"owner": kind.owner, "category": kind.category, "provider": kind.provider, "version": kind.version}),
            ),
            ("input-artifacts", artifacts(&action.inputs)),
            ("output-artifacts", artifacts(&action.outputs)),
        ];
        detail.extend(members.map(|(name, value)| (name.to_owned(), value)));
        if let Some(result) = execution_result(action) {
            detail.insert("execution-result".into(), result);
        }
        self.event("CodePipeline Action Execution State Change", &action.pipeline, detail)
    }

    fn event(&self, detail_type: &str, pipeline: &str, detail: Map<String, Value>) -> Event {
        Event {
            id: self.ids.uuid(),
            source: "aws.codepipeline".into(),
            detail_type: detail_type.into(),
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            time: self.now,
            resources: vec![pipeline_arn(self.scope, pipeline)],
            detail: Value::Object(detail),
        }
    }
}

fn common(execution: &Execution) -> Map<String, Value> {
    let trigger = json!({"trigger-type": execution.trigger.kind, "trigger-detail": execution.trigger.detail});
    Map::from_iter([
        ("pipeline".to_owned(), execution.pipeline.clone().into()),
        ("execution-id".to_owned(), execution.id.clone().into()),
        ("start-time".to_owned(), execution.started.iso8601().into()),
        ("execution-trigger".to_owned(), trigger),
        ("version".to_owned(), f64::from(execution.run.version).into()),
        ("pipeline-execution-attempt".to_owned(), f64::from(execution.run.attempt()).into()),
    ])
}

fn artifacts(artifacts: &[Artifact]) -> Value {
    let one = |artifact: &Artifact| json!({"name": artifact.name, "s3location": {"bucket": artifact.bucket, "key": artifact.key}});
    artifacts.iter().map(one).collect()
}

fn execution_result(action: &ActionExecution) -> Option<Value> {
    let external = action.external();
    let members = [
        ("external-execution-id", external.map(|external| external.id.clone())),
        ("external-execution-url", external.and_then(|external| external.url.clone())),
        ("external-execution-summary", action.summary.clone()),
        ("error-code", action.failure.as_ref().map(|failure| failure.code.clone())),
    ];
    let known: Map<String, Value> =
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
    (!known.is_empty()).then_some(Value::Object(known))
}
