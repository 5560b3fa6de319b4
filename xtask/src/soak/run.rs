//! One run, from an empty folder to its report.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use testbed::client::Client;
use testbed::kept::Kept;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::api::Api;
use super::invariants::Violation;
use super::killer::Killer;
use super::ledger::{Fact, Ledger};
use super::plan::PLANS;
use super::promises;
use super::remains::Groups;
use super::report::Report;
use super::schedule::{Strokes, Wishes};
use super::user::User;
use super::{Arguments, Engine, rest, world};

/// How many facts are looked up after each start of the server.
const AFTER_START: usize = 4;

/// What the parts of a run share.
pub(super) struct Shared {
    pub(super) ledger: Arc<Ledger>,
    pub(super) seed: u64,
    pub(super) folder: PathBuf,
    /// How many facts were looked up.
    pub(super) promises: Arc<AtomicUsize>,
    pub(super) contained: bool,
}

/// Runs, and keeps the folder where something is wrong.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let seed = arguments.seed.map_or_else(seed_of_the_clock, Ok)?;
    let landfall = arguments
        .landfall
        .canonicalize()
        .with_context(|| format!("{} is not there: run cargo build --bins first", arguments.landfall.display()))?;
    let folder = tempfile::TempDir::with_prefix_in("landfall-soak-", &arguments.place)?;
    eprintln!(
        "soak: seed {seed}, {} s, engine {}, in {}",
        arguments.seconds,
        arguments.engine.name(),
        folder.path().display()
    );
    let shared = Shared {
        ledger: Arc::new(Ledger::create(&folder.path().join("ledger.jsonl"))?),
        seed,
        folder: folder.path().to_owned(),
        promises: Arc::default(),
        contained: arguments.engine == Engine::Sandbox,
    };
    let outcome = Runtime::new()?.block_on(soak(arguments, &landfall, &shared));
    let mut report = match outcome {
        Ok(report) => report,
        Err(error) => broken_off(arguments, &shared, &error),
    };
    report.promises = shared.promises.load(Ordering::Relaxed);
    report.ledger = report.violations.iter().take(5).flat_map(|one| shared.ledger.excerpt(&one.about)).collect();
    if arguments.keep || !report.violations.is_empty() {
        report.folder = Some(folder.keep());
    }
    Ok(report)
}

fn seed_of_the_clock() -> anyhow::Result<u64> {
    Ok(testbed::now()?.as_secs())
}

/// A run that could not go on is a violation, too.
fn broken_off(arguments: &Arguments, shared: &Shared, error: &anyhow::Error) -> Report {
    let mut report = Report { seed: shared.seed, seconds: arguments.seconds, ..Report::default() };
    report.engine = arguments.engine.name().to_owned();
    report.count(&shared.ledger.entries(), &[]);
    report.violations.push(Violation::new("going on", "", format!("{error:#}")));
    report
}

async fn soak(arguments: &Arguments, landfall: &Path, shared: &Shared) -> anyhow::Result<Report> {
    let mut killer = begin(arguments, landfall, shared)?;
    let client = killer.server.client()?;
    let agent = landfall.with_file_name("landfall-agent");
    killer.hosts = world::found(&mut Api::new(&client), &agent, &shared.folder).await?;
    for host in &mut killer.hosts {
        host.start()?;
    }
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for (number, plan) in PLANS.into_iter().enumerate() {
        let api = Api::new(&client);
        let mut user = User::new(plan, api, Arc::clone(&shared.ledger), &shared.folder, shared.seed).await?;
        world::make_inbox(&mut user.api, &plan).await?;
        user.push().await?;
        world::make(&mut user.api, &plan, shared.contained, image(arguments.engine)).await?;
        let (wishes, stopped) = (Wishes::new(shared.seed, number), stopped.clone());
        tasks.spawn(async move { user.live(wishes, stopped).await.map(|()| user) });
    }
    let watcher = tokio::spawn(look_after(client.clone(), killer.lives.subscribe(), shared_of(shared)));
    let (killer, groups) = rage(arguments, shared, killer, &mut tasks).await?;
    stop.send_replace(true);
    let deadline = Instant::now() + Duration::from_secs(arguments.patience);
    let users = finish(tasks, deadline).await?;
    watcher.abort();
    if let Ok(Err(error)) = watcher.await {
        return Err(error);
    }
    rest::judge(arguments, landfall, shared, rest::Left { killer, users, groups, deadline }).await
}

fn shared_of(shared: &Shared) -> (Arc<Ledger>, Arc<AtomicUsize>) {
    (Arc::clone(&shared.ledger), Arc::clone(&shared.promises))
}

fn image(engine: Engine) -> &'static str {
    if engine == Engine::Sandbox { "host" } else { "dummy" }
}

