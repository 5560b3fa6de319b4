//! After the kills: everything comes to its end, and all is judged.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::task::JoinSet;

use super::api::Api;
use super::facts::{self, Facts};
use super::invariants::{Known, RULES, Violation};
use super::killer::Killer;
use super::ledger::Entry;
use super::remains::{self, Groups};
use super::report::Report;
use super::run::Shared;
use super::user::User;
use super::{Arguments, data, promises};

/// The rules beside those of `invariants`: promises, database, contents, repositories, remains, the log's panics.
const OTHERS: usize = 6;

/// What is left when the kills are over.
pub(super) struct Left {
    pub(super) killer: Killer,
    pub(super) users: Vec<User>,
    pub(super) groups: Groups,
    pub(super) deadline: Instant,
}

/// Waits for the end of everything, ends the server, and judges.
pub(super) async fn judge(
    arguments: &Arguments,
    landfall: &Path,
    shared: &Shared,
    mut left: Left,
) -> anyhow::Result<Report> {
    let begun = Instant::now();
    settle(left.users, left.deadline).await?;
    let mut api = Api::new(&left.killer.server.client()?);
    deployments_end(&mut api, left.deadline).await?;
    let mut report = Report { seed: shared.seed, seconds: arguments.seconds, ..Report::default() };
    report.engine = arguments.engine.name().to_owned();
    report.rest_seconds = begun.elapsed().as_secs_f64();
    api.give_up_at(left.deadline);
    let mut wrong = lost(&mut api, shared).await;
    let facts = facts::gather(&mut api).await?;
    let entries = shared.ledger.entries();
    left.killer.end_server()?;
    for host in &mut left.killer.hosts {
        host.kill()?;
    }
    wrong.extend(check_all(shared, &left.killer, &facts, &entries)?);
    wrong.extend(data::check(landfall, &left.killer.server.data, &shared.folder)?);
    wrong.extend(remains::check(&left.killer.server.data, &left.groups)?);
    wrong.extend(panics(&left.killer.server.log)?);
    report.count(&entries, &facts);
    report.containers = left.groups.seen();
    report.invariants = RULES.len() + OTHERS;
    report.violations = wrong;
    Ok(report)
}

async fn settle(users: Vec<User>, deadline: Instant) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    for mut user in users {
        user.api.give_up_at(deadline);
        tasks.spawn(async move { user.come_to_rest(deadline).await });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// Those whose pipelines have left them behind, and rollbacks, go on by themselves; so do builds.
async fn deployments_end(api: &mut Api, deadline: Instant) -> anyhow::Result<()> {
    loop {
        let going_on = facts::going_on(api).await?;
        if going_on.is_empty() {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "these do not end: {going_on:?}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

async fn lost(api: &mut Api, shared: &Shared) -> Vec<Violation> {
    let mut wrong = Vec::new();
    for entry in shared.ledger.entries().iter().filter(|entry| promises::is_promise(&entry.fact)) {
        shared.promises.fetch_add(1, Ordering::Relaxed);
        if let Some(broken) = promises::broken(api, &entry.fact).await {
            wrong.push(Violation::new("promises", promises::about(&entry.fact), broken));
        }
    }
    wrong
}

fn check_all(shared: &Shared, killer: &Killer, facts: &[Facts], entries: &[Entry]) -> anyhow::Result<Vec<Violation>> {
    let containers = data::containers(&killer.server.data)?;
    let diaries = killer.hosts.iter().map(|host| host.diary()).collect::<Result<Vec<_>, _>>()?;
    let mut wrong = Vec::new();
    for facts in facts {
        let installed: Vec<_> = killer.hosts.iter().map(|host| host.installed(facts.plan.name)).collect();
        let known = Known {
            facts,
            entries,
            diaries: &diaries,
            installed: &installed,
            containers: &containers,
            contained: shared.contained,
            seed: shared.seed,
        };
        RULES.iter().for_each(|(_, rule)| rule(&known, &mut wrong));
    }
    Ok(wrong)
}

/// A server never panics, whatever it finds.
fn panics(log: &Path) -> anyhow::Result<Vec<Violation>> {
    let log = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
    let lines = log.lines().filter(|line| line.contains("panicked at"));
    Ok(lines.map(|line| Violation::new("panics", "", line)).collect())
}
