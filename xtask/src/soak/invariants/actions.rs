//! Actions: once for each attempt, exclusive, caused, and with the right content.

use std::collections::{BTreeMap, BTreeSet};

use super::{Known, Violation};
use crate::soak::facts::Action;
use crate::soak::hosts;
use crate::soak::ledger::Fact;
use crate::soak::plan::Mode;

/// No more attempts than there were reasons: the first, each retry that was asked for, and one by itself.
pub(super) fn once(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    let mut attempts: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for action in &known.facts.actions {
        *attempts.entry((&action.execution, &action.stage, &action.name)).or_default() += 1;
        if !ids.insert(&action.id) {
            wrong.push(Violation::new(
                "action ids",
                &action.id,
                format!("{} has two actions {}", known.name(), action.id),
            ));
        }
    }
    for ((execution, stage, name), count) in attempts {
        let asked = known.count(
            |fact| matches!(fact, Fact::RetryAsked { execution: id, stage: of, .. } if id == execution && of == stage),
        );
        let automatic = usize::from(known.facts.plan.on_failure == Some("RETRY"));
        if count > 1 + asked + automatic {
            let text = format!("{} {execution}: {stage}/{name} ran {count} times, {asked} retries", known.name());
            wrong.push(Violation::new("once", execution, text));
        }
    }
}

/// Nothing fails by itself: a build with its container, a rollout with a host's agent, an approval by its answer.
pub(super) fn caused(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    for action in &known.facts.actions {
        let stopped = || {
            known.count(|fact| matches!(fact, Fact::StopAsked { execution, .. } if *execution == action.execution)) > 0
        };
        let right = match (action.status.as_str(), action.name.as_str()) {
            ("Succeeded", _) => true,
            ("Abandoned", _) => stopped(),
            ("Failed", "Approve") => !action.summary.is_empty(),
            ("Failed", "Hosts") => struck_or_busy(known, action),
            // Of a build the build's own rule tells.
            ("Failed", name) => name.starts_with("Build"),
            _ => false,
        };
        if !right {
            let text = format!(
                "{} {} {}/{} is {}: {}",
                known.name(),
                action.execution,
                action.stage,
                action.name,
                action.status,
                action.error
            );
            wrong.push(Violation::new("cause", &action.execution, text));
        }
    }
}

fn struck_or_busy(known: &Known<'_>, action: &Action) -> bool {
    // An abandoned deployment goes on, and its group takes no other meanwhile.
    let busy = action.error.contains("already has an active");
    let struck = |host: &usize| known.was_struck(&hosts::name(*host), action.start - 1.0, action.end + 1.0);
    busy || known.facts.plan.hosts().iter().any(struck)
}

/// Where stages are locked, actions of two executions are never in one at the same time.
pub(super) fn exclusive(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    if known.facts.plan.mode == Mode::Parallel {
        return;
    }
    let mut actions: Vec<&Action> = known.facts.actions.iter().collect();
    actions.sort_by(|one, other| one.stage.cmp(&other.stage).then(one.start.total_cmp(&other.start)));
    let mut reaches: Option<&Action> = None;
    for action in actions {
        match reaches {
            Some(before) if before.stage == action.stage => {
                if before.execution != action.execution && action.start < before.end {
                    let text = format!(
                        "{} {}: {} and {} at once",
                        known.name(),
                        action.stage,
                        before.execution,
                        action.execution
                    );
                    wrong.push(Violation::new("locks", &action.execution, text));
                }
                if action.end > before.end {
                    reaches = Some(action);
                }
            }
            _ => reaches = Some(action),
        }
    }
}

/// Each acknowledged answer is in exactly one approval, and no approval has an answer that nobody gave.
pub(super) fn answered(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    let approvals: Vec<&Action> = known.facts.actions.iter().filter(|action| action.name == "Approve").collect();
    for entry in known.entries {
        let Fact::Answered { pipeline, approved, summary } = &entry.fact else { continue };
        let status = if *approved { "Succeeded" } else { "Failed" };
        let found = approvals.iter().filter(|action| action.summary == *summary && action.status == status).count();
        if *pipeline == known.name() && found != 1 {
            let text = format!("{summary} ({status}) was acknowledged, and is in {found} approvals");
            wrong.push(Violation::new("approvals", summary, text));
        }
    }
    for action in approvals.iter().filter(|action| matches!(action.status.as_str(), "Succeeded" | "Failed")) {
        if known.count(|fact| matches!(fact, Fact::AnswerAsked { summary, .. } if *summary == action.summary)) != 1 {
            let text =
                format!("{} {} has an answer that nobody gave: {}", known.name(), action.execution, action.summary);
            wrong.push(Violation::new("approvals", &action.execution, text));
        }
    }
}

