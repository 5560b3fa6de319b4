//! Executions: as many as there were causes, in order, and ended for a reason.

use std::collections::BTreeSet;

use super::{Known, Violation};
use crate::soak::facts::{Action, Execution};
use crate::soak::ledger::Fact;
use crate::soak::plan::{Mode, Source};

/// One execution for each trigger. The first revision is from before the pipeline.
pub(super) fn triggered(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    let name = known.name();
    let mut say = |text: String| wrong.push(Violation::new("triggers", name, format!("{name}: {text}")));
    let by = |trigger: &str| known.facts.executions.iter().filter(|one| one.trigger.trigger_type == trigger).count();
    let pushed = known.count(|fact| matches!(fact, Fact::Pushed { pipeline, .. } if *pipeline == name));
    let changes = match known.facts.plan.source {
        Source::CodeCommit => pushed,
        // A put whose answer was lost is done again and makes a version more.
        Source::S3 => known.facts.versions,
    };
    if known.facts.plan.source == Source::S3 && changes < pushed {
        say(format!("{pushed} objects were acknowledged, {changes} versions are there"));
    }
    let polled = by("PollForSourceChanges");
    if polled + 1 != changes {
        say(format!("{changes} changes of its source (the first from before), {polled} executions by them"));
    }
    if by("CreatePipeline") != 1 {
        say(format!("its creation has started {} executions", by("CreatePipeline")));
    }
    started(known, &mut say);
    let asked = known.count(|fact| matches!(fact, Fact::RollbackAsked { pipeline } if *pipeline == name));
    let acknowledged = rolled_back(known).len();
    let manual = by("ManualRollback");
    if !(acknowledged..=asked).contains(&manual) {
        say(format!("{acknowledged} rollbacks acknowledged, {asked} asked for, {manual} executions by them"));
    }
}

fn started(known: &Known<'_>, say: &mut impl FnMut(String)) {
    let name = known.name();
    let started = known.entries.iter().filter_map(|entry| match &entry.fact {
        Fact::Started { pipeline, execution, .. } if *pipeline == name => Some(execution.as_str()),
        _ => None,
    });
    let started: Vec<&str> = started.collect();
    let distinct: BTreeSet<&str> = started.iter().copied().collect();
    if distinct.len() != started.len() {
        say(format!("{} tokens gave {} executions", started.len(), distinct.len()));
    }
    let there = known.facts.executions.iter().filter(|one| one.trigger.trigger_type == "StartPipelineExecution");
    let there: BTreeSet<&str> = there.map(|one| one.pipeline_execution_id.as_str()).collect();
    if there != distinct {
        say(format!("acknowledged starts {distinct:?}, executions by them {there:?}"));
    }
    for lost in rolled_back(known) {
        if !known.facts.executions.iter().any(|one| one.pipeline_execution_id == lost) {
            say(format!("the rollback {lost} was acknowledged and is not there"));
        }
    }
}

fn rolled_back<'k>(known: &'k Known<'_>) -> Vec<&'k str> {
    let rolled_back = known.entries.iter().filter_map(|entry| match &entry.fact {
        Fact::RolledBack { pipeline, execution } if *pipeline == known.name() => Some(execution.as_str()),
        _ => None,
    });
    rolled_back.collect()
}

/// The last attempt at an action.
fn last<'k>(known: &'k Known<'_>, execution: &str, stage: &str, name: &str) -> Option<&'k Action> {
    let here = |action: &&Action| action.execution == execution && action.stage == stage && action.name == name;
    known.facts.actions.iter().rfind(here)
}

/// A status is what the actions make of it.
pub(super) fn justified(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    for execution in &known.facts.executions {
        let id = &execution.pipeline_execution_id;
        let stopped = known.count(|fact| matches!(fact, Fact::StopAsked { execution, .. } if execution == id)) > 0;
        let failed = known.facts.actions.iter().any(|action| action.execution == *id && action.status == "Failed");
        let newer = known
            .facts
            .executions
            .iter()
            .any(|other| other.start_time >= execution.start_time && other.pipeline_execution_id != *id);
        let reason = match execution.status.as_str() {
            "Succeeded" => lacking(known, execution),
            "Failed" => (!failed).then(|| "no action of it has failed".to_owned()),
            "Stopped" => (!stopped).then(|| "nobody has stopped it".to_owned()),
            "Superseded" if known.facts.plan.mode == Mode::Superseded && newer => None,
            other => Some(format!("it may not end so: {other}")),
        };
        if let Some(reason) = reason {
            let text = format!("{} {id} is {}: {reason}", known.name(), execution.status);
            wrong.push(Violation::new("justified end", id, text));
        }
    }
}

