//! The contract of `Documents`: any backend has to pass it.

use std::collections::BTreeMap;

use crate::fixture::{Fixture, Task, scope, task};
use kernel::{Batch, CommitError, Document, Documents, Page, Scope, StoreError};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

/// How often a document changes beside its readers.
const ROUNDS: u32 = 100;

fn names(tasks: &[kernel::Stored<Task>]) -> Vec<&str> {
    tasks.iter().map(|task| task.name.as_str()).collect()
}

#[tokio::test]
async fn a_document_is_read_back_as_written_and_survives_a_restart() {
    let f = Fixture::new();
    f.documents.insert(&scope(), task("a")).await.unwrap();
    let f = f.restart();
    let stored = f.documents.get::<Task>(&scope(), "a").await.unwrap().unwrap();
    assert_eq!(stored.value, task("a"));
    assert!(f.documents.get::<Task>(&scope(), "b").await.unwrap().is_none());
    let elsewhere = Scope::new("000000000000", "eu-west-1");
    assert!(f.documents.get::<Task>(&elsewhere, "a").await.unwrap().is_none());
    assert_eq!(f.documents.scopes::<Task>().await.unwrap(), [scope()]);
}

#[tokio::test]
async fn the_second_insert_of_a_key_is_refused() {
    let f = Fixture::new();
    f.documents.insert(&scope(), task("a")).await.unwrap();
    let again = f.documents.insert(&scope(), task("a")).await;
    assert!(matches!(again, Err(CommitError::Exists { key, .. }) if key == "a"));
}

#[tokio::test]
async fn a_write_to_a_version_that_is_gone_conflicts_and_leaves_everything_alone() {
    let f = Fixture::new();
    let first = f.documents.insert(&scope(), task("a")).await.unwrap();
    let mut newer = first.clone();
    newer.done = 1;
    let newer = f.documents.replace(&scope(), newer).await.unwrap();
    assert!(newer.version > first.version);

    let stale = Batch::new(&scope()).insert(&task("b")).replace(&first);
    assert!(matches!(f.documents.commit(stale).await, Err(CommitError::Conflict { .. })));
    assert!(matches!(f.documents.remove(&scope(), &first).await, Err(CommitError::Conflict { .. })));
    let required = Batch::new(&scope()).insert(&task("b")).require(&first);
    assert!(matches!(f.documents.commit(required).await, Err(CommitError::Conflict { .. })));

    assert!(f.documents.get::<Task>(&scope(), "b").await.unwrap().is_none());
    assert_eq!(f.documents.get::<Task>(&scope(), "a").await.unwrap().unwrap().done, 1);
}

#[tokio::test]
async fn a_removed_and_made_again_document_has_another_version() {
    let f = Fixture::new();
    let first = f.documents.insert(&scope(), task("a")).await.unwrap();
    f.documents.remove(&scope(), &first).await.unwrap();
    f.documents.insert(&scope(), task("a")).await.unwrap();
    assert!(matches!(f.documents.replace(&scope(), first).await, Err(CommitError::Conflict { .. })));
}

#[tokio::test]
async fn concurrent_updates_all_count() {
    let f = Fixture::new();
    f.documents.insert(&scope(), task("a")).await.unwrap();
    let adders = (0..8).map(|_| {
        let documents = f.documents.clone();
        tokio::spawn(async move {
            documents.update::<Task>(&scope(), "a", |task| task.done += 1).await.unwrap().unwrap();
        })
    });
    futures::future::try_join_all(adders).await.unwrap();
    assert_eq!(f.documents.get::<Task>(&scope(), "a").await.unwrap().unwrap().done, 8);
    assert!(f.documents.update::<Task>(&scope(), "none", |_| ()).await.unwrap().is_none());
}

