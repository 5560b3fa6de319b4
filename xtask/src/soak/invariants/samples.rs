//! A run in which all is right, for the rules' tests to falsify.

use std::collections::BTreeMap;

use super::{Known, Rule};
use crate::soak::facts::{Action, Execution, Facts, Output, SourceRevision, Trigger};
use crate::soak::ledger::{Entry, Fact};
use crate::soak::plan::PLANS;
use crate::soak::revision::Revision;

/// What the rules see.
pub(super) struct Sample {
    pub(super) facts: Facts,
    pub(super) entries: Vec<Entry>,
    pub(super) diaries: Vec<Vec<(String, String)>>,
    pub(super) installed: Vec<Option<String>>,
    pub(super) containers: BTreeMap<String, String>,
}

/// An execution that has succeeded, of revision `r1` if it is the first and `r2` otherwise.
pub(super) fn execution(id: &str, trigger: &str, start: f64) -> Execution {
    Execution {
        pipeline_execution_id: id.to_owned(),
        status: "Succeeded".to_owned(),
        execution_type: "STANDARD".to_owned(),
        start_time: start,
        trigger: Trigger { trigger_type: trigger.to_owned() },
        source_revisions: vec![SourceRevision { revision_id: if id == "e1" { "r1" } else { "r2" }.to_owned() }],
    }
}

pub(super) fn text(number: u32) -> String {
    Revision { pipeline: "gate", number, seed: 1 }.text()
}

fn action(execution: &str, name: &str, start: f64) -> Action {
    let number = u32::from(execution != "e1");
    Action {
        execution: execution.to_owned(),
        id: format!("{execution}-{name}"),
        stage: name.to_owned(),
        name: name.to_owned(),
        status: "Succeeded".to_owned(),
        start,
        end: start + 1.0,
        summary: if name == "Approve" { format!("answer to {execution}") } else { String::new() },
        output: (name == "Source").then(|| Output { text: text(number), ..Output::default() }),
        ..Action::default()
    }
}

impl Sample {
    /// Two executions of `gate`: by its creation and by a second revision.
    pub(super) fn whole() -> Self {
        let executions = vec![execution("e1", "CreatePipeline", 10.0), execution("e2", "PollForSourceChanges", 20.0)];
        let actions = [("e1", 10.0), ("e2", 20.0)].into_iter().flat_map(|(execution, start)| {
            [("Source", 0.0), ("Approve", 2.0), ("Site", 4.0)]
                .map(|(name, after)| action(execution, name, start + after))
        });
        let facts = Facts {
            plan: PLANS[4],
            actions: actions.collect(),
            executions,
            builds: Vec::new(),
            deployments: Vec::new(),
            versions: 2,
            site: Some(text(1)),
        };
        let mut sample = Self {
            facts,
            entries: Vec::new(),
            diaries: vec![Vec::new(); 3],
            installed: vec![None; 3],
            containers: BTreeMap::new(),
        };
        for number in 0..2 {
            sample.note(Fact::Pushed { pipeline: "gate", number, revision: format!("r{}", number + 1) });
            let summary = format!("answer to e{}", number + 1);
            sample.note(Fact::AnswerAsked { pipeline: "gate", summary: summary.clone() });
            sample.note(Fact::Answered { pipeline: "gate", approved: true, summary });
        }
        sample
    }

    pub(super) fn note(&mut self, fact: Fact) {
        self.entries.push(Entry { at: 30_000, fact });
    }

    /// The first execution's action of this name.
    pub(super) fn action(&mut self, name: &str) -> &mut Action {
        let index = self.facts.actions.iter().position(|action| action.name == name).unwrap_or_default();
        &mut self.facts.actions[index]
    }

    /// What a rule finds.
    pub(super) fn judge(&self, rule: Rule) -> Vec<String> {
        let mut wrong = Vec::new();
        let known = Known {
            facts: &self.facts,
            entries: &self.entries,
            diaries: &self.diaries,
            installed: &self.installed,
            containers: &self.containers,
            contained: true,
            seed: 1,
        };
        rule(&known, &mut wrong);
        wrong.into_iter().map(|violation| violation.text).collect()
    }
}
