//! A small service's day: documents, events, blobs and work, with an account of what was acknowledged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kernel::store::DATABASE;
use kernel::{
    Batch, BlobRef, Blobs, Clock, Document, Documents, Event, Ids, Lease, Page, Reconciler, Scope, StepError, Stop,
    Store, Stored, SystemClock, SystemIds, Timestamp, WorkOptions, work,
};
use serde::{Deserialize, Serialize};

const PAIRS: usize = 5;
const TASKS: usize = 2;

/// One of two that are written together, or a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    name: String,
    text: String,
    blob: Option<BlobRef>,
    done: u32,
    due: Option<Timestamp>,
}

impl Document for Note {
    const KIND: &'static str = "notes.note";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn due(&self) -> Option<Timestamp> {
        self.due
    }
}

fn note(name: String, text: &str) -> Note {
    Note { name, text: text.to_owned(), blob: None, done: 0, due: None }
}

fn scope() -> Scope {
    Scope::new("000000000000", "us-east-1")
}

/// What the kernel said it had done.
#[derive(Default)]
pub struct Acknowledged {
    /// Of each pair, the text that both have.
    pairs: BTreeMap<usize, String>,
    /// Texts that a pair may have, since a replacement by them was not answered by success.
    tried: BTreeMap<usize, Vec<String>>,
    blobs: BTreeMap<String, Vec<u8>>,
    tasks: BTreeMap<String, u32>,
    events: usize,
}

/// A clock that runs fast, so that pauses after failures are short.
struct Fast;

#[async_trait]
impl Clock for Fast {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().millis() % 1_000_000_000 * 500)
    }

    async fn sleep_until(&self, until: Timestamp) {
        tokio::time::sleep(until.since(self.now()) / 500).await;
    }
}

/// Does a task: each run is one more `done`, and an event.
struct Doer(Documents);

#[async_trait]
impl Reconciler for Doer {
    type Document = Note;

    async fn step(&self, scope: &Scope, mut task: Stored<Note>, lease: &Lease) -> Result<(), StepError> {
        task.done += 1;
        task.due = None;
        let batch = Batch::new(scope).replace(&task).publish(&event(&task.name)).fenced(lease);
        self.0.commit(batch).await?;
        Ok(())
    }
}

fn event(name: &str) -> Event {
    Event {
        id: SystemIds.uuid(),
        source: "aws.notes".to_owned(),
        detail_type: "written".to_owned(),
        account: scope().account,
        region: scope().region,
        time: SystemClock.now(),
        resources: vec![name.to_owned()],
        detail: serde_json::Value::Null,
    }
}

/// Lives a day in the folder, `arm`ed from its beginning on, and another after a restart if the store wants one; before the
/// last store is closed, `evening` comes.
pub async fn live(
    folder: &Path,
    acknowledged: &mut Acknowledged,
    arm: impl Fn(),
    rest: impl Fn(),
    evening: impl FnOnce(),
) {
    arm();
    let store = Store::open(folder, Arc::new(Fast)).ok();
    if let Some(store) = &store {
        day(folder, store, acknowledged, "morning").await;
    }
    rest();
    // What failed is over; a store that has failed for good is opened again, as a restarted server does.
    let open = store.filter(|store| store.failure().is_none());
    let store = open.unwrap_or_else(|| Store::open(folder, Arc::new(Fast)).expect("a store after the fault"));
    day(folder, &store, acknowledged, "noon").await;
    evening();
}

async fn day(folder: &Path, store: &Arc<Store>, acknowledged: &mut Acknowledged, text: &str) {
    let documents = store.service("notes");
    if let Ok(blobs) = Blobs::open(folder, "notes") {
        put_blobs(&blobs, acknowledged, text).await;
    }
    for pair in 0..PAIRS {
        let text = format!("{text} {}", "x".repeat(pair * 3_000));
        match put_pair(&documents, pair, &text).await {
            Some(()) => {
                acknowledged.pairs.insert(pair, text);
                acknowledged.events += 1;
                acknowledged.tried.remove(&pair);
            }
            None => acknowledged.tried.entry(pair).or_default().push(text),
        }
    }
    do_tasks(&documents, acknowledged, text).await;
}

async fn put_blobs(blobs: &Blobs, acknowledged: &mut Acknowledged, text: &str) {
    // The second is there at noon already.
    for content in [format!("{text} content").into_bytes(), vec![7; 300_000]] {
        if let Ok(blob) = blobs.put_bytes(content.clone()).await {
            acknowledged.blobs.insert(blob.digest, content);
        }
    }
}

