//! Killed at any moment, nothing acknowledged is lost, and no step's effect happens twice.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::fixture::{Task, scope, task};
use async_trait::async_trait;
use kernel::store::DATABASE;
use kernel::{
    Batch, Blobs, Clock, Collector, Event, Ids, Lease, ManualClock, Page, Reconciler, Retention, Scope, StepError,
    Stop, Store, Stored, SystemClock, SystemIds, UnusedBlobs, WorkOptions, work,
};

const FOLDER: &str = "KERNEL_CRASH_TEST_FOLDER";

/// Marks a task done, with an event in the same commit.
struct Finisher(kernel::Documents);

#[async_trait]
impl Reconciler for Finisher {
    type Document = Task;

    async fn step(&self, scope: &Scope, mut task: Stored<Task>, lease: &Lease) -> Result<(), StepError> {
        task.done += 1;
        task.due = None;
        let event = Event {
            id: SystemIds.uuid(),
            source: "aws.todo".to_owned(),
            detail_type: "done".to_owned(),
            account: scope.account.clone(),
            region: scope.region.clone(),
            time: SystemClock.now(),
            resources: vec![task.name.clone()],
            detail: serde_json::Value::Null,
        };
        self.0.commit(Batch::new(scope).replace(&task).publish(&event).fenced(lease)).await?;
        Ok(())
    }
}

/// The victim: not a test of its own, but the process that the others start and kill.
#[test]
#[ignore = "run by the other tests as a child process"]
fn victim() {
    let folder = std::env::var(FOLDER).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(write_for_ever(Path::new(&folder)));
}

/// What a folder goes through before it is written to: the way from an older format, and the removal of a blob that
/// was found unused long ago.
async fn pass_by_the_rare_points(folder: &Path) {
    let database = rusqlite::Connection::open(folder.join(DATABASE)).unwrap();
    if database.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap() > 0 {
        database.pragma_update(None, "user_version", 1).unwrap();
    }
    drop(database);
    let blobs = Blobs::open(folder, "rare").unwrap();
    let clock = ManualClock::at(SystemClock.now() + Duration::from_secs(60));
    let store = Store::open(folder, Arc::new(clock.clone())).unwrap();
    blobs.put_bytes("nobody refers to this").await.unwrap();
    let unused = UnusedBlobs::new(store.service("rare"), blobs, "unused");
    for _ in 0..2 {
        unused.collect(&Retention::default(), false).await.unwrap();
        clock.advance(Duration::from_secs(48 * 3_600));
    }
}

async fn write_for_ever(folder: &Path) {
    pass_by_the_rare_points(folder).await;
    let store = Store::open(folder, Arc::new(SystemClock)).unwrap();
    let documents = store.service("todo");
    let blobs = Blobs::open(folder, "todo").unwrap();
    let finisher = Arc::new(Finisher(documents.clone()));
    let worker = work::run(documents.clone(), Arc::new(SystemClock), Stop::new(), WorkOptions::default(), finisher);
    tokio::spawn(worker);
    println!("ready");
    let writers = (0..8).map(|_| {
        let (documents, blobs) = (documents.clone(), blobs.clone());
        tokio::spawn(async move {
            loop {
                let name = SystemIds.uuid();
                let blob = blobs.put_bytes(name.clone()).await.unwrap();
                let new = Task { rank: blob.digest, due: Some(SystemClock.now()), ..task(&name) };
                documents.insert(&scope(), new).await.unwrap();
                println!("acknowledged {name}");
                std::io::stdout().flush().unwrap();
            }
        })
    });
    futures::future::join_all(writers).await;
}

