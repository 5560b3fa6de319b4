//! The contract of `Bus`: in order, none lost, none twice, the cursor moves with the effect.

use std::time::Duration;

use crate::fixture::{Fixture, scope, start, task};
use kernel::{Batch, CommitError, Delivered, Event, Subscription};
use serde_json::json;

fn event(source: &str, n: usize) -> Event {
    Event {
        id: format!("event-{n}"),
        source: source.to_owned(),
        detail_type: "Test".to_owned(),
        account: scope().account,
        region: scope().region,
        time: start(),
        resources: vec![],
        detail: json!({ "n": n }),
    }
}

async fn publish(f: &Fixture, source: &str, n: usize) {
    f.documents.commit(Batch::new(&scope()).publish(&event(source, n))).await.unwrap();
}

fn ids(batch: &[Delivered]) -> Vec<&str> {
    batch.iter().map(|delivered| delivered.event.id.as_str()).collect()
}

async fn nothing_comes(subscription: &mut Subscription) -> bool {
    tokio::time::timeout(Duration::from_millis(30), subscription.next_batch(9)).await.is_err()
}

#[tokio::test]
async fn a_new_consumer_sees_what_comes_after_it_and_one_from_the_start_sees_all() {
    let f = Fixture::new();
    publish(&f, "aws.a", 1).await;
    let mut late = f.store.bus().subscribe("todo.late").await.unwrap();
    let mut all = f.store.bus().subscribe_from_start("todo.all").await.unwrap();
    publish(&f, "aws.a", 2).await;
    assert_eq!(ids(&late.next_batch(9).await.unwrap()), ["event-2"]);
    assert_eq!(ids(&all.next_batch(1).await.unwrap()), ["event-1"]);
    assert_eq!(ids(&all.next_batch(9).await.unwrap()), ["event-2"]);
    assert!(nothing_comes(&mut all).await);
}

#[tokio::test]
async fn a_waiting_consumer_is_woken_and_filters_by_source() {
    let f = Fixture::new();
    let mut only = f.store.bus().subscribe("todo.only").await.unwrap().only("aws.b");
    let waiting = tokio::spawn(async move { only.next_batch(9).await.unwrap() });
    publish(&f, "aws.a", 1).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    publish(&f, "aws.b", 2).await;
    assert_eq!(ids(&waiting.await.unwrap()), ["event-2"]);
}

#[tokio::test]
async fn what_was_not_advanced_over_comes_again_and_its_effect_happens_once() {
    let f = Fixture::new();
    let mut consumer = f.store.bus().subscribe("todo.effects").await.unwrap();
    for n in 1..=3 {
        publish(&f, "aws.a", n).await;
    }
    let batch = consumer.next_batch(9).await.unwrap();
    let effect = |n: usize| Batch::new(&scope()).insert(&task(&format!("effect-{n}"))).advance(&batch[n - 1].cursor);
    f.documents.commit(effect(1)).await.unwrap();
    drop(consumer);

    let f = f.restart();
    let mut consumer = f.store.bus().subscribe("todo.effects").await.unwrap();
    let again = consumer.next_batch(9).await.unwrap();
    assert_eq!(ids(&again), ["event-2", "event-3"]);
    f.documents.commit(effect(2)).await.unwrap();
    let twice = f.documents.commit(Batch::new(&scope()).insert(&task("twice")).advance(&again[0].cursor)).await;
    assert!(matches!(twice, Err(CommitError::Conflict { kind, .. }) if kind == "consumer"));
    consumer.acknowledge(&again[1].cursor).await.unwrap();
    consumer.acknowledge(&again[1].cursor).await.unwrap();
    let mut anew = f.store.bus().subscribe("todo.effects").await.unwrap();
    assert!(nothing_comes(&mut anew).await);
}

#[tokio::test]
async fn an_event_of_a_commit_that_fails_is_never_seen() {
    let f = Fixture::new();
    let mut consumer = f.store.bus().subscribe("todo.c").await.unwrap();
    let stored = f.documents.insert(&scope(), task("a")).await.unwrap();
    f.documents.update::<crate::fixture::Task>(&scope(), "a", |task| task.done = 1).await.unwrap();
    assert!(f.documents.commit(Batch::new(&scope()).publish(&event("aws.a", 1)).replace(&stored)).await.is_err());
    assert!(nothing_comes(&mut consumer).await);
}

