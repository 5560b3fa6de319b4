//! The data folder's format: an older one is moved on, a newer one refused, a snapshot is whole.

use std::sync::Arc;

use crate::fixture::{Fixture, Task, scope, start, task};
use kernel::store::{DATABASE, FORMAT, Snapshot, snapshot};
use kernel::{Batch, Document, Large, ManualClock, OpenError, Page, Store};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Memo {
    name: String,
    text: Large,
}

impl Document for Memo {
    const KIND: &'static str = "todo.memo";

    fn key(&self) -> String {
        self.name.clone()
    }
}

fn memo(name: &str, digest: char) -> Memo {
    let blob = kernel::BlobRef { digest: digest.to_string().repeat(64), size: 9 };
    Memo { name: name.to_owned(), text: Large::Blob(blob) }
}

fn open(dir: &std::path::Path) -> Result<Arc<Store>, OpenError> {
    Store::open(dir, Arc::new(ManualClock::at(start())))
}

fn database(dir: &std::path::Path) -> Connection {
    Connection::open(dir.join(DATABASE)).unwrap()
}

fn format(dir: &std::path::Path) -> i64 {
    database(dir).query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// A folder as format 1 had it: no rows for blobs.
async fn folder_of_format_1(documents: u32) -> tempfile::TempDir {
    let f = Fixture::new();
    for n in 0..documents {
        f.documents.insert(&scope(), Task { list: Some("l".to_owned()), ..task(&n.to_string()) }).await.unwrap();
    }
    f.documents.insert(&scope(), memo("long", 'a')).await.unwrap();
    let Fixture { dir, store, documents, .. } = f;
    drop((store, documents));
    let old = "DELETE FROM index_rows WHERE name = 'blob';
               UPDATE documents SET indexes = '' WHERE kind = 'todo.memo'; PRAGMA user_version = 1;";
    database(dir.path()).execute_batch(old).unwrap();
    dir
}

#[tokio::test]
async fn a_folder_of_format_1_is_moved_on_and_loses_nothing() {
    let dir = folder_of_format_1(1_200).await;
    let documents = open(dir.path()).unwrap().service("todo");
    assert_eq!(format(dir.path()), FORMAT);
    let found = documents.find::<Memo>(&scope(), "blob", &"a".repeat(64), Page::default()).await.unwrap();
    assert_eq!(found[0].name, "long");
    assert_eq!(documents.find::<Task>(&scope(), "list", "l", Page::default()).await.unwrap().len(), 1_000);
    // The rows are remembered: they go with the document.
    documents.remove(&scope(), &found[0]).await.unwrap();
    drop(documents);
    let sql = "SELECT count(*) FROM index_rows WHERE name = 'blob'";
    let rows: i64 = database(dir.path()).query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn an_empty_file_of_no_format_becomes_a_folder_of_this_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(DATABASE), "").unwrap();
    drop(open(dir.path()).unwrap());
    assert_eq!(format(dir.path()), FORMAT);
}

#[tokio::test]
async fn formats_of_the_future_and_of_nobody_are_refused_and_left_alone() {
    for found in [FORMAT + 1, 1_000, -1] {
        let dir = folder_of_format_1(1).await;
        database(dir.path()).pragma_update(None, "user_version", found).unwrap();
        let error = open(dir.path()).err().unwrap().to_string();
        assert!(error.contains(&format!("format {found}")) && error.contains("newer release"), "{error}");
        assert_eq!(format(dir.path()), found);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_of_one_moment_while_commits_go_on() {
    let f = Fixture::new();
    let documents = f.documents.clone();
    let writing = tokio::spawn(async move {
        for n in 0.. {
            // Two documents in one commit: a snapshot has both or none.
            let batch = Batch::new(&scope()).insert(&task(&format!("a{n:06}"))).insert(&task(&format!("b{n:06}")));
            if documents.commit(batch).await.is_err() {
                return;
            }
        }
    });
    for n in 0..5 {
        let acknowledged = f.documents.list::<Task>(&scope(), Page::default()).await.unwrap().len();
        let (data_dir, copy) = (f.dir.path().to_owned(), f.dir.path().join(format!("copy-{n}")));
        let to = copy.clone();
        tokio::task::spawn_blocking(move || snapshot(&data_dir, &to)).await.unwrap().unwrap();
        let sql = "SELECT count(*) FILTER (WHERE key LIKE 'a%'), count(*) FILTER (WHERE key LIKE 'b%') FROM documents";
        let count = |row: &rusqlite::Row<'_>| Ok((row.get::<_, usize>(0)?, row.get::<_, usize>(1)?));
        let (a, b) = Connection::open(&copy).unwrap().query_row(sql, [], count).unwrap();
        assert_eq!(a, b);
        assert!(a + b >= acknowledged, "what was acknowledged before is in it");
        let snapshot = Snapshot::open(&copy).unwrap();
        assert_eq!((snapshot.format().unwrap(), snapshot.damage().unwrap()), (FORMAT, None));
    }
    writing.abort();
}

#[tokio::test]
async fn a_snapshot_of_a_folder_at_rest_names_the_blobs_that_it_needs() {
    let f = Fixture::new();
    for memo in [memo("1", 'a'), memo("2", 'a'), memo("3", 'b')] {
        f.documents.insert(&scope(), memo).await.unwrap();
    }
    let Fixture { dir, store, documents, .. } = f;
    drop((store, documents));
    let copy = dir.path().join("copy");
    snapshot(dir.path(), &copy).unwrap();
    let mut needed = Vec::new();
    Snapshot::open(&copy).unwrap().blobs(|service, digest| needed.push(format!("{service} {}", &digest[..1]))).unwrap();
    needed.sort();
    assert_eq!(needed, ["todo a", "todo b"]);
    let again = open(dir.path()).unwrap();
    drop(again);
    assert!(snapshot(dir.path(), &copy).is_err(), "a copy is never written over");
}
