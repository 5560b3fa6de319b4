//! What happened to the references since they were last announced.

use std::collections::BTreeMap;

use crate::model::{Command, Push};

/// Reference names with what they point at.
pub(crate) type References = BTreeMap<String, String>;

/// One change to announce: created without `old`, deleted without `new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
    /// Who did it, where a push that is still known explains it.
    pub(crate) caller_arn: Option<String>,
}

/// The changes that lead from `known` to `actual`, by name. Where `pushes` are a path from the one value to the
/// other, each of their steps is a change of its own, in order; else the difference is one change.
pub(crate) fn changes(known: &References, actual: &References, pushes: &[&Push]) -> Vec<Change> {
    let mut names: Vec<&String> = known.keys().chain(actual.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().flat_map(|name| path(name, known.get(name), actual.get(name), pushes)).collect()
}

fn path(name: &str, known: Option<&String>, actual: Option<&String>, pushes: &[&Push]) -> Vec<Change> {
    if known == actual {
        return Vec::new();
    }
    let mut steps = Vec::new();
    let mut at = known;
    while at != actual && steps.len() < pushes.len() {
        let Some((push, step)) = pushes.iter().find_map(|push| step(push, name, at)) else { break };
        let caller_arn = Some(push.caller_arn.clone());
        steps.push(Change { name: name.to_owned(), old: step.old.clone(), new: step.new.clone(), caller_arn });
        at = step.new.as_ref();
    }
    if at == actual {
        return steps;
    }
    vec![Change { name: name.to_owned(), old: known.cloned(), new: actual.cloned(), caller_arn: None }]
}

/// The command of `push` that moves `name` on from `at`.
fn step<'p>(push: &'p Push, name: &str, at: Option<&String>) -> Option<(&'p Push, &'p Command)> {
    let moves = |command: &&Command| command.name == name && command.old.as_ref() == at && command.new.as_ref() != at;
    push.commands.iter().find(moves).map(|command| (push, command))
}

/// The branch that becomes the default one of a repository without: the first that the pushes name, else the first
/// by name.
pub(crate) fn first_branch<'c>(changes: &'c [Change], pushes: &[&Push]) -> Option<&'c str> {
    let created = |name: &str| {
        let change = changes.iter().rfind(|change| change.name == name)?;
        change.new.as_ref().and_then(|_| change.name.strip_prefix(crate::model::HEADS))
    };
    let named = pushes.iter().flat_map(|push| &push.commands).find_map(|command| created(&command.name));
    named.or_else(|| changes.iter().find_map(|change| created(&change.name)))
}

#[cfg(test)]
mod tests {
    use kernel::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn references(pairs: &[(&str, &str)]) -> References {
        pairs.iter().map(|(name, target)| ((*name).to_owned(), (*target).to_owned())).collect()
    }

    fn push(caller: &str, commands: &[(&str, &str, &str)]) -> Push {
        let side = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let command = |(name, old, new): &(&str, &str, &str)| Command {
            name: (*name).to_owned(),
            old: side(old),
            new: side(new),
        };
        Push {
            repository: "r".to_owned(),
            id: caller.to_owned(),
            caller_arn: caller.to_owned(),
            commands: commands.iter().map(command).collect(),
            due: Timestamp::default(),
        }
    }

    fn told(changes: &[Change]) -> Vec<String> {
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let who = |change: &Change| change.caller_arn.clone().unwrap_or_else(|| "?".to_owned());
        let line =
            |change: &Change| format!("{} {}>{} {}", change.name, side(&change.old), side(&change.new), who(change));
        changes.iter().map(line).collect()
    }

    #[test]
    fn differences_become_changes_explained_by_pushes() {
        let (jane, joe) = (push("jane", &[("m", "a", "b"), ("t", "", "x")]), push("joe", &[("m", "b", "c")]));
        let table = [
            ("nothing", vec![("m", "a")], vec![("m", "a")], vec![]),
            ("one step", vec![("m", "a")], vec![("m", "b")], vec!["m a>b jane"]),
            ("two steps", vec![("m", "a")], vec![("m", "c")], vec!["m a>b jane", "m b>c joe"]),
            ("created", vec![], vec![("t", "x")], vec!["t ->x jane"]),
            ("unexplained", vec![("m", "a")], vec![("m", "z")], vec!["m a>z ?"]),
            ("deleted", vec![("m", "a"), ("n", "q")], vec![("m", "a")], vec!["n q>- ?"]),
        ];
        for (what, known, actual, expected) in table {
            let found = changes(&references(&known), &references(&actual), &[&joe, &jane]);
            assert_eq!(told(&found), expected, "{what}");
        }
    }

    #[test]
    fn the_first_branch_pushed_becomes_the_default() {
        let both = push("jane", &[("refs/heads/z", "", "1"), ("refs/heads/a", "", "1")]);
        let actual = references(&[("refs/heads/a", "1"), ("refs/heads/z", "1"), ("refs/tags/v", "1")]);
        let found = changes(&References::new(), &actual, &[&both]);
        assert_eq!(first_branch(&found, &[&both]), Some("z"));
        assert_eq!(first_branch(&found, &[]), Some("a"));
        let tags = changes(&References::new(), &references(&[("refs/tags/v", "1")]), &[]);
        assert_eq!(first_branch(&tags, &[]), None);
    }

    proptest! {
        /// Whatever the pushes say, the changes lead from the known state to the actual one, step by step.
        #[test]
        fn changes_always_lead_to_the_actual_state(
            known in proptest::collection::btree_map("[mn]", "[a-d]", 0..3),
            actual in proptest::collection::btree_map("[mn]", "[a-d]", 0..3),
            commands in proptest::collection::vec(("[mn]", "[a-d]?", "[a-d]?"), 0..8),
        ) {
            let pushes: Vec<Push> = commands.iter().map(|(name, old, new)| push("p", &[(name, old, new)])).collect();
            let mut state = known.clone();
            for change in changes(&known, &actual, &pushes.iter().collect::<Vec<_>>()) {
                prop_assert_eq!(state.get(&change.name), change.old.as_ref());
                match change.new {
                    Some(new) => state.insert(change.name, new),
                    None => state.remove(&change.name),
                };
            }
            prop_assert_eq!(state, actual);
        }
    }
}
