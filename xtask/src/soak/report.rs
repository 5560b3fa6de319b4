//! What a run is told as.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::facts::Facts;
use super::invariants::Violation;
use super::ledger::{Entry, Fact};

/// The summary of a run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) engine: String,
    pub(super) seconds: u64,
    /// Seconds from the last kill until nothing went on any more.
    pub(super) rest_seconds: f64,
    /// Signals by victim.
    pub(super) kills: BTreeMap<&'static str, usize>,
    /// Starts of the server.
    pub(super) restarts: usize,
    /// Acknowledged calls by what they were.
    pub(super) acknowledged: BTreeMap<&'static str, usize>,
    /// Executions, builds and deployments by their ends.
    pub(super) executions: BTreeMap<String, usize>,
    pub(super) builds: BTreeMap<String, usize>,
    pub(super) deployments: BTreeMap<String, usize>,
    pub(super) actions: usize,
    /// Numbered lines of builds, each looked at.
    pub(super) log_lines: usize,
    /// Control groups of containers, all gone.
    pub(super) containers: usize,
    /// Facts that were looked up after restarts and at the end.
    pub(super) promises: usize,
    pub(super) invariants: usize,
    pub(super) violations: Vec<Violation>,
    /// What the ledger has about them.
    pub(super) ledger: Vec<String>,
    /// Where everything is, if it was kept.
    pub(super) folder: Option<PathBuf>,
}

impl Report {
    /// Counts what came to pass.
    pub(super) fn count(&mut self, entries: &[Entry], facts: &[Facts]) {
        for entry in entries {
            match &entry.fact {
                Fact::Struck { victim, .. } => *self.kills.entry(victim).or_default() += 1,
                Fact::Serves => self.restarts += 1,
                other => {
                    if let Some(name) = acknowledged(other) {
                        *self.acknowledged.entry(name).or_default() += 1;
                    }
                }
            }
        }
        for facts in facts {
            tally(&mut self.executions, facts.executions.iter().map(|one| &one.status));
            tally(&mut self.builds, facts.builds.iter().map(|one| &one.status));
            tally(&mut self.deployments, facts.deployments.iter().map(|one| &one.status));
            self.actions += facts.actions.len();
            self.log_lines += facts.builds.iter().map(|build| build.log.len()).sum::<usize>();
        }
    }

    /// The table for people.
    pub(super) fn table(&self) -> String {
        let named = |counts: &BTreeMap<&'static str, usize>| each(counts.iter().map(|(name, count)| (*name, *count)));
        let ends = |counts: &BTreeMap<String, usize>| each(counts.iter().map(|(name, count)| (name.as_str(), *count)));
        let rows = [
            (
                "seed",
                format!(
                    "{} (engine {}, {} s of kills, at rest after {:.0} s)",
                    self.seed, self.engine, self.seconds, self.rest_seconds
                ),
            ),
            ("signals", named(&self.kills)),
            ("server's starts", self.restarts.to_string()),
            ("acknowledged", named(&self.acknowledged)),
            ("executions", ends(&self.executions)),
            ("actions", self.actions.to_string()),
            ("builds", ends(&self.builds)),
            ("lines of logs", self.log_lines.to_string()),
            ("containers", self.containers.to_string()),
            ("deployments", ends(&self.deployments)),
            ("promises looked up", self.promises.to_string()),
            ("invariants checked", self.invariants.to_string()),
            ("violations", self.violations.len().to_string()),
        ];
        let lines = rows.iter().map(|(name, value)| format!("{name:<20} {value}\n"));
        lines.collect()
    }

    /// What went wrong, for people: each violation, then the ledger.
    pub(super) fn indictment(&self) -> String {
        let violations = self.violations.iter().map(|one| format!("VIOLATION {}: {}\n", one.invariant, one.text));
        let ledger = self.ledger.iter().map(|line| format!("  {line}\n"));
        let folder = self.folder.iter().map(|folder| format!("kept: {}\n", folder.display()));
        let again = format!(
            "again: cargo xtask soak --seconds {} --seed {} --engine {}\n",
            self.seconds, self.seed, self.engine
        );
        violations.chain(["ledger:\n".to_owned()]).chain(ledger).chain(folder).chain([again]).collect()
    }
}

fn each<'n>(counts: impl Iterator<Item = (&'n str, usize)>) -> String {
    counts.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

fn tally<'s>(counts: &mut BTreeMap<String, usize>, statuses: impl Iterator<Item = &'s String>) {
    for status in statuses {
        *counts.entry(status.clone()).or_default() += 1;
    }
}

fn acknowledged(fact: &Fact) -> Option<&'static str> {
    match fact {
        Fact::Pushed { .. } => Some("pushes"),
        Fact::Started { .. } => Some("starts"),
        Fact::Stopped { .. } => Some("stops"),
        Fact::Answered { approved: true, .. } => Some("approvals"),
        Fact::Answered { approved: false, .. } => Some("rejections"),
        Fact::Retried { .. } => Some("retries"),
        Fact::RolledBack { .. } => Some("rollbacks"),
        Fact::Transition { .. } => Some("transitions"),
        _ => None,
    }
}
