use crate::ground::{Ground, NOW, caller};
use aws::logs::*;
use aws::{Error, EventStream};
use futures::StreamExt as _;
use std::time::Duration;

type Events = EventStream<StartLiveTailResponseStream>;

fn input() -> StartLiveTailInput {
    StartLiveTailInput { log_group_identifiers: Some(vec!["g".into()]), ..Default::default() }
}

/// A session whose start has come.
async fn start(ground: &Ground, input: StartLiveTailInput) -> Result<Events, Error> {
    let mut events = ground.service.start_live_tail(&caller(), input).await?;
    assert!(events.next().await.unwrap().unwrap().session_start.unwrap().session_id.is_some());
    Ok(events)
}

/// The next update, a second later: its messages and whether there were more.
async fn update(ground: &Ground, events: &mut Events) -> (Vec<String>, bool) {
    ground.clock.advance(Duration::from_secs(1));
    let update = events.next().await.unwrap().unwrap().session_update.unwrap();
    let messages = update.session_results.unwrap().into_iter().map(|event| event.message.unwrap());
    (messages.collect(), update.session_metadata.unwrap().sampled.unwrap())
}

#[tokio::test]
async fn new_events_come_once_and_in_order() {
    let ground = Ground::with_streams(&["s"]).await;
    ground.put("s", &[(0, "before")]).await.unwrap();
    let mut events = start(&ground, input()).await.unwrap();
    ground.put("s", &[(5, "a"), (6, "b")]).await.unwrap();
    ground.put("s", &[(1, "late")]).await.unwrap();
    assert_eq!(update(&ground, &mut events).await, (vec!["a".into(), "b".into(), "late".into()], false));
    assert_eq!(update(&ground, &mut events).await, (vec![], false), "a heartbeat");
    ground.stream("new").await.unwrap();
    ground.put("new", &[(7, "c")]).await.unwrap();
    assert_eq!(update(&ground, &mut events).await.0, ["c"], "streams that come later are in it");
}

#[tokio::test]
async fn an_event_says_where_it_is_from() {
    let ground = Ground::with_streams(&["s"]).await;
    let mut events = start(&ground, input()).await.unwrap();
    ground.put("s", &[(5, "a")]).await.unwrap();
    ground.clock.advance(Duration::from_secs(1));
    let update = events.next().await.unwrap().unwrap().session_update.unwrap();
    let expected = LiveTailSessionLogEvent {
        log_stream_name: Some("s".into()),
        log_group_identifier: Some("arn:aws:logs:eu-west-1:111111111111:log-group:g".into()),
        message: Some("a".into()),
        timestamp: Some(NOW + 5),
        ingestion_time: Some(NOW),
    };
    assert_eq!(update.session_results, Some(vec![expected]));
}

#[tokio::test]
async fn streams_and_patterns_narrow_it() {
    let ground = Ground::with_streams(&["a/1", "a/2", "b"]).await;
    let one = |name: &str| Some(vec![name.to_owned()]);
    for (input, wanted) in [
        (StartLiveTailInput { log_stream_names: one("b"), ..input() }, &["b ok", "b ERROR"][..]),
        (
            StartLiveTailInput { log_stream_name_prefixes: one("a/"), ..input() },
            &["a/1 ok", "a/1 ERROR", "a/2 ok", "a/2 ERROR"],
        ),
        (
            StartLiveTailInput { log_event_filter_pattern: Some("ERROR".into()), ..input() },
            &["a/1 ERROR", "a/2 ERROR", "b ERROR"],
        ),
    ] {
        let mut events = start(&ground, input).await.unwrap();
        for stream in ["a/1", "a/2", "b"] {
            let texts = [format!("{stream} ok"), format!("{stream} ERROR")];
            ground.put(stream, &[(0, &texts[0]), (0, &texts[1])]).await.unwrap();
        }
        assert_eq!(update(&ground, &mut events).await.0, wanted);
    }
}

#[tokio::test]
async fn of_too_many_the_first_come_and_it_says_so() {
    let ground = Ground::with_streams(&["s"]).await;
    let mut events = start(&ground, input()).await.unwrap();
    for batch in 0..4 {
        let texts: Vec<String> = (0..200).map(|number| format!("{}", batch * 200 + number)).collect();
        let lines: Vec<(i64, &str)> = texts.iter().map(|text| (0, text.as_str())).collect();
        ground.put("s", &lines).await.unwrap();
    }
    let (messages, sampled) = update(&ground, &mut events).await;
    assert_eq!((messages.len(), messages.last().map(String::as_str), sampled), (500, Some("499"), true));
    ground.put("s", &[(0, "after")]).await.unwrap();
    assert_eq!(update(&ground, &mut events).await, (vec!["after".into()], false));
}

#[tokio::test]
async fn what_is_too_large_for_one_update_comes_with_the_next() {
    let ground = Ground::with_streams(&["s"]).await;
    let mut events = start(&ground, input()).await.unwrap();
    let large: Vec<String> = (0..6).map(|number| format!("{number}{}", "x".repeat(250_000))).collect();
    for text in &large {
        ground.put("s", &[(0, text)]).await.unwrap();
    }
    let (first, sampled) = update(&ground, &mut events).await;
    let (second, _) = update(&ground, &mut events).await;
    assert_eq!(([first, second].concat(), sampled), (large, false));
}

#[tokio::test]
async fn a_session_ends_after_three_hours() {
    let ground = Ground::with_streams(&["s"]).await;
    let mut events = start(&ground, input()).await.unwrap();
    ground.clock.advance(Duration::from_secs(3 * 3_600));
    assert_eq!(events.next().await.unwrap().unwrap_err().code, "SessionTimeoutException");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn what_cannot_be_followed_is_said() {
    let ground = Ground::with_streams(&["s"]).await;
    ground.group("h").await.unwrap();
    let groups = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let one = Some(vec!["s".to_owned()]);
    for (input, code) in [
        (
            StartLiveTailInput { log_group_identifiers: groups(&["g", "absent"]), ..input() },
            "ResourceNotFoundException",
        ),
        (
            StartLiveTailInput {
                log_group_identifiers: groups(&["arn:aws:logs:eu-west-1:222222222222:log-group:g"]),
                ..input()
            },
            "ResourceNotFoundException",
        ),
        (
            StartLiveTailInput { log_group_identifiers: groups(&["g", "h"]), log_stream_names: one.clone(), ..input() },
            "InvalidParameterException",
        ),
        (
            StartLiveTailInput { log_stream_names: one.clone(), log_stream_name_prefixes: one.clone(), ..input() },
            "InvalidParameterException",
        ),
        (StartLiveTailInput { log_event_filter_pattern: Some("{".into()), ..input() }, "InvalidParameterException"),
    ] {
        assert_eq!(start(&ground, input).await.map(drop).unwrap_err().code, code);
    }
}

#[tokio::test]
async fn who_is_gone_leaves_room() {
    let ground = Ground::with_streams(&["s"]).await;
    let mut sessions = Vec::new();
    for _ in 0..100 {
        sessions.push(start(&ground, input()).await.unwrap());
    }
    assert_eq!(start(&ground, input()).await.map(drop).unwrap_err().code, "LimitExceededException");
    sessions.pop();
    assert!(start(&ground, input()).await.is_ok());
}