fn start_victim(folder: &Path, crash_point: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::victim", "--ignored", "--nocapture"]).env(FOLDER, folder);
    if let Some(point) = crash_point {
        command.env(kernel::crash::VARIABLE, point);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// The names that the victim acknowledged, until it was dead; killed after `life`, or at its crash point.
fn run_victim(folder: &Path, crash_point: Option<&str>, life: Duration) -> Vec<String> {
    let mut victim = start_victim(folder, crash_point);
    let lines = BufReader::new(victim.stdout.take().unwrap());
    let mut acknowledged = Vec::new();
    let (mut deadline, begun) = (None, Instant::now());
    for line in lines.lines() {
        let line = line.unwrap();
        if line == "ready" {
            deadline = Some(Instant::now() + life);
        }
        if begun.elapsed() > Duration::from_secs(60) {
            victim.kill().unwrap();
            panic!("the victim never came by {crash_point:?}");
        }
        // A line cut by the kill has no whole name.
        acknowledged.extend(line.strip_prefix("acknowledged ").filter(|name| name.len() == 36).map(str::to_owned));
        if deadline.is_some_and(|deadline| Instant::now() > deadline) && crash_point.is_none() {
            victim.kill().unwrap();
        }
    }
    let status = victim.wait().unwrap();
    assert!(!status.success());
    acknowledged
}

/// Opens the folder as the next start does, lets the work go on to its end, and looks at everything.
async fn check(folder: &Path, acknowledged: &[String]) {
    let store = Store::open(folder, Arc::new(SystemClock)).unwrap();
    let documents = store.service("todo");
    let blobs = Blobs::open(folder, "todo").unwrap();
    let mut events = store.bus().subscribe_from_start(&format!("todo.{}", SystemIds.uuid())).await.unwrap();
    let stop = Stop::new();
    let finisher = Arc::new(Finisher(documents.clone()));
    let clock = Arc::new(SystemClock);
    let worker = tokio::spawn(work::run(documents.clone(), clock, stop.clone(), WorkOptions::default(), finisher));

    let mut finished: Vec<String> = Vec::new();
    for name in acknowledged {
        let stored = documents.get::<Task>(&scope(), name).await.unwrap();
        let stored = stored.unwrap_or_else(|| panic!("acknowledged {name} is lost"));
        assert_eq!(blobs.read(&stored.rank).await.unwrap(), stored.name.as_bytes());
    }
    let count = all(&documents).await.len();
    while finished.len() < count {
        let batch = tokio::time::timeout(Duration::from_secs(20), events.next_batch(500)).await.unwrap().unwrap();
        finished.extend(batch.into_iter().map(|delivered| delivered.event.resources[0].clone()));
    }
    stop.trigger();
    worker.await.unwrap();
    assert!(all(&documents).await.iter().all(|task| task.done == 1 && task.due.is_none()));
    finished.sort();
    finished.dedup();
    assert_eq!(finished.len(), count, "an event was doubled");
}

async fn all(documents: &kernel::Documents) -> Vec<Stored<Task>> {
    let mut tasks: Vec<Stored<Task>> = Vec::new();
    loop {
        let after = tasks.last().map(|task| task.position().to_owned());
        let page = documents.list::<Task>(&scope(), Page::default().after(after)).await.unwrap();
        if page.is_empty() {
            return tasks;
        }
        tasks.extend(page);
    }
}

#[tokio::test]
async fn kill_9_in_the_middle_of_writing_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        acknowledged.extend(run_victim(dir.path(), None, Duration::from_millis(60 + 70 * round)));
        check(dir.path(), &acknowledged).await;
    }
    assert!(acknowledged.len() > 20, "only {} acknowledged", acknowledged.len());
}

#[tokio::test]
async fn death_at_each_crash_point_loses_nothing_acknowledged() {
    let points = crash_points(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    assert!(points.len() >= 4, "{points:?}");
    for point in points {
        let dir = tempfile::tempdir().unwrap();
        let before = run_victim_briefly(dir.path());
        let acknowledged = run_victim(dir.path(), Some(&point), Duration::MAX / 4);
        check(dir.path(), &[before, acknowledged].concat()).await;
    }
}

fn run_victim_briefly(folder: &Path) -> Vec<String> {
    run_victim(folder, None, Duration::from_millis(30))
}

/// Every point named in the source.
fn crash_points(folder: &Path) -> Vec<String> {
    let mut points = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            points.extend(crash_points(&path));
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let named = source.split("crate::crash_point!(\"").skip(1);
        points.extend(named.filter_map(|rest| rest.split_once('"').map(|(name, _)| name.to_owned())));
    }
    points
}
