//! What is accepted can be run: every well-formed random definition comes to its end, its inputs made before they are read.

use std::collections::BTreeSet;

use kernel::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::definition::{Action, Definition, ExecutionMode, Stage};
use super::flow::{Flow, Run};
use super::samples::{build, pipeline, source, stage};
use super::status::{ActionStatus, ExecutionStatus};
use super::step::{Command, Event, step};
use super::structure::check_definition;

/// Stages of (input, order) pairs: action number k makes artifact `A<k>` and reads any from `A0` on, perhaps one that is made
/// later, together with it, or never.
fn random_definition() -> impl Strategy<Value = Definition> {
    let action = (0..5_usize, 1..4_i32);
    prop::collection::vec(prop::collection::vec(action, 1..3), 0..4).prop_map(|stages| {
        let mut made = 0;
        let mut numbered = |(input, run_order)| {
            made += 1;
            Action { run_order, ..build(&format!("a{made}"), &format!("A{input}"), &format!("A{made}")) }
        };
        let rest: Vec<Stage> = stages
            .into_iter()
            .enumerate()
            .map(|(index, actions)| stage(&format!("S{index}"), actions.into_iter().map(&mut numbered).collect()))
            .collect();
        let first = stage("Source", vec![source("Git", "A0")]);
        Definition { stages: [vec![first], rest].concat(), ..pipeline() }
    })
}

/// Runs an execution whose actions all succeed; gives the actions in the order of their start.
fn run(definition: &Definition) -> (ExecutionStatus, Vec<(String, String)>) {
    let now = Timestamp::from_millis(0);
    let first = Event::Started(Run::new(1, definition.version, ExecutionMode::Superseded, now));
    let (mut flow, mut commands) = step(definition, Flow::default(), first, now);
    let mut started = Vec::new();
    while let Some(position) = commands.iter().position(|command| matches!(command, Command::StartAction { .. })) {
        let Command::StartAction { execution, number, stage, action } = commands.remove(position) else { continue };
        started.push((stage, action));
        let ended = Event::ActionEnded { execution, number, status: ActionStatus::Succeeded };
        let (next, more) = step(definition, flow, ended, now);
        flow = next;
        commands.extend(more);
    }
    (flow.runs[&1].status, started)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_accepted_runs_to_its_end(definition in random_definition()) {
        if check_definition(&definition, "us-east-1").is_err() {
            return Ok(());
        }
        let (status, started) = run(&definition);
        prop_assert_eq!(status, ExecutionStatus::Succeeded);
        prop_assert_eq!(started.len(), definition.actions().count(), "each action once");
        let mut made = BTreeSet::new();
        for (stage, action) in started {
            let action = definition.action(&stage, &action).unwrap();
            prop_assert!(action.inputs.iter().all(|input| made.contains(input)), "{:?} reads what is not there", action);
            made.extend(action.outputs.iter());
        }
    }
}

#[test]
fn random_definitions_are_often_accepted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let accepted = (0..2_000)
        .filter(|_| {
            let definition = random_definition().new_tree(&mut runner).unwrap().current();
            check_definition(&definition, "us-east-1").is_ok()
        })
        .count();
    assert!(accepted > 50, "only {accepted} of 2,000: the property above would say little");
}