/// Sources and builds have packed the revision that their execution is about.
pub(super) fn intact(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    for action in &known.facts.actions {
        let Some(output) = action.output.as_ref().filter(|_| action.status == "Succeeded") else { continue };
        if action.stage != "Source" && !known.contained {
            continue;
        }
        let text = known.text(&action.execution);
        if text.as_deref() != Some(&output.text) {
            let told = format!(
                "{} {} {} packed {:?} instead of {text:?}",
                known.name(),
                action.execution,
                action.name,
                output.text
            );
            wrong.push(Violation::new("artifacts", &action.execution, told));
        }
    }
}

/// What a site shows is what one of the last to write it had; those at the same time may have come in any order.
pub(super) fn published(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    let sites: Vec<&Action> = known.facts.actions.iter().filter(|action| action.name == "Site").collect();
    let is_last = |action: &&&Action| !sites.iter().any(|other| other.start >= action.end && other.id != action.id);
    let last: Vec<&&Action> = sites.iter().filter(is_last).collect();
    if last.is_empty()
        || last.iter().any(|action| action.status != "Succeeded")
        || (!known.contained && known.facts.site.is_none())
    {
        return;
    }
    let texts: Vec<Option<String>> = last.iter().map(|action| known.text(&action.execution)).collect();
    if !texts.contains(&known.facts.site) {
        let text = format!("{} shows {:?}, deployed were {texts:?}", known.name(), known.facts.site);
        wrong.push(Violation::new("site", known.name(), text));
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::Sample;
    use super::*;
    use crate::soak::facts::Output;

    #[test]
    fn a_whole_run_is_right() {
        let sample = Sample::whole();
        for rule in [once, caused, exclusive, answered, intact, published] {
            assert_eq!(sample.judge(rule), Vec::<String>::new());
        }
    }

    #[test]
    fn an_action_that_ran_twice_is_seen() {
        let mut sample = Sample::whole();
        let again = Action { id: "another".into(), ..sample.facts.actions[0].clone() };
        sample.facts.actions.push(again);
        assert_eq!(sample.judge(once).len(), 1);
        sample.note(Fact::RetryAsked { pipeline: "gate", execution: "e1".into(), stage: "Source".into() });
        assert_eq!(sample.judge(once).len(), 0);
        sample.facts.actions[1].id = sample.facts.actions[0].id.clone();
        assert_eq!(sample.judge(once).len(), 1);
    }

    #[test]
    fn a_failure_without_a_cause_is_seen() {
        for (name, status) in [("Source", "Failed"), ("Site", "Failed"), ("Site", "Abandoned"), ("Site", "InProgress")]
        {
            let mut sample = Sample::whole();
            sample.action(name).status = status.to_owned();
            assert_eq!(sample.judge(caused).len(), 1, "{name} {status}");
        }
        let mut sample = Sample::whole();
        sample.action("Site").status = "Abandoned".to_owned();
        sample.note(Fact::StopAsked { pipeline: "gate", execution: "e1".into() });
        assert_eq!(sample.judge(caused).len(), 0);
    }

    #[test]
    fn two_in_a_stage_are_seen() {
        let mut sample = Sample::whole();
        sample.action("Site").end = 99.0;
        assert_eq!(sample.judge(exclusive).len(), 1);
    }

    #[test]
    fn an_answer_that_was_lost_or_made_up_is_seen() {
        let mut lost = Sample::whole();
        lost.note(Fact::Answered { pipeline: "gate", approved: true, summary: "mine".into() });
        assert_eq!(lost.judge(answered).len(), 1);
        let mut made_up = Sample::whole();
        made_up.action("Approve").summary = "whose?".to_owned();
        assert_eq!(made_up.judge(answered).len(), 2);
    }

    #[test]
    fn a_wrong_artifact_and_a_wrong_site_are_seen() {
        let mut sample = Sample::whole();
        sample.action("Source").output = Some(Output { text: "another".into(), ..Output::default() });
        assert_eq!(sample.judge(intact).len(), 1);
        sample.facts.site = None;
        assert_eq!(sample.judge(published).len(), 1);
    }
}
