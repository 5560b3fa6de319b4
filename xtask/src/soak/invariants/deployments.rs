//! Deployments: every hook once, and what is on a host is what was deployed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Known, Violation};
use crate::soak::facts::Deployment;
use crate::soak::hosts;
use crate::soak::revision::HOOKS;

/// Each rule of deployments in turn.
pub(super) fn carried_out(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    for deployment in &known.facts.deployments {
        hooks(known, deployment, wrong);
        ended(known, deployment, wrong);
    }
    one_each(known, wrong);
    installed(known, wrong);
}

/// No hook twice for a deployment on a host; all of them where it has succeeded, but on a host whose agent was struck: the last
/// host of `OneAtATime` may fail in a deployment that succeeds. There may be no release to stop.
fn hooks(known: &Known<'_>, deployment: &Deployment, wrong: &mut Vec<Violation>) {
    for host in known.facts.plan.hosts() {
        for event in HOOKS {
            let here = |line: &&(String, String)| line.0 == deployment.id && line.1 == event;
            let count = known.diaries[*host].iter().filter(here).count();
            let due =
                deployment.status == "Succeeded" && event != "ApplicationStop" && !struck(known, deployment, *host);
            let missing = count == 0 && due;
            if count > 1 || missing {
                let text =
                    format!("{} {} ran {event} {count} times on {}", known.name(), deployment.id, hosts::name(*host));
                wrong.push(Violation::new("hooks", &deployment.id, text));
            }
        }
    }
}

/// Whether a host's agent was struck while the deployment ran.
fn struck(known: &Known<'_>, deployment: &Deployment, host: usize) -> bool {
    known.was_struck(&hosts::name(host), deployment.created - 1.0, deployment.completed + 1.0)
}

/// It fails only with an agent of its hosts.
fn ended(known: &Known<'_>, deployment: &Deployment, wrong: &mut Vec<Violation>) {
    let struck = |host: &usize| struck(known, deployment, *host);
    let caused = deployment.status == "Failed" && known.facts.plan.hosts().iter().any(struck);
    if deployment.status != "Succeeded" && !caused {
        let text = format!("{} {} is {}: {}", known.name(), deployment.id, deployment.status, deployment.error);
        wrong.push(Violation::new("deployment's cause", &deployment.id, text));
    }
}

/// Every deployment is one action's, but for CodeDeploy's own rollbacks.
fn one_each(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    let actions = known.facts.actions.iter().filter(|action| action.stage == "Hosts");
    let named: BTreeSet<&str> = actions.clone().map(|action| action.external.as_str()).collect();
    // An action that was abandoned while its deployment was being made may not have learned its name.
    let unnamed = actions.filter(|action| action.external.is_empty() && action.status == "Abandoned").count();
    let own = known.facts.deployments.iter().filter(|deployment| !deployment.creator.contains("ollback"));
    if let Some(stranger) = own.filter(|deployment| !named.contains(deployment.id.as_str())).nth(unnamed) {
        let text = format!("no action of {} has made {} ({})", known.name(), stranger.id, stranger.creator);
        wrong.push(Violation::new("deployments", &stranger.id, text));
    }
}

/// After a last deployment that has succeeded each host has its revision, but one whose agent was struck meanwhile.
fn installed(known: &Known<'_>, wrong: &mut Vec<Violation>) {
    let packed = known
        .facts
        .actions
        .iter()
        .filter_map(|action| Some((action.key.as_str(), action.output.as_ref()?.text.as_str())));
    let packed: BTreeMap<&str, &str> = packed.collect();
    let Some(last) = known.facts.deployments.last().filter(|last| last.status == "Succeeded") else { return };
    let Some(text) = packed.get(last.key.as_str()) else { return };
    for host in known.facts.plan.hosts() {
        if known.installed[*host].as_deref() != Some(text) && !struck(known, last, *host) {
            let told = format!(
                "{} has {:?} of {} after {}, not {text:?}",
                hosts::name(*host),
                known.installed[*host],
                known.name(),
                last.id
            );
            wrong.push(Violation::new("installed", &last.id, told));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Sample, text};
    use super::*;
    use crate::soak::facts::{Action, Output};
    use crate::soak::ledger::Fact;
    use crate::soak::plan::PLANS;

    fn deployed() -> Sample {
        let mut sample = Sample::whole();
        sample.facts.plan = PLANS[8];
        sample.facts.deployments.push(Deployment {
            id: "d-1".into(),
            status: "Succeeded".into(),
            created: 11.0,
            completed: 12.0,
            key: "k".into(),
            ..Deployment::default()
        });
        let output = Some(Output { text: text(0), ..Output::default() });
        let action =
            Action { stage: "Hosts".into(), external: "d-1".into(), key: "k".into(), output, ..Action::default() };
        sample.facts.actions.push(action);
        for host in [0, 2] {
            sample.diaries[host] = HOOKS.iter().map(|event| ("d-1".to_owned(), (*event).to_owned())).collect();
            sample.installed[host] = Some(text(0));
        }
        sample
    }

    #[test]
    fn a_whole_deployment_is_right() {
        assert_eq!(deployed().judge(carried_out), Vec::<String>::new());
    }

    #[test]
    fn a_hook_that_ran_twice_or_not_at_all_is_seen() {
        let mut twice = deployed();
        twice.diaries[2].push(("d-1".into(), "AfterInstall".into()));
        assert_eq!(twice.judge(carried_out).len(), 1);
        let mut never = deployed();
        never.diaries[0].pop();
        assert_eq!(never.judge(carried_out).len(), 1);
    }

    #[test]
    fn a_failure_is_seen_unless_an_agent_was_killed() {
        let mut sample = deployed();
        sample.facts.deployments[0].status = "Failed".into();
        sample.facts.deployments[0].completed = 40.0;
        assert_eq!(sample.judge(carried_out).len(), 1);
        sample.note(Fact::Struck { victim: "host", whom: "host1".into() });
        assert_eq!(sample.judge(carried_out).len(), 1);
        sample.note(Fact::Struck { victim: "host", whom: "host2".into() });
        assert_eq!(sample.judge(carried_out).len(), 0);
    }

    #[test]
    fn a_deployment_of_nobodys_and_a_wrong_revision_are_seen() {
        let mut stranger = deployed();
        stranger.facts.actions.last_mut().into_iter().for_each(|action| action.external = "d-2".into());
        assert_eq!(stranger.judge(carried_out).len(), 1);
        let mut wrong = deployed();
        wrong.installed[0] = None;
        assert_eq!(wrong.judge(carried_out).len(), 1);
    }
}
