//! Real builds that queue for a few slots: how long a slot is idle between one build's end and the next one's start.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use testbed::client::Connection;
use testbed::process::Server;

use crate::Options;
use crate::reads::role;
use crate::report::{Budget, Figure, median, millis, percentile};

/// How many builds may run at once.
const SLOTS: usize = 8;
/// The most that BatchGetBuilds takes.
const PAGE: usize = 100;
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(200);
const BUDGET: Duration = Duration::from_millis(50);
const SERVICE: &str = "CodeBuild_20161006";

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let (slots, count) = (SLOTS.to_string(), options.builds);
    let arguments = ["--engine", "sandbox", "--trust-host-image", "--builds-at-once", &slots, "--log", "warn"];
    let server = Server::landfall(&options.landfall, &options.folder, &arguments)?;
    let mut connection = server.client.connection();
    create_project(&mut connection).await?;
    run(&mut connection, SLOTS).await?;
    let begin = Instant::now();
    let builds = run(&mut connection, count).await?;
    let whole = begin.elapsed();
    let gaps = idle(&builds);
    let (worst, usual) = (percentile(gaps.clone(), 99), median(gaps));
    let turnover = median(turnovers(&builds));
    let share = usual.as_secs_f64() / turnover.as_secs_f64();
    Ok(vec![
        Figure {
            what: format!(
                "p99 of a slot's idle time between two builds ({count} queued `true`, image `host`, {SLOTS} at once)"
            ),
            landfall: format!("{} (median {})", millis(worst), millis(usual)),
            beside: format!("last command to the next build's first {} (median)", millis(turnover)),
            ratio: share,
            budget: Budget::new("≤ 50 ms", worst <= BUDGET),
        },
        Figure {
            what: format!("{count} queued builds of `true`, {SLOTS} at once, to the end of the last"),
            landfall: format!("{:.1} s", whole.as_secs_f64()),
            beside: format!("{:.1} builds a second", count as f64 / whole.as_secs_f64()),
            ratio: 1.0,
            budget: None,
        },
    ])
}

/// A project that runs `true` on the machine's own files.
pub(crate) async fn create_project(connection: &mut Connection) -> anyhow::Result<()> {
    let buildspec = r#"{"version": 0.2, "phases": {"build": {"commands": ["true"]}}}"#;
    let input = json!({
        "name": "true", "serviceRole": role(connection, "codebuild").await?,
        "source": {"type": "NO_SOURCE", "buildspec": buildspec}, "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"type": "LINUX_CONTAINER", "image": "host", "computeType": "BUILD_GENERAL1_SMALL"},
    });
    connection.json("codebuild", &format!("{SERVICE}.CreateProject"), &input).await.map(drop)
}

/// Starts so many builds of the project and waits until all have succeeded; the builds as BatchGetBuilds answers them.
pub(crate) async fn run(connection: &mut Connection, count: usize) -> anyhow::Result<Vec<Value>> {
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        let input = json!({"projectName": "true"});
        let mut started = connection.json("codebuild", &format!("{SERVICE}.StartBuild"), &input).await?;
        ids.push(started["build"]["id"].take());
    }
    let deadline = Instant::now() + PATIENCE;
    // The last one ends last, or nearly so: only it is looked at while others may be in progress.
    while !ended(connection, &ids[count - 1..]).await? || !ended(connection, &ids).await? {
        ensure!(Instant::now() < deadline, "{count} builds are still in progress after {PATIENCE:?}");
        tokio::time::sleep(LOOK).await;
    }
    let builds = look(connection, &ids).await?;
    let failed = builds.iter().find(|build| build["buildStatus"] != "SUCCEEDED");
    ensure!(failed.is_none(), "a build did not succeed: {failed:?}");
    Ok(builds)
}

async fn ended(connection: &mut Connection, ids: &[Value]) -> anyhow::Result<bool> {
    Ok(look(connection, ids).await?.iter().all(|build| build["buildComplete"] == true))
}

async fn look(connection: &mut Connection, ids: &[Value]) -> anyhow::Result<Vec<Value>> {
    let mut builds = Vec::with_capacity(ids.len());
    for page in ids.chunks(PAGE) {
        let found = connection.json("codebuild", &format!("{SERVICE}.BatchGetBuilds"), &json!({"ids": page})).await?;
        builds.extend(found["builds"].as_array().context("no builds")?.iter().cloned());
    }
    Ok(builds)
}

/// When a phase of a build began (`startTime`) or ended (`endTime`), since the epoch.
fn time(build: &Value, phase: &str, which: &str) -> Option<Duration> {
    let phases = build["phases"].as_array()?;
    let found = phases.iter().find(|found| found["phaseType"] == phase)?;
    Duration::try_from_secs_f64(found[which].as_f64()?).ok()
}

/// How long slots were idle: with `SLOTS` of them, the k-th start is into the slot that the (k - SLOTS)-th end has freed.
/// A build ends with its COMPLETED phase, after its container was removed, and starts with the end of QUEUED.
fn idle(builds: &[Value]) -> Vec<Duration> {
    gaps(builds, ("COMPLETED", "startTime"), ("QUEUED", "endTime"))
}

/// From the last command's end to the first command's start of the build that follows in the slot.
fn turnovers(builds: &[Value]) -> Vec<Duration> {
    gaps(builds, ("POST_BUILD", "endTime"), ("INSTALL", "startTime"))
}

fn gaps(builds: &[Value], end: (&str, &str), start: (&str, &str)) -> Vec<Duration> {
    let sorted = |(phase, which): (&str, &str)| {
        let mut times: Vec<Duration> = builds.iter().filter_map(|build| time(build, phase, which)).collect();
        times.sort_unstable();
        times
    };
    let (ends, starts) = (sorted(end), sorted(start));
    starts.iter().skip(SLOTS).zip(&ends).map(|(start, end)| start.saturating_sub(*end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(queued_until: f64, completed: f64) -> Value {
        json!({"phases": [
            {"phaseType": "QUEUED", "startTime": 1.0, "endTime": queued_until},
            {"phaseType": "COMPLETED", "startTime": completed},
        ]})
    }

    #[test]
    fn a_slot_is_idle_from_an_end_to_the_start_that_it_makes_room_for() {
        let mut builds: Vec<Value> = (0..SLOTS).map(|_| build(10.0, 20.0)).collect();
        assert_eq!(idle(&builds), []);
        builds.push(build(20.25, 30.0));
        builds.push(build(21.0, 30.0));
        assert_eq!(idle(&builds), [Duration::from_millis(250), Duration::from_secs(1)]);
    }
}
