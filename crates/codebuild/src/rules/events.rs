//! The events that a change of a build is (CodeBuild user guide, "Build notifications input format reference").

use kernel::{Scope, Timestamp};
use serde_json::{Value, json};

use crate::model::{Build, Context, Phase, Status};
use crate::rules::arns;

/// Detail type of an event.
pub const STATE_CHANGE: &str = "CodeBuild Build State Change";
/// Detail type of an event.
pub const PHASE_CHANGE: &str = "CodeBuild Build Phase Change";

/// Detail type and detail of every event that the step from `old` (`None` for a build that is new) to `new` is.
#[must_use]
pub fn changes(scope: &Scope, old: Option<&Build>, new: &Build) -> Vec<(&'static str, Value)> {
    let ended = |build: &Build| build.life.phases.iter().filter(|phase| phase.status.is_some()).count();
    let before = old.map_or(0, ended);
    let finished = new.life.phases.iter().filter(|phase| phase.status.is_some()).skip(before);
    let mut events: Vec<_> = finished.map(|phase| (PHASE_CHANGE, phase_change(scope, new, phase))).collect();
    let status = |build: &Build| build.life.status();
    if old.is_none_or(|old| status(old) != status(new)) {
        events.push((STATE_CHANGE, state_change(scope, new)));
    }
    events
}

fn state_change(scope: &Scope, build: &Build) -> Value {
    json!({
        "build-status": build.life.status().as_str(),
        "project-name": build.project,
        "build-id": arns::build(scope, &build.id),
        "additional-information": additional_information(build),
        "current-phase": build.life.current().as_str(),
        "current-phase-context": "[]",
        "version": "1",
    })
}

fn phase_change(scope: &Scope, build: &Build, phase: &Phase) -> Value {
    json!({
        "completed-phase": phase.phase.as_str(),
        "completed-phase-status": phase.status.map(Status::as_str),
        "completed-phase-context": context_text(phase.context.as_ref()),
        "completed-phase-duration-seconds": phase.seconds(),
        "completed-phase-start": event_time(phase.start),
        "completed-phase-end": phase.end.map(event_time),
        "project-name": build.project,
        "build-id": arns::build(scope, &build.id),
        "additional-information": additional_information(build),
        "version": "1",
    })
}

fn additional_information(build: &Build) -> Value {
    let artifact = build.uploads.iter().find(|upload| upload.identifier.is_none());
    json!({
        "artifact": {
            "location": artifact.map_or("", |artifact| artifact.location.as_str()),
            "sha256sum": artifact.and_then(|artifact| artifact.sha256.as_deref()),
            "md5sum": artifact.and_then(|artifact| artifact.md5.as_deref()),
        },
        "environment": {
            "image": build.plan.environment.image,
            "privileged-mode": build.plan.environment.privileged_mode.unwrap_or(false),
            "image-pull-credentials-type": build.plan.environment.image_pull_credentials_type,
            "compute-type": build.plan.environment.compute_type,
            "type": build.plan.environment.type_,
            "environment-variables": build.plan.environment.environment_variables.clone().unwrap_or_default(),
        },
        "timeout-in-minutes": build.plan.timeout_in_minutes,
        "queued-timeout-in-minutes": build.plan.queued_timeout_in_minutes,
        "build-complete": build.life.is_complete(),
        "build-number": build.number,
        "initiator": build.initiator,
        "build-start-time": event_time(build.started()),
        "source": {"location": build.plan.source.location, "type": build.plan.source.type_},
        "source-version": build.plan.source_version,
        "logs": {
            "group-name": build.log.as_ref().map(|log| &log.group),
            "stream-name": build.log.as_ref().map(|log| &log.stream),
        },
        "phases": build.life.phases.iter().map(phase_entry).collect::<Vec<_>>(),
    })
}

fn phase_entry(phase: &Phase) -> Value {
    let mut entry = json!({"phase-type": phase.phase.as_str(), "start-time": event_time(phase.start)});
    if let (Some(status), Some(end)) = (phase.status, phase.end) {
        entry["phase-status"] = json!(status.as_str());
        entry["phase-context"] = json!([context_text(phase.context.as_ref())]);
        entry["end-time"] = json!(event_time(end));
        entry["duration-in-seconds"] = json!(phase.seconds());
    }
    entry
}

fn context_text(context: Option<&Context>) -> String {
    context.map_or_else(|| ": ".to_owned(), |context| format!("{}: {}", context.code, context.message))
}

/// `Sep 1, 2017 4:12:29 PM`, in UTC.
fn event_time(time: Timestamp) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let iso = time.iso8601();
    let number = |from: usize| iso.get(from..from + 2).and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(0);
    let (month, day, hour) = (number(5), number(8), number(11));
    let month = MONTHS.get(month.saturating_sub(1)).copied().unwrap_or_default();
    let half = if hour < 12 { "AM" } else { "PM" };
    let clock = if hour % 12 == 0 { 12 } else { hour % 12 };
    format!(
        "{month} {day}, {} {clock}:{} {half}",
        iso.get(..4).unwrap_or_default(),
        iso.get(14..19).unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build::tests::build;

    fn types(events: &[(&'static str, Value)]) -> Vec<&'static str> {
        events.iter().map(|(kind, _)| *kind).collect()
    }

    #[test]
    fn times_look_as_on_aws() {
        for (text, expected) in [
            ("2017-09-01T16:12:29Z", "Sep 1, 2017 4:12:29 PM"),
            ("2026-11-22T00:05:03Z", "Nov 22, 2026 12:05:03 AM"),
            ("2026-01-02T12:00:00Z", "Jan 2, 2026 12:00:00 PM"),
        ] {
            assert_eq!(event_time(Timestamp::parse_iso8601(text).unwrap_or_default()), expected);
        }
    }

    #[test]
    fn a_new_build_and_its_end_are_state_changes() {
        let scope = Scope::new("000000000000", "us-east-1");
        let new = build(0);
        let events = changes(&scope, None, &new);
        assert_eq!(types(&events), [PHASE_CHANGE, STATE_CHANGE]);
        assert_eq!(events[1].1["build-status"], "IN_PROGRESS");
        let mut ended = new.clone();
        ended.life.advance(Status::Stopped, Context::new("CODE", "why"), Timestamp::from_seconds(3));
        let events = changes(&scope, Some(&new), &ended);
        assert_eq!(types(&events), [PHASE_CHANGE, STATE_CHANGE]);
        assert_eq!(events[0].1["completed-phase"], "QUEUED");
        assert_eq!(events[0].1["completed-phase-context"], "CODE: why");
        assert_eq!(events[0].1["completed-phase-duration-seconds"], 3);
        assert_eq!(events[1].1["build-status"], "STOPPED");
        assert_eq!(
            events[1].1["build-id"],
            "arn:aws:codebuild:us-east-1:000000000000:build/demo:01234567-89ab-4cde-8f01-23456789abcd"
        );
        assert_eq!(
            events[1].1["additional-information"]["phases"][2],
            json!({"phase-type": "COMPLETED", "start-time": "Jan 1, 1970 12:00:03 AM"})
        );
    }

    #[test]
    fn what_changes_no_phase_is_no_event() {
        let scope = Scope::new("000000000000", "us-east-1");
        let old = build(0);
        let mut new = old.clone();
        new.stop_requested = true;
        assert!(changes(&scope, Some(&old), &new).is_empty());
        new.life.advance(Status::Succeeded, Context::default(), Timestamp::from_seconds(1));
        assert_eq!(types(&changes(&scope, Some(&old), &new)), [PHASE_CHANGE]);
    }
}
