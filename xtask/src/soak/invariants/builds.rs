//! Builds: one for each action, run once, logged once, and failed only with their containers.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::{Known, Violation};
use crate::soak::facts::{Action, Build};
use crate::soak::ledger::Fact;

/// As many builds as actions that started one, and none that no action knows.
pub(super) fn one_each(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    let actions = known.facts.actions.iter().filter(|action| action.stage == "Build" && !action.external.is_empty());
    let named: Vec<&str> = actions.map(|action| action.external.as_str()).collect();
    let distinct: BTreeSet<&str> = named.iter().copied().collect();
    if distinct.len() != named.len() {
        let text = format!("{}: two actions share a build", known.name());
        wrong.push(Violation::new("builds", known.name(), text));
    }
    // An action that was abandoned while its build was being started may not have learned its name.
    let abandoned = known.facts.actions.iter().filter(|action| action.stage == "Build" && action.external.is_empty());
    let mut strangers = known.facts.builds.iter().filter(|build| !distinct.contains(build.id.as_str()));
    if let Some(stranger) = strangers.nth(abandoned.count()) {
        wrong.push(Violation::new("builds", &stranger.id, format!("no action has started the build {}", stranger.id)));
    }
}

/// The lines of a build's own, with their number: `line NONCE I`.
fn said<'b>(build: &'b Build, word: &str) -> Vec<(&'b str, &'b str)> {
    let lines = build.log.iter().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.split_once(' '));
    lines.filter(|(nonce, _)| nonce.len() == 36).collect()
}

/// The build that an action has started.
fn build_of<'k>(known: &'k Known<'_>, action: &Action) -> Option<&'k Build> {
    known.facts.builds.iter().find(|build| build.id == action.external)
}

/// A build has begun at most once, and its artifact is from that run and of its revision.
pub(super) fn ran(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    if !known.contained {
        return;
    }
    for build in &known.facts.builds {
        let began: BTreeSet<&str> = said(build, "ran").into_iter().map(|(nonce, _)| nonce).collect();
        if began.len() > 1 || (began.is_empty() && build.status == "SUCCEEDED") {
            let text = format!("{} is {} and ran {} times: {began:?}", build.id, build.status, began.len());
            wrong.push(Violation::new("ran once", &build.id, text));
        }
    }
    for action in known.facts.actions.iter().filter(|action| action.stage == "Build" && action.status == "Succeeded") {
        let text = known.text(&action.execution).unwrap_or_default();
        let proof = format!("{}\n", hex::encode(Sha256::digest(&text)));
        let build = build_of(known, action);
        let began = build.and_then(|build| said(build, "ran").first().map(|(nonce, _)| (*nonce).to_owned()));
        let output = action.output.clone().unwrap_or_default();
        let succeeded = build.is_some_and(|build| build.status == "SUCCEEDED");
        if !succeeded || output.proof.as_ref() != Some(&proof) || output.nonce != began || began.is_none() {
            let text = format!(
                "{} {} has {output:?}; its build {} began as {began:?}",
                known.name(),
                action.execution,
                action.external
            );
            wrong.push(Violation::new("ran once", &action.external, text));
        }
    }
}

/// The numbered lines of a log are without gap, repetition or disorder, and whole where the build has succeeded.
pub(super) fn logged(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    if !known.contained {
        return;
    }
    for build in &known.facts.builds {
        let numbers: Vec<usize> = said(build, "line").iter().filter_map(|(_, number)| number.parse().ok()).collect();
        let gap = numbers.iter().enumerate().find(|(index, number)| **number != index + 1);
        let done = said(build, "done").first().and_then(|(_, count)| count.parse::<usize>().ok());
        let begun = said(build, "ran").len();
        let whole = done == Some(numbers.len()) && begun == 1;
        let text = match (gap, build.status.as_str()) {
            (Some((index, number)), _) => format!("line {number} stands at {}", index + 1),
            (None, "SUCCEEDED") if !whole => format!("{} of {done:?} lines, {begun} beginnings", numbers.len()),
            _ => continue,
        };
        let text = format!("the log of {} ({}): {text}", build.id, build.status);
        wrong.push(Violation::new("log lines", &build.id, text));
    }
}

/// A build does not fail by itself; only its container may have been killed.
pub(super) fn caused(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    for build in known.facts.builds.iter().filter(|build| build.status != "SUCCEEDED") {
        let container = known.containers.get(&build.id).map(String::as_str).unwrap_or_default();
        if known.count(|fact| matches!(fact, Fact::Struck { whom, .. } if whom == container)) == 0 {
            let text = format!(
                "{} is {}, and nobody killed its container {container:?}: {}",
                build.id, build.status, build.phases
            );
            wrong.push(Violation::new("build's cause", &build.id, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Sample, text};
    use super::*;
    use crate::soak::facts::Output;

    const NONCE: &str = "11111111-2222-3333-4444-555555555555";

    fn built() -> Sample {
        let mut sample = Sample::whole();
        let proof = format!("{}\n", hex::encode(Sha256::digest(text(0))));
        let output = Output { text: text(0), nonce: Some(NONCE.into()), proof: Some(proof) };
        sample.facts.actions.push(Action {
            execution: "e1".into(),
            id: "b".into(),
            stage: "Build".into(),
            name: "Build0".into(),
            status: "Succeeded".into(),
            external: "gate:1".into(),
            output: Some(output),
            ..Action::default()
        });
        let log = [
            format!("ran {NONCE} gate:1"),
            format!("line {NONCE} 1"),
            format!("line {NONCE} 2"),
            format!("done {NONCE} 2"),
        ];
        sample.facts.builds.push(Build {
            id: "gate:1".into(),
            status: "SUCCEEDED".into(),
            log: log.into(),
            ..Build::default()
        });
        sample.containers.insert("gate:1".into(), "b-1".into());
        sample
    }

    #[test]
    fn a_whole_build_is_right() {
        for rule in [one_each, ran, logged, caused] {
            assert_eq!(built().judge(rule), Vec::<String>::new());
        }
    }

    #[test]
    fn a_build_that_ran_twice_or_not_at_all_is_seen() {
        let mut twice = built();
        twice.facts.builds[0].log.push("ran aaaaaaaa-2222-3333-4444-555555555555 gate:1".into());
        assert_eq!(twice.judge(ran).len(), 1);
        let mut never = built();
        never.facts.builds[0].log.clear();
        assert_eq!(never.judge(ran).len(), 2);
        let mut stranger = built();
        stranger.facts.builds.push(Build { id: "gate:2".into(), ..Build::default() });
        assert_eq!(stranger.judge(one_each).len(), 1);
    }

    #[test]
    fn a_line_that_is_lost_or_repeated_is_seen() {
        for index in 0..4 {
            let mut lost = built();
            lost.facts.builds[0].log.remove(index);
            assert_eq!(lost.judge(logged).len(), 1, "{index}");
        }
        let mut repeated = built();
        let line = repeated.facts.builds[0].log[1].clone();
        repeated.facts.builds[0].log.insert(1, line);
        assert_eq!(repeated.judge(logged).len(), 1);
    }

    #[test]
    fn a_failure_is_seen_unless_the_container_was_killed() {
        let mut sample = built();
        sample.facts.builds[0].status = "FAULT".into();
        assert_eq!(sample.judge(caused).len(), 1);
        sample.note(Fact::Struck { victim: "shim killed", whom: "b-1".into() });
        assert_eq!(sample.judge(caused).len(), 0);
    }
}