#[tokio::test]
async fn pruning_takes_only_what_is_old_and_passed_by_all() {
    let f = Fixture::new();
    let mut slow = f.store.bus().subscribe("todo.slow").await.unwrap();
    for n in 1..=3 {
        publish(&f, "aws.a", n).await;
    }
    let later = start() + Duration::from_secs(1);
    assert_eq!(f.store.bus().prune(later).await.unwrap(), 0);
    let batch = slow.next_batch(9).await.unwrap();
    slow.acknowledge(&batch[1].cursor).await.unwrap();
    assert_eq!(f.store.bus().prune(start()).await.unwrap(), 0);
    assert_eq!(f.store.bus().prune(later).await.unwrap(), 2);
    let mut again = f.store.bus().subscribe("todo.slow").await.unwrap();
    assert_eq!(ids(&again.next_batch(9).await.unwrap()), ["event-3"]);
}

/// Many events of one source in one commit.
async fn flood(f: &Fixture, source: &str) {
    let events = (1..=1_000).map(|n| event(source, n));
    f.documents.commit(events.fold(Batch::new(&scope()), |batch, event| batch.publish(&event))).await.unwrap();
}

#[tokio::test]
async fn a_consumer_of_a_silent_source_keeps_no_event_from_being_forgotten() {
    let f = Fixture::new();
    let mut silent = f.store.bus().subscribe_from_start("todo.silent").await.unwrap().only("aws.b");
    flood(&f, "aws.a").await;
    let later = start() + Duration::from_secs(1);
    assert_eq!(f.store.bus().prune(later).await.unwrap(), 0);
    assert!(nothing_comes(&mut silent).await);
    assert_eq!(f.store.bus().prune(later).await.unwrap(), 1_000);
    publish(&f, "aws.b", 1).await;
    assert_eq!(ids(&silent.next_batch(9).await.unwrap()), ["event-1"]);
}

#[tokio::test]
async fn passing_over_other_sources_loses_nothing_that_was_not_advanced_over() {
    let f = Fixture::new();
    let mut consumer = f.store.bus().subscribe("todo.slow").await.unwrap().only("aws.b");
    publish(&f, "aws.b", 7).await;
    assert_eq!(ids(&consumer.next_batch(9).await.unwrap()), ["event-7"]);
    flood(&f, "aws.a").await;
    assert!(nothing_comes(&mut consumer).await);
    let mut again = f.store.bus().subscribe("todo.slow").await.unwrap().only("aws.b");
    assert_eq!(ids(&again.next_batch(9).await.unwrap()), ["event-7"]);
}

#[tokio::test]
async fn a_tail_sees_what_comes_after_it_in_order_and_keeps_nothing() {
    let f = Fixture::new();
    publish(&f, "aws.a", 1).await;
    let mut tail = f.store.bus().tail();
    assert!(tokio::time::timeout(Duration::from_millis(30), tail.next_batch(9)).await.is_err());
    for n in 2..=4 {
        publish(&f, "aws.b", n).await;
    }
    let seen = |batch: Vec<Event>| batch.into_iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(seen(tail.next_batch(2).await.unwrap()), ["event-2", "event-3"]);
    assert_eq!(seen(tail.next_batch(2).await.unwrap()), ["event-4"]);
    let waiting = tokio::spawn(async move { tail.next_batch(9).await.unwrap() });
    publish(&f, "aws.a", 5).await;
    assert_eq!(seen(waiting.await.unwrap()), ["event-5"]);
    // Nobody has a cursor, so nothing says that anybody has read them.
    assert_eq!(f.store.bus().prune(start() + Duration::from_secs(9)).await.unwrap(), 0);
}

#[tokio::test]
async fn pruning_goes_on_over_many_and_stops_at_the_first_that_is_kept() {
    let f = Fixture::new();
    let mut all = f.store.bus().subscribe_from_start("todo.all").await.unwrap();
    for (n, age) in [(1_200, 60), (1, 0), (3, 60)] {
        let mut batch = Batch::new(&scope());
        for n in 0..n {
            batch = batch.publish(&Event { time: start() - Duration::from_secs(age), ..event("aws.a", n) });
        }
        f.documents.commit(batch).await.unwrap();
    }
    let mut last = None;
    while last.as_ref().is_none_or(|last: &Delivered| last.event.id != "event-2" || last.event.time == start()) {
        last = all.next_batch(1_000).await.unwrap().pop();
    }
    all.acknowledge(&last.unwrap().cursor).await.unwrap();
    assert_eq!(f.store.bus().prune(start() - Duration::from_secs(30)).await.unwrap(), 1_200);
    assert_eq!(f.store.bus().prune(start() + Duration::from_secs(1)).await.unwrap(), 4);
}

#[tokio::test]
async fn events_are_json_as_eventbridge_writes_them() {
    let json = serde_json::to_value(event("aws.a", 1)).unwrap();
    assert_eq!(json["detail-type"], "Test");
    assert_eq!(json["time"], "2023-11-14T22:13:20Z");
    assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event("aws.a", 1));
}