#[tokio::test]
async fn lists_run_both_ways_by_prefix_and_page() {
    let f = Fixture::new();
    for name in ["a", "b/1", "b/2", "b/3", "c"] {
        f.documents.insert(&scope(), task(name)).await.unwrap();
    }
    let here = scope();
    let list = |page| f.documents.list::<Task>(&here, page);
    assert_eq!(names(&list(Page::default()).await.unwrap()), ["a", "b/1", "b/2", "b/3", "c"]);
    assert_eq!(names(&list(Page::first(2).prefix("b/").descending()).await.unwrap()), ["b/3", "b/2"]);
    let first = list(Page::first(2)).await.unwrap();
    let after = first.last().map(|task| task.position().to_owned());
    assert_eq!(names(&list(Page::first(2).after(after.clone())).await.unwrap()), ["b/2", "b/3"]);
    assert_eq!(names(&list(Page::first(9).after(after).descending()).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn an_index_follows_its_document() {
    let f = Fixture::new();
    let on =
        |name: &str, list: &str, rank: &str| Task { list: Some(list.to_owned()), rank: rank.to_owned(), ..task(name) };
    for (name, list, rank) in [("x", "home", "2"), ("y", "home", "1"), ("z", "home", "1"), ("w", "work", "0")] {
        f.documents.insert(&scope(), on(name, list, rank)).await.unwrap();
    }
    let here = scope();
    let find = |list: &'static str, page| f.documents.find::<Task>(&here, "list", list, page);
    let all = find("home", Page::default()).await.unwrap();
    assert_eq!(names(&all), ["y", "z", "x"]);
    assert_eq!(names(&find("home", Page::default().after(Some(all[1].position().to_owned()))).await.unwrap()), ["x"]);
    assert_eq!(names(&find("home", Page::default().behind("1", "y")).await.unwrap()), ["z", "x"]);
    assert_eq!(names(&find("home", Page::first(2).descending()).await.unwrap()), ["x", "z"]);
    assert_eq!(names(&find("home", Page::default().prefix("1")).await.unwrap()), ["y", "z"]);

    f.documents.update::<Task>(&scope(), "y", |task| task.list = Some("work".to_owned())).await.unwrap();
    let gone = f.documents.get::<Task>(&scope(), "z").await.unwrap().unwrap();
    f.documents.remove(&scope(), &gone).await.unwrap();
    assert_eq!(names(&find("home", Page::default()).await.unwrap()), ["x"]);
    assert_eq!(names(&find("work", Page::default()).await.unwrap()), ["w", "y"]);
}

#[tokio::test]
async fn get_many_answers_in_the_order_asked() {
    let f = Fixture::new();
    f.documents.insert(&scope(), task("a")).await.unwrap();
    f.documents.insert(&scope(), task("b")).await.unwrap();
    let found = f.documents.get_many::<Task>(&scope(), &["b", "none", "a"]).await.unwrap();
    let found: Vec<Option<&str>> = found.iter().map(|task| task.as_ref().map(|task| task.name.as_str())).collect();
    assert_eq!(found, [Some("b"), None, Some("a")]);
}

#[tokio::test]
async fn one_batch_writes_in_several_scopes() {
    let f = Fixture::new();
    let other = Scope::global();
    f.documents.commit(Batch::new(&scope()).insert(&task("a")).in_scope(&other).insert(&task("b"))).await.unwrap();
    assert!(f.documents.get::<Task>(&other, "b").await.unwrap().is_some());
    assert!(f.documents.get::<Task>(&scope(), "b").await.unwrap().is_none());
}

#[tokio::test]
async fn another_services_kinds_are_refused() {
    let f = Fixture::new();
    let stranger = f.store.service("stranger");
    assert!(matches!(stranger.get::<Task>(&scope(), "a").await, Err(StoreError::ForeignKind { .. })));
    let written = stranger.insert(&scope(), task("a")).await;
    assert!(matches!(written, Err(CommitError::Store(StoreError::ForeignKind { .. }))));
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_its_size() {
    let f = Fixture::new();
    let fat = Task { rank: "x".repeat(kernel::store::LARGEST_DOCUMENT), ..task("fat") };
    let error = f.documents.insert(&scope(), fat).await.unwrap_err().to_string();
    assert!(error.contains("todo.task 'fat'") && error.contains("more than 65536"), "{error}");
    assert!(f.documents.insert(&scope(), task(&"k".repeat(2_049))).await.is_err());
    assert!(f.documents.insert(&scope(), task("")).await.is_err());
}

/// The same kind, read as another type: what an incompatible change of a document would do.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OtherTask {
    missing: u8,
}

impl Document for OtherTask {
    const KIND: &'static str = "todo.task";

    fn key(&self) -> String {
        String::new()
    }
}

#[tokio::test]
async fn a_document_that_does_not_fit_its_type_is_named() {
    let f = Fixture::new();
    f.documents.insert(&scope(), task("a")).await.unwrap();
    let error = f.documents.get::<OtherTask>(&scope(), "a").await.unwrap_err().to_string();
    assert!(error.starts_with("document todo.task 'a' cannot be read: missing field `missing`"), "{error}");
}

/// The task's count by each way of reading it.
async fn counts(documents: &Documents) -> [u32; 3] {
    let (page, scope) = (Page::first(1), scope());
    let by_key = documents.get::<Task>(&scope, "a").await.unwrap().unwrap().done;
    let listed = documents.list::<Task>(&scope, page.clone()).await.unwrap()[0].done;
    [by_key, listed, documents.find::<Task>(&scope, "list", "l", page).await.unwrap()[0].done]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_writer_each_commit_is_seen_with_its_answer_and_nobody_looks_back() {
    let f = Fixture::new();
    f.documents.insert(&scope(), Task { list: Some("l".to_owned()), ..task("a") }).await.unwrap();
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let documents = f.documents.clone();
        readers.spawn(async move {
            let mut last = 0;
            while last < ROUNDS {
                for count in counts(&documents).await {
                    assert!(count >= last, "{count} after {last}");
                    last = count;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for round in 1..=ROUNDS {
        f.documents.update::<Task>(&scope(), "a", |task| task.done = round).await.unwrap();
        assert_eq!(counts(&f.documents).await, [round; 3]);
    }
    readers.join_all().await;
    let stored = f.documents.get::<Task>(&scope(), "a").await.unwrap().unwrap();
    f.documents.remove(&scope(), &stored).await.unwrap();
    assert!(f.documents.get::<Task>(&scope(), "a").await.unwrap().is_none());
    assert!(f.documents.list::<Task>(&scope(), Page::first(1)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_commit_that_is_undone_leaves_what_is_read_as_it_was() {
    let f = Fixture::new();
    let first = f.documents.insert(&scope(), task("a")).await.unwrap();
    let mut changed = f.documents.get::<Task>(&scope(), "a").await.unwrap().unwrap();
    changed.done = 7;
    let refused = Batch::new(&scope()).replace(&changed).insert(&task("b")).insert(&task("b"));
    assert!(matches!(f.documents.commit(refused).await, Err(CommitError::Exists { .. })));
    for _ in 0..2 {
        assert_eq!(f.documents.get::<Task>(&scope(), "a").await.unwrap(), Some(first.clone()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever is written in whatever order, list and pages agree with a sorted map.
    #[test]
    fn paging_walks_exactly_the_sorted_keys(
        keys in proptest::collection::btree_map("[a-c/é]{1,4}", 0..9u32, 1..20),
        limit in 1..6usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let walked = runtime.block_on(async {
            let f = Fixture::new();
            let mut batch = Batch::new(&scope());
            for (key, done) in &keys {
                batch = batch.insert(&Task { done: *done, ..task(key) });
            }
            f.documents.commit(batch).await.unwrap();
            let (mut walked, mut after) = (BTreeMap::new(), None);
            loop {
                let page = f.documents.list::<Task>(&scope(), Page::first(limit).after(after.clone())).await.unwrap();
                let Some(last) = page.last() else { break walked };
                after = Some(last.position().to_owned());
                walked.extend(page.into_iter().map(|task| (task.value.name, task.value.done)));
            }
        });
        prop_assert_eq!(walked, keys);
    }
}
