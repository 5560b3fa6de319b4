//! Opening a data folder.

use std::sync::Arc;
use std::time::Duration;

use crate::fixture::{Fixture, scope, start, task};
use kernel::client_token::{self, Lookup};
use kernel::{Batch, CommitError, OpenError, Store, SystemClock};
use serde_json::json;

#[test]
fn a_second_server_is_refused_by_name() {
    let f = Fixture::new();
    let error = Store::open(f.dir.path(), Arc::new(SystemClock)).err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }));
    let expected = format!("another landfall server (pid {}) uses {}", std::process::id(), f.dir.path().display());
    assert!(error.to_string().starts_with(&expected), "{error}");
    f.restart();
}

#[test]
fn a_folder_of_a_newer_release_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), Arc::new(SystemClock)).unwrap());
    let connection = rusqlite::Connection::open(dir.path().join("landfall.db")).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    drop(connection);
    let error = Store::open(dir.path(), Arc::new(SystemClock)).err().unwrap();
    assert!(error.to_string().contains("format 7"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let error = Store::open(std::path::Path::new("/proc/landfall"), Arc::new(SystemClock)).err().unwrap();
    assert!(error.to_string().contains("/proc/landfall"), "{error}");
}

#[tokio::test]
async fn a_repeated_request_gets_its_first_answer_until_the_token_expires() {
    let f = Fixture::new();
    let lifetime = Duration::from_secs(300);
    let look_up = |input: &'static str, later: u64| {
        let now = start() + Duration::from_secs(later);
        let documents = f.documents.clone();
        async move { client_token::look_up(&documents, &scope(), "todo:Add", "t1", &input, (now, lifetime)).await.unwrap() }
    };
    let Lookup::New(first) = look_up("a", 0).await else { unreachable!() };
    let Lookup::New(beside) = look_up("a", 0).await else { unreachable!() };
    let batch = first.record(Batch::new(&scope()).insert(&task("a")), json!({ "id": 1 }));
    f.documents.commit(batch).await.unwrap();
    let raced = f.documents.commit(beside.record(Batch::new(&scope()), json!(2))).await;
    assert!(matches!(raced, Err(CommitError::Exists { .. })));
    assert!(matches!(look_up("a", 299).await, Lookup::Done(answer) if answer == json!({ "id": 1 })));
    assert!(matches!(look_up("b", 299).await, Lookup::Mismatch));
    let Lookup::New(anew) = look_up("b", 300).await else { unreachable!() };
    f.documents.commit(anew.record(Batch::new(&scope()), json!(3))).await.unwrap();
    assert!(matches!(look_up("b", 301).await, Lookup::Done(answer) if answer == json!(3)));
}