/// Which action an execution lacks that has succeeded.
fn lacking(known: &Known<'_>, execution: &Execution) -> Option<String> {
    let id = &execution.pipeline_execution_id;
    let done =
        |stage: &str, name: &str| last(known, id, stage, name).is_some_and(|action| action.status == "Succeeded");
    let stages = known.facts.plan.actions();
    if execution.execution_type == "ROLLBACK" {
        let whole = stages.iter().any(|(stage, names)| names.iter().all(|name| done(stage, name)));
        return (!whole).then(|| "no stage of it has succeeded".to_owned());
    }
    let all = stages.iter().flat_map(|(stage, names)| names.iter().map(move |name| (*stage, name)));
    let mut open = all.filter(|(stage, name)| !done(stage, name));
    open.next().map(|(stage, name)| format!("{stage}/{name} has not succeeded"))
}

/// A stop that was acknowledged stops, unless the execution was taken up again.
pub(super) fn stopped(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    for entry in known.entries {
        let Fact::Stopped { pipeline, execution, .. } = &entry.fact else { continue };
        let again = known.count(|fact| matches!(fact, Fact::RetryAsked { execution: id, .. } if id == execution)) > 0;
        let found = known.facts.executions.iter().find(|one| one.pipeline_execution_id == *execution);
        let status = found.map(|one| one.status.as_str());
        if *pipeline == known.name() && !again && status != Some("Stopped") {
            let text = format!("{pipeline} {execution}: its stop was acknowledged, and it is {status:?}");
            wrong.push(Violation::new("stopped", execution, text));
        }
    }
}

/// Where executions lock stages they first enter each one in the order of their start.
pub(super) fn in_order(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    if known.facts.plan.mode == Mode::Parallel {
        return;
    }
    for (stage, _) in known.facts.plan.actions() {
        let mut entered: Vec<(f64, usize)> = Vec::new();
        for (ordinal, execution) in known.facts.executions.iter().enumerate() {
            let here = |action: &&Action| action.execution == execution.pipeline_execution_id && action.stage == stage;
            let first = known.facts.actions.iter().filter(here).map(|action| action.start).min_by(f64::total_cmp);
            entered.extend(first.filter(|_| execution.execution_type != "ROLLBACK").map(|start| (start, ordinal)));
        }
        entered.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        if let Some(pair) = entered.windows(2).find(|pair| pair[0].1 > pair[1].1) {
            let id = |ordinal: usize| known.facts.executions[ordinal].pipeline_execution_id.clone();
            let text = format!("{} {stage}: {} came before {}", known.name(), id(pair[0].1), id(pair[1].1));
            wrong.push(Violation::new("order", id(pair[1].1), text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Sample, execution};
    use super::*;

    #[test]
    fn a_whole_run_is_right() {
        let sample = Sample::whole();
        for rule in [triggered, justified, stopped, in_order] {
            assert_eq!(sample.judge(rule), Vec::<String>::new());
        }
    }

    #[test]
    fn an_execution_too_many_or_too_few_is_seen() {
        let mut twice = Sample::whole();
        twice.facts.executions.push(execution("e3", "PollForSourceChanges", 30.0));
        assert_eq!(twice.judge(triggered).len(), 1);
        let mut lost = Sample::whole();
        lost.facts.executions.pop();
        assert_eq!(lost.judge(triggered).len(), 1);
        let mut token = Sample::whole();
        let started =
            |execution: &str| Fact::Started { pipeline: "gate", token: execution.into(), execution: execution.into() };
        token.note(started("gone"));
        assert_eq!(token.judge(triggered).len(), 1);
    }

    #[test]
    fn an_end_without_a_reason_is_seen() {
        for status in ["Failed", "Stopped", "Cancelled", "Superseded", "InProgress"] {
            let mut sample = Sample::whole();
            sample.facts.executions[0].status = status.to_owned();
            assert_eq!(sample.judge(justified).len(), 1, "{status}");
        }
        let mut lacking = Sample::whole();
        lacking.facts.actions.pop();
        assert_eq!(lacking.judge(justified).len(), 1);
    }

    #[test]
    fn a_stop_that_did_not_stop_is_seen() {
        let mut sample = Sample::whole();
        sample.note(Fact::Stopped { pipeline: "gate", execution: "e1".into(), abandon: false });
        assert_eq!(sample.judge(stopped).len(), 1);
        sample.note(Fact::RetryAsked { pipeline: "gate", execution: "e1".into(), stage: "Site".into() });
        assert_eq!(sample.judge(stopped).len(), 0);
    }

    #[test]
    fn overtaking_is_seen() {
        let mut sample = Sample::whole();
        for action in
            sample.facts.actions.iter_mut().filter(|action| action.stage == "Site" && action.execution == "e1")
        {
            action.start = 90.0;
        }
        assert_eq!(sample.judge(in_order).len(), 1);
    }
}