async fn put_pair(documents: &Documents, pair: usize, text: &str) -> Option<()> {
    let mut batch = Batch::new(&scope()).publish(&event(&pair.to_string()));
    for half in ["a", "b"] {
        let name = format!("pair {pair} {half}");
        batch = match documents.get::<Note>(&scope(), &name).await.ok()? {
            Some(mut there) => {
                there.text = text.to_owned();
                batch.replace(&there)
            }
            None => batch.insert(&note(name, text)),
        };
    }
    documents.commit(batch).await.ok()
}

/// Tasks that were acknowledged are done, once, unless what failed still fails.
async fn do_tasks(documents: &Documents, acknowledged: &mut Acknowledged, text: &str) {
    for task in 0..TASKS {
        let task = Note { due: Some(Fast.now()), ..note(format!("task {task} {text}"), text) };
        let name = task.name.clone();
        if documents.insert(&scope(), task).await.is_ok() {
            acknowledged.tasks.insert(name, 0);
        }
    }
    let (stop, doer) = (Stop::new(), Arc::new(Doer(documents.clone())));
    let options = WorkOptions { lease: Duration::from_secs(3_600), ..WorkOptions::default() };
    let worker = tokio::spawn(work::run(documents.clone(), Arc::new(Fast), stop.clone(), options, doer));
    for _ in 0..15 {
        if all_done(documents, acknowledged).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.trigger();
    tokio::time::timeout(Duration::from_secs(10), worker).await.expect("a worker that stops").unwrap();
}

async fn all_done(documents: &Documents, acknowledged: &mut Acknowledged) -> bool {
    let mut all = true;
    for (name, done) in &mut acknowledged.tasks {
        match documents.get::<Note>(&scope(), name).await {
            Ok(Some(task)) => *done = task.done,
            Ok(None) => panic!("{name} was acknowledged and is not there"),
            Err(_) => {}
        }
        all &= *done > 0;
    }
    all
}

/// Opens the folder and compares.
pub async fn check(folder: &Path, acknowledged: &Acknowledged, case: &str) {
    integrity(folder, case);
    let store = Store::open(folder, Arc::new(Fast)).unwrap_or_else(|error| panic!("{case}: {error}"));
    let documents = store.service("notes");
    for pair in 0..PAIRS {
        let halves = [text_of(&documents, pair, "a").await, text_of(&documents, pair, "b").await];
        assert_eq!(halves[0], halves[1], "{case}: half of a commit, pair {pair}");
        let tried = acknowledged.tried.get(&pair).into_iter().flatten().map(|text| Some(text.as_str()));
        let mut right = tried.chain([acknowledged.pairs.get(&pair).map(String::as_str)]);
        assert!(right.any(|right| right == halves[0].as_deref()), "{case}: pair {pair}: {}", shown(halves[0].as_ref()));
    }
    for (name, seen) in &acknowledged.tasks {
        let task = documents.get::<Note>(&scope(), name).await.unwrap();
        let task = task.unwrap_or_else(|| panic!("{case}: {name} is lost"));
        assert!((*seen..=1).contains(&task.done), "{case}: {name} was done {} times, after {seen}", task.done);
    }
    if acknowledged.events > 0 {
        check_events(&documents, acknowledged, case).await;
    }
    let all: Vec<Stored<Note>> = documents.list(&scope(), Page::default()).await.unwrap();
    assert!(all.len() <= 2 * (PAIRS + TASKS), "{case}");
    let blobs = Blobs::open(folder, "notes").unwrap();
    for (digest, content) in &acknowledged.blobs {
        let read = blobs.read(digest).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(read == *content, "{case}: blob {digest} differs");
    }
}

async fn check_events(documents: &Documents, acknowledged: &Acknowledged, case: &str) {
    let mut written = documents.bus().subscribe_from_start("check").await.unwrap();
    let written = written.next_batch(1_000);
    let events = tokio::time::timeout(Duration::from_millis(50), written).await.map_or(0, |found| found.unwrap().len());
    assert!(events >= acknowledged.events, "{case}: {events} of {} events", acknowledged.events);
}

async fn text_of(documents: &Documents, pair: usize, half: &str) -> Option<String> {
    let found = documents.get::<Note>(&scope(), &format!("pair {pair} {half}")).await.unwrap();
    found.map(|found| found.value.text)
}

fn shown(text: Option<&String>) -> String {
    text.map_or("absent".to_owned(), |text| text.chars().take(20).collect())
}

fn integrity(folder: &Path, case: &str) {
    let database = rusqlite::Connection::open(folder.join(DATABASE)).unwrap();
    let found: String =
        database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap_or_else(|error| error.to_string());
    assert_eq!(found, "ok", "{case}");
}
