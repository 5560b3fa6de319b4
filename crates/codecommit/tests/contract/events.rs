//! Each change of a reference becomes exactly one event.

use std::sync::Arc;
use std::time::Duration;

use aws::codecommit::*;
use kernel::{Clock, Event, ManualClock, Subscription, SystemClock};

use crate::server::{Clone, Server, caller, git_in};

async fn next(events: &mut Subscription) -> Vec<Event> {
    let batch = tokio::time::timeout(Duration::from_secs(10), events.next_batch(100)).await;
    batch.expect("an event within ten seconds").unwrap().into_iter().map(|delivered| delivered.event).collect()
}

async fn none(events: &mut Subscription) {
    let batch = tokio::time::timeout(Duration::from_millis(100), events.next_batch(100)).await;
    assert!(batch.is_err(), "{batch:?}");
}

fn told(events: &[Event]) -> Vec<(&str, &str)> {
    let text = |event: &'_ Event, member: &str| -> &str {
        let value = event.detail[member].as_str().unwrap_or_default();
        // The events outlive the closure.
        Box::leak(value.to_owned().into_boxed_str())
    };
    events.iter().map(|event| (text(event, "event"), text(event, "referenceFullName"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_announced_before_git_says_that_it_is_done() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    let mut events = server.store.bus().subscribe("test.events").await.unwrap();
    server.create("demo").await;
    let url = server.url_of("demo");
    let first = work.commit("file", "1");
    work.git(&["tag", "v1"]);
    work.git(&["push", "--quiet", &url, "main", "v1"]);
    let created = next(&mut events).await;
    assert_eq!(told(&created), [("referenceCreated", "refs/heads/main"), ("referenceCreated", "refs/tags/v1")]);
    let event = &created[0];
    assert_eq!((&*event.source, &*event.detail_type), ("aws.codecommit", "CodeCommit Repository State Change"));
    assert_eq!(event.resources, ["arn:aws:codecommit:us-east-1:000000000000:demo"]);
    assert_eq!((&event.detail["commitId"], &event.detail["referenceName"]), (&first.clone().into(), &"main".into()));
    assert_eq!(event.detail["callerUserArn"], "arn:aws:iam::000000000000:root");

    let second = work.commit("file", "2");
    work.git(&["push", "--quiet", &url, "main", ":v1"]);
    let updated = next(&mut events).await;
    assert_eq!(told(&updated), [("referenceUpdated", "refs/heads/main"), ("referenceDeleted", "refs/tags/v1")]);
    assert_eq!((&updated[0].detail["oldCommitId"], &updated[0].detail["commitId"]), (&first.into(), &second.into()));

    work.git(&["push", "--quiet", &url, "main"]);
    none(&mut events).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_made_and_deleted_by_the_api_are_announced_too() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    server.create("demo").await;
    let tip = work.commit("file", "1");
    work.push(&server.url_of("demo"), "main");
    let mut events = server.store.bus().subscribe("test.events").await.unwrap();
    let (name, branch) = (Some("demo".to_owned()), Some("copy".to_owned()));
    let create = CreateBranchInput { repository_name: name.clone(), branch_name: branch.clone(), commit_id: Some(tip) };
    server.service.create_branch(&caller(), create.clone()).await.unwrap();
    assert_eq!(told(&next(&mut events).await), [("referenceCreated", "refs/heads/copy")]);
    let again = server.service.create_branch(&caller(), create).await.unwrap_err();
    assert!(again.is("BranchNameExistsException"), "{again}");
    let delete = DeleteBranchInput { repository_name: name, branch_name: branch };
    let deleted = server.service.delete_branch(&caller(), delete.clone()).await.unwrap();
    assert!(deleted.deleted_branch.is_some());
    assert_eq!(told(&next(&mut events).await), [("referenceDeleted", "refs/heads/copy")]);
    let absent = server.service.delete_branch(&caller(), delete).await.unwrap();
    assert!(absent.deleted_branch.is_none());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_behind_the_servers_back_is_found_within_a_minute_and_told_once() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let clock = ManualClock::at(SystemClock.now());
    let server = Server::with_clock(dir.path(), Arc::new(clock.clone())).await;
    server.create("demo").await;
    work.commit("file", "1");
    work.push(&server.url_of("demo"), "main");
    let mut events = server.store.bus().subscribe("test.events").await.unwrap();
    let folder = server.folder("demo").await;
    assert!(git_in(&folder, &["update-ref", "refs/heads/side", "refs/heads/main"]).status.success());
    none(&mut events).await;
    clock.advance(Duration::from_secs(61));
    assert_eq!(told(&next(&mut events).await), [("referenceCreated", "refs/heads/side")]);
    clock.advance(Duration::from_secs(61));
    none(&mut events).await;
    server.end().await;
}
