//! A container that runs `true`, from the start to its known end, beside a bare process and beside what else runs
//! containers here.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use engine::{ContainerSpec, EngineKind, EngineOptions, Network, RuntimeChoice};
use tempfile::TempDir;

use crate::Options;
use crate::peers;
use crate::report::{Budget, Figure, median, millis};

pub(crate) const CONTAINERS: usize = 20;
const PROCESSES: usize = 100;
/// Started before it is measured, so that files are in memory.
pub(crate) const WARM_UP: usize = 2;
/// How much faster than `docker run` the design wants a container to start.
const FASTER: u32 = 8;

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let mut ours = Vec::new();
    for (name, runtime) in [("runc", RuntimeChoice::Runc), ("crun", RuntimeChoice::Crun)] {
        match sandbox(options, runtime.clone(), Network::LoopbackOnly).await {
            Ok(time) => ours.push((name, runtime, time)),
            Err(error) => eprintln!("the sandbox on {name} is not measured: {error:#}"),
        }
    }
    let fastest = ours.iter().min_by_key(|(.., time)| *time).cloned();
    let Some((name, runtime, time)) = fastest else { anyhow::bail!("no container could be started") };
    let outside = sandbox(options, runtime, Network::Outside).await;
    let bare = process()?;
    let figure = |what: String, time: Duration, beside: String, peer: Duration, budget| Figure {
        what,
        landfall: millis(time),
        beside: format!("{beside} {}", millis(peer)),
        ratio: time.as_secs_f64() / peer.as_secs_f64(),
        budget,
    };
    let what = |how: &str| format!("`true` in the sandbox ({how}), start to known end, median of {CONTAINERS}");
    let mut figures: Vec<_> =
        ours.iter().map(|(name, _, time)| figure(what(name), *time, "fork and exec".to_owned(), bare, None)).collect();
    match outside {
        Ok(outside) => {
            figures.push(figure(what(&format!("{name}, with a way out")), outside, "without".to_owned(), time, None));
        }
        Err(error) => eprintln!("the sandbox with a way out is not measured: {error:#}"),
    }
    for peer in peers::measure(options) {
        match peer.time {
            Ok(theirs) => {
                let budget = peer.is_budget.then(|| time * FASTER <= theirs);
                let budget = budget.and_then(|met| Budget::new("≥ 8 × faster than docker run", met));
                figures.push(figure(what(name), time, format!("`{}`", peer.what), theirs, budget));
            }
            Err(error) => eprintln!("`{}` is not measured: {error:#}", peer.what),
        }
    }
    Ok(figures)
}

/// The median in the sandbox by this runtime.
async fn sandbox(options: &Options, runtime: RuntimeChoice, network: Network) -> anyhow::Result<Duration> {
    let folder = TempDir::with_prefix_in("landfall-bench-", &options.folder)?;
    let sandbox = EngineOptions::new(EngineKind::Sandbox, folder.path(), &options.agent);
    let engine = engine::open(EngineOptions { trust_host_image: true, runtime, ..sandbox }).await?;
    let mut times = Vec::new();
    for number in 0..WARM_UP + CONTAINERS {
        let mut spec = ContainerSpec::new(format!("c{number}"), ["true"]);
        spec.network = network;
        let begin = Instant::now();
        engine.start(&spec).await?;
        let exit = engine.wait(&spec.id).await?;
        times.push(begin.elapsed());
        engine.remove(&spec.id).await?;
        ensure!(exit.success(), "`true` failed in the sandbox: {exit}");
    }
    Ok(median(times.split_off(WARM_UP)))
}

fn process() -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..PROCESSES {
        let begin = Instant::now();
        ensure!(Command::new("true").status()?.success(), "`true` failed");
        times.push(begin.elapsed());
    }
    Ok(median(times))
}