/// A server that answers, and nobody to kill it yet.
fn begin(arguments: &Arguments, landfall: &Path, shared: &Shared) -> anyhow::Result<Killer> {
    let log = if arguments.seconds > 300 { "warn,s3s=off" } else { "info,s3s=off" };
    let fixed = ["--auth", "enforce", "--engine", arguments.engine.name(), "--trust-host-image", "--log", log];
    let mut killer = Killer {
        server: Kept::new(landfall, &shared.folder)?,
        hosts: Vec::new(),
        ledger: Arc::clone(&shared.ledger),
        arguments: fixed.map(str::to_owned).to_vec(),
        contained: shared.contained,
        lives: watch::Sender::new(0),
    };
    killer.serve(&first_stroke(shared.seed)?)?;
    Ok(killer)
}

pub(super) fn first_stroke(seed: u64) -> anyhow::Result<super::schedule::Stroke> {
    Strokes::new(seed).next().context("there is no end of strokes")
}

/// Lets the killer rage on a thread of its own, until its time is over or somebody meets what must not be.
async fn rage(
    arguments: &Arguments,
    shared: &Shared,
    mut killer: Killer,
    tasks: &mut JoinSet<anyhow::Result<User>>,
) -> anyhow::Result<(Killer, Groups)> {
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let over = Arc::new(AtomicBool::new(false));
    let watching = std::thread::spawn({
        let (over, ledger, data) = (Arc::clone(&over), Arc::clone(&shared.ledger), killer.server.data.clone());
        move || watch_on(&over, &ledger, &data, end)
    });
    let strokes = Strokes::new(shared.seed);
    let mut raging = tokio::task::spawn_blocking(move || killer.rage(strokes, end).map(|()| killer));
    let outcome = tokio::select! {
        killer = &mut raging => killer?,
        // Users end when they are told to, and before only by what must not be.
        Some(ended) = tasks.join_next() => Err(ended?.err().unwrap_or_else(|| anyhow::anyhow!("a user went away"))),
    };
    over.store(true, Ordering::Relaxed);
    let groups = watching.join().map_err(|_| anyhow::anyhow!("the watching thread broke off"))?;
    Ok((outcome?, groups))
}

/// Tells how it goes, and notes the control groups of containers.
fn watch_on(over: &AtomicBool, ledger: &Ledger, data: &Path, end: Instant) -> Groups {
    let (mut groups, mut told) = (Groups::default(), Instant::now());
    let every = Duration::from_secs(if std::io::stderr().is_terminal() { 1 } else { 15 });
    while !over.load(Ordering::Relaxed) {
        groups.look(data);
        if told.elapsed() >= every {
            told = Instant::now();
            tell(ledger, end);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    groups
}

fn tell(ledger: &Ledger, end: Instant) {
    let struck = ledger.count(|fact| matches!(fact, Fact::Struck { .. }));
    let serves = ledger.count(|fact| matches!(fact, Fact::Serves));
    let pushed = ledger.count(|fact| matches!(fact, Fact::Pushed { .. } | Fact::Started { .. }));
    let left = end.saturating_duration_since(Instant::now()).as_secs();
    let (begin, last) = if std::io::stderr().is_terminal() { ("\r", "") } else { ("", "\n") };
    eprint!(
        "{begin}soak: {left:>4} s left, {struck} signals, {serves} starts of the server, {pushed} pushes and starts {last}"
    );
    let _ = std::io::stderr().flush();
}

/// After each start of the server looks some facts up.
async fn look_after(
    client: Client,
    mut lives: watch::Receiver<u64>,
    (ledger, looked): (Arc<Ledger>, Arc<AtomicUsize>),
) -> anyhow::Result<()> {
    let mut api = Api::new(&client);
    while lives.changed().await.is_ok() {
        let life = *lives.borrow_and_update();
        for number in 0..AFTER_START {
            let pick = usize::try_from(life).unwrap_or_default().wrapping_mul(7_919) + number * 104_729;
            let Some(fact) = ledger.pick(pick, promises::is_promise) else { continue };
            if let Some(broken) = promises::broken(&mut api, &fact).await {
                anyhow::bail!("after start {life} of the server: {broken}");
            }
            looked.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// The users, when each has finished what it was at.
async fn finish(mut tasks: JoinSet<anyhow::Result<User>>, deadline: Instant) -> anyhow::Result<Vec<User>> {
    let mut users = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, tasks.join_next()).await {
            Ok(Some(user)) => users.push(user??),
            Ok(None) => break,
            Err(_) => anyhow::bail!("a user's last call is not answered"),
        }
    }
    ensure!(users.len() == PLANS.len(), "{} users are left", users.len());
    Ok(users)
}
