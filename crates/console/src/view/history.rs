//! A pipeline's executions, newest first.

use aws::codepipeline::{ExecutionTrigger, PipelineExecutionSummary};

use super::board::{Place, short, who};
use crate::rules::link;
use crate::rules::mark::{Mark, words};
use crate::rules::moment::{Elapsed, Moment};
use crate::rules::revision::Revision;

/// One execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) short: String,
    pub(crate) address: String,
    pub(crate) mark: Mark,
    pub(crate) trigger: String,
    pub(crate) revisions: Vec<Revision>,
    pub(crate) started: Option<Moment>,
    pub(crate) took: Option<Elapsed>,
    /// Why it ended as it did.
    pub(crate) summary: String,
    /// Whether it can be stopped.
    pub(crate) running: bool,
}

/// One row.
pub(crate) fn row(place: Place<'_>, summary: &PipelineExecutionSummary) -> Row {
    let id = summary.pipeline_execution_id.clone().unwrap_or_default();
    let status = summary.status.as_deref().unwrap_or_default();
    let running = matches!(status, "InProgress" | "Stopping");
    let end = summary.last_update_time.filter(|_| !running);
    let stopped = summary.stop_trigger.as_ref().and_then(|stop| stop.reason.clone());
    Row {
        short: short(&id),
        address: link::execution(place.region, place.pipeline, &id),
        id,
        mark: Mark::of(status),
        trigger: trigger(summary.trigger.as_ref()),
        revisions: Revision::of_sources(summary.source_revisions.as_ref()),
        started: summary.start_time.map(|time| Moment::new(place.now, time)),
        took: summary.start_time.map(|start| Elapsed::new(place.now, start, end)),
        summary: stopped.or_else(|| summary.status_summary.clone()).unwrap_or_default(),
        running,
    }
}

/// Why an execution began, in words.
pub(crate) fn trigger(trigger: Option<&ExecutionTrigger>) -> String {
    let Some(trigger) = trigger else { return String::new() };
    let detail = trigger.trigger_detail.as_deref().unwrap_or_default();
    let by = |what: &str| match detail {
        "" => what.to_owned(),
        arn => format!("{what} by {}", who(arn)),
    };
    match trigger.trigger_type.as_deref().unwrap_or_default() {
        "CreatePipeline" => by("Created"),
        "UpdatePipeline" => by("Updated"),
        "StartPipelineExecution" => by("Released"),
        "ManualRollback" => by("Rolled back"),
        "AutomatedRollback" => "Rolled back after a failure".to_owned(),
        "PollForSourceChanges" | "CloudWatchEvent" | "PutActionRevision" | "WebhookV2" | "Webhook" => {
            "Change in the source".to_owned()
        }
        other => words(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::codepipeline::StopExecutionTrigger;
    use kernel::Timestamp;

    fn place() -> Place<'static> {
        Place { region: "eu-west-1", pipeline: "app", now: Timestamp::from_seconds(1_000_100) }
    }

    #[test]
    fn triggers_in_words() {
        for (kind, detail, text) in [
            ("StartPipelineExecution", "arn:aws:iam::1:user/jane", "Released by jane"),
            ("StartPipelineExecution", "arn:aws:sts::1:assumed-role/ops/joe", "Released by joe"),
            ("StartPipelineExecution", "arn:aws:iam::1:root", "Released by root"),
            ("CreatePipeline", "", "Created"),
            ("CloudWatchEvent", "arn:aws:events:::rule/x", "Change in the source"),
            ("SomethingNew", "", "Something new"),
        ] {
            let shape = ExecutionTrigger { trigger_type: Some(kind.into()), trigger_detail: Some(detail.into()) };
            assert_eq!(trigger(Some(&shape)), text);
        }
        assert_eq!(trigger(None), "");
    }

    #[test]
    fn what_runs_has_no_end_and_can_be_stopped() {
        let summary = |status: &str| PipelineExecutionSummary {
            pipeline_execution_id: Some("11111111-2222".into()),
            status: Some(status.into()),
            start_time: Some(Timestamp::from_seconds(1_000_000)),
            last_update_time: Some(Timestamp::from_seconds(1_000_030)),
            stop_trigger: Some(StopExecutionTrigger { reason: Some("wrong commit".into()) }),
            ..PipelineExecutionSummary::default()
        };
        for (status, running, took) in
            [("InProgress", true, "1 min 40 s"), ("Stopping", true, "1 min 40 s"), ("Stopped", false, "30 s")]
        {
            let row = row(place(), &summary(status));
            assert_eq!((row.running, row.took.map(|took| took.text).as_deref()), (running, Some(took)), "{status}");
            assert_eq!((row.short.as_str(), row.summary.as_str()), ("11111111", "wrong commit"));
        }
    }
}
