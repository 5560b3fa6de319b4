//! A thousand executions at once, and what each change of an execution costs with few and with many of them.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::Options;
use crate::load_plant::{Plant, names};
use crate::report::{Budget, Figure, micros};

/// Pipelines in PARALLEL mode, each of which may have 50 executions in progress (user guide, "Quotas").
const PIPELINES: usize = 20;
const EACH: usize = 50;
/// So many at once are few.
const FEW: usize = 10;
/// Rounds of few, for one figure: the CPU time of a process comes in steps of 10 ms.
const ROUNDS_OF_FEW: usize = 10;
/// What changes in one execution, as events tell it: the execution, two stages and two actions start and succeed.
const TRANSITIONS: u32 = 10;
/// Pipelines that are to run at once.
const RUNNING: usize = 1_000;
/// How long their builds take: longer than it takes to start them all.
const WORK: Duration = Duration::from_secs(20);

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let mut figures = executions(options).await?;
    figures.push(running(options).await?);
    Ok(figures)
}

/// What one round of executions took.
struct Round {
    cpu: Duration,
    changes: f64,
    memory: u64,
    time: Duration,
}

async fn round(plant: &Plant, starts: Vec<String>) -> anyhow::Result<Round> {
    let (count, before, begin) = (starts.len(), plant.used()?, Instant::now());
    plant.begin(starts).await?;
    plant.rest().await?;
    let time = begin.elapsed();
    let (cpu, changes) = plant.used()?.each(before, count)?;
    Ok(Round {
        cpu: cpu / TRANSITIONS,
        changes: changes / f64::from(TRANSITIONS),
        memory: plant.server.memory()?,
        time,
    })
}

async fn executions(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let plant = Plant::start(options, Duration::ZERO).await?;
    let pipelines = names("load", PIPELINES);
    plant.create(pipelines.clone(), "PARALLEL").await?;
    plant.rest().await?;
    let mut started = PIPELINES;

    let starts: Vec<String> = (0..ROUNDS_OF_FEW).flat_map(|_| pipelines[..FEW].to_vec()).collect();
    let few = rounds_of_few(&plant, &starts).await?;
    started += FEW * ROUNDS_OF_FEW;

    let all: Vec<String> = (0..EACH).flat_map(|_| pipelines.clone()).collect();
    let mut rounds = Vec::new();
    while started < options.executions || rounds.len() < 3 {
        rounds.push(round(&plant, all.clone()).await?);
        started += all.len();
    }
    let succeeded = plant.succeeded(&pipelines).await?;
    ensure!(succeeded == started, "{succeeded} of {started} executions succeeded");
    let many = rounds_of_few(&plant, &starts).await?;
    Ok(figures(&few, &rounds, &many, started))
}

/// Few at once, one round after the other; the mean of all.
async fn rounds_of_few(plant: &Plant, starts: &[String]) -> anyhow::Result<Round> {
    let (before, begin) = (plant.used()?, Instant::now());
    for few in starts.chunks(FEW) {
        plant.begin(few.to_vec()).await?;
        plant.rest().await?;
    }
    let (cpu, changes) = plant.used()?.each(before, starts.len())?;
    let (cpu, changes) = (cpu / TRANSITIONS, changes / f64::from(TRANSITIONS));
    Ok(Round { cpu, changes, memory: plant.server.memory()?, time: begin.elapsed() })
}

/// `few` with an empty store, `rounds` of a thousand, and `many`: few at once again, when all the others are stored.
fn figures(few: &Round, rounds: &[Round], many: &Round, stored: usize) -> Vec<Figure> {
    let at_once = PIPELINES * EACH;
    let (Some(first), Some(last)) = (rounds.get(1), rounds.last()) else { return Vec::new() };
    let cost = |what: String, round: &Round, beside: &str, other: &Round| {
        let ratio = round.cpu.as_secs_f64() / other.cpu.as_secs_f64();
        Figure {
            what,
            landfall: format!("{}, {:.2} changes of the store", micros(round.cpu), round.changes),
            beside: format!("{beside} {}, {:.2} changes", micros(other.cpu), other.changes),
            ratio,
            budget: Budget::new(
                "flat from 10 to 10,000 executions",
                ratio <= 1.25 && round.changes <= 1.25 * other.changes,
            ),
        }
    };
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let growth = last.memory as f64 / first.memory as f64;
    vec![
        cost(
            format!("server CPU for a transition, {FEW} executions at once, {stored} in the store"),
            many,
            "with an empty store",
            few,
        ),
        cost(
            format!("server CPU for a transition, {at_once} executions at once"),
            last,
            &format!("{FEW} at once"),
            few,
        ),
        Figure {
            what: format!("memory after {stored} executions, {at_once} at once"),
            landfall: megabytes(last.memory),
            beside: format!("after {}", megabytes(first.memory)),
            ratio: growth,
            budget: Budget::new("flat", growth <= 1.1),
        },
        Figure {
            what: format!("executions of Source and Build ended in a second, {at_once} at once"),
            landfall: format!("{:.0}/s", at_once as f64 / last.time.as_secs_f64()),
            beside: format!("the second thousand {:.0}/s", at_once as f64 / first.time.as_secs_f64()),
            ratio: first.time.as_secs_f64() / last.time.as_secs_f64(),
            budget: None,
        },
    ]
}

/// A thousand pipelines, each with a build in progress at the same time.
async fn running(options: &Options) -> anyhow::Result<Figure> {
    let plant = Plant::start(options, WORK).await?;
    let pipelines = names("running", RUNNING);
    let begin = Instant::now();
    plant.create(pipelines.clone(), "SUPERSEDED").await?;
    let created = begin.elapsed();
    let most = plant.most_at_once().await?;
    let whole = begin.elapsed();
    let succeeded = plant.succeeded(&pipelines).await?;
    ensure!(succeeded == RUNNING, "{succeeded} of {RUNNING} executions succeeded");
    Ok(Figure {
        what: format!("pipelines running at once, dummy builds of {} s", WORK.as_secs()),
        landfall: format!("{most} at the same moment, all succeeded; {:.1} MB", plant.server.memory()? as f64 / 1e6),
        beside: format!("created within {:.1} s, all ended within {:.1} s", created.as_secs_f64(), whole.as_secs_f64()),
        ratio: most as f64 / RUNNING as f64,
        budget: Budget::new("1,000", most >= RUNNING),
    })
}
