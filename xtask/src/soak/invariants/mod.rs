//! What must hold at the end: pure functions over the ledger and what the server says, one file for each subject.

mod actions;
mod builds;
mod deployments;
mod executions;
#[cfg(test)]
mod samples;

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::{Action, Facts};
use super::ledger::{Entry, Fact};
use super::revision::Revision;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Violation {
    /// What does not hold.
    pub(super) invariant: String,
    /// Of what, and how it is seen.
    pub(super) text: String,
    /// What its entries in the ledger have in them.
    pub(super) about: String,
}

impl Violation {
    pub(super) fn new(invariant: &str, about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { invariant: invariant.to_owned(), text: text.into(), about: about.into() }
    }
}

/// All that is known of one pipeline.
pub(super) struct Known<'a> {
    pub(super) facts: &'a Facts,
    pub(super) entries: &'a [Entry],
    /// What each host's hooks have written.
    pub(super) diaries: &'a [Vec<(String, String)>],
    /// What each host has installed of this pipeline.
    pub(super) installed: &'a [Option<String>],
    /// The container of each build.
    pub(super) containers: &'a BTreeMap<String, String>,
    /// Whether builds were real.
    pub(super) contained: bool,
    pub(super) seed: u64,
}

/// A rule: it adds what does not hold.
type Rule = fn(&Known<'_>, &mut Vec<Violation>);

/// Every rule with its name.
pub(super) const RULES: [(&str, Rule); 15] = [
    ("every acknowledged revision, start and rollback is one execution", executions::triggered),
    ("every execution ends in a state that its actions justify", executions::justified),
    ("a stop that was acknowledged stops", executions::stopped),
    ("no execution overtakes another", executions::in_order),
    ("each action runs at most once for each attempt", actions::once),
    ("an action fails or is abandoned only for a cause", actions::caused),
    ("a stage is one execution's at a time", actions::exclusive),
    ("an approval has the answer that was acknowledged, once", actions::answered),
    ("artifacts hold what their revision holds", actions::intact),
    ("a site shows what was deployed last", actions::published),
    ("each build is one action's", builds::one_each),
    ("a build runs its commands once, and has succeeded only after all of them", builds::ran),
    ("a log has each line once and in order", builds::logged),
    ("a build fails only with its container", builds::caused),
    ("each hook runs once, and hosts have what was deployed", deployments::carried_out),
];

impl Known<'_> {
    fn name(&self) -> &'static str {
        self.facts.plan.name
    }

    fn count(&self, holds: impl Fn(&Fact) -> bool) -> usize {
        self.entries.iter().filter(|entry| holds(&entry.fact)).count()
    }

    /// The text of a revision that was acknowledged.
    fn text_of(&self, revision: &str) -> Option<String> {
        self.entries.iter().find_map(|entry| match &entry.fact {
            Fact::Pushed { pipeline, number, revision: id } if *pipeline == self.name() && id == revision => {
                Some(Revision { pipeline, number: *number, seed: self.seed }.text())
            }
            _ => None,
        })
    }

    /// The text that an execution is about: of its revision, or, where the answer to a put was lost, what its source has.
    fn text(&self, execution: &str) -> Option<String> {
        let found = self.facts.executions.iter().find(|one| one.pipeline_execution_id == execution)?;
        let revision = &found.source_revisions.first()?.revision_id;
        self.text_of(revision).or_else(|| {
            let source = |action: &&Action| action.execution == execution && action.stage == "Source";
            Some(self.facts.actions.iter().find(source)?.output.as_ref()?.text.clone())
        })
    }

    /// Whether a signal was sent to this between two times, in seconds since the epoch.
    fn was_struck(&self, whom: &str, from: f64, to: f64) -> bool {
        self.entries.iter().any(|entry| {
            let at = entry.at as f64 / 1_000.0;
            matches!(&entry.fact, Fact::Struck { whom: struck, .. } if struck == whom) && from <= at && at <= to
        })
    }
}
