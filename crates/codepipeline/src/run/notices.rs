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
        let mut detail = whole(execution);
        detail.insert("state".into(), status.event().into());
        if let (ExecutionStatus::Stopped | ExecutionStatus::Stopping, Some(reason)) = (status, &execution.stop_reason) {
            detail.insert("stop-execution-comments".into(), reason.clone().into());
        }
        self.event("CodePipeline Pipeline Execution State Change", &execution.pipeline, detail)
    }

    /// "CodePipeline Stage Execution State Change".
    pub(super) fn stage(&self, execution: &Execution, stage: &str, status: StageStatus) -> Event {
        let mut detail = part(execution, stage);
        detail.insert("state".into(), status.event().into());
        self.event("CodePipeline Stage Execution State Change", &execution.pipeline, detail)
    }

    /// The events of an execution and its stage that were taken up again.
    pub(super) fn resumed(&self, execution: &Execution, stage: &str) -> [Event; 2] {
        let (mut whole, mut part) = (whole(execution), part(execution, stage));
        for detail in [&mut whole, &mut part] {
            detail.insert("state".into(), "RESUMED".into());
        }
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
            ("start-time", json!(action.started.iso8601())),
            ("stage", json!(action.stage)),
            ("action", json!(action.action)),
            ("action-execution-id", json!(action.id)),
            ("state", json!(action.status.event())),
            ("region", json!(action.region.as_deref().unwrap_or(&self.scope.region))),
            (
                "type",
                json!({"owner": kind.owner, "category": kind.category, "provider": kind.provider, "version": kind.version}),
            ),
        ];
        detail.extend(members.map(|(name, value)| (name.to_owned(), value)));
        for (name, known) in [("input-artifacts", &action.inputs), ("output-artifacts", &action.outputs)] {
            if !known.is_empty() {
                detail.insert(name.to_owned(), artifacts(known));
            }
        }
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

/// What events of an execution tell of it.
fn whole(execution: &Execution) -> Map<String, Value> {
    let trigger = json!({"trigger-type": execution.trigger.kind, "trigger-detail": execution.trigger.detail});
    let mut detail = common(execution);
    detail.insert("execution-trigger".to_owned(), trigger);
    detail
}

/// What events of a stage tell of it; once it was retried, all tell when that was.
fn part(execution: &Execution, stage: &str) -> Map<String, Value> {
    let mut detail = common(execution);
    detail.insert("stage".into(), stage.into());
    if let Some(retries) = execution.run.retries.get(stage) {
        detail.insert("stage-last-retry-attempt-time".into(), retries.at.iso8601().into());
    }
    detail
}

fn common(execution: &Execution) -> Map<String, Value> {
    Map::from_iter([
        ("pipeline".to_owned(), execution.pipeline.clone().into()),
        ("execution-id".to_owned(), execution.id.clone().into()),
        ("start-time".to_owned(), execution.started.iso8601().into()),
        ("version".to_owned(), f64::from(execution.run.version).into()),
        ("pipeline-execution-attempt".to_owned(), f64::from(execution.run.attempt()).into()),
    ])
}

fn artifacts(artifacts: &[Artifact]) -> Value {
    let one = |artifact: &Artifact| json!({"name": artifact.name, "s3location": {"bucket": artifact.bucket, "key": artifact.key}});
    artifacts.iter().map(one).collect()
}

fn execution_result(action: &ActionExecution) -> Option<Value> {
    let url = action.external().and_then(|external| external.url.clone());
    let members = [
        ("external-execution-id", action.external_id().map(str::to_owned)),
        ("external-execution-url", url),
        ("external-execution-summary", action.summary.clone()),
        ("error-code", action.failure.as_ref().map(|failure| failure.code.clone())),
    ];
    let known: Map<String, Value> =
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
    (!known.is_empty()).then_some(Value::Object(known))
}
