use crate::ground::{Ground, NOW, caller};
use crate::groups::files_below;
use aws::Error;
use aws::logs::*;
use kernel::{Collector as _, Retention, Stop};
use std::sync::Arc;
use std::time::Duration;

const DAY: i64 = 86_400_000;

async fn keep(ground: &Ground, days: i32) -> Result<PutRetentionPolicyOutput, Error> {
    let input = PutRetentionPolicyInput { log_group_name: Some("g".into()), retention_in_days: Some(days) };
    ground.service.put_retention_policy(&caller(), input).await
}

async fn read(ground: &Ground) -> Vec<String> {
    let input = GetLogEventsInput { start_from_head: Some(true), ..Default::default() };
    let got = ground.get("s", input).await.unwrap().0;
    assert_eq!(ground.filter(FilterLogEventsInput::default()).await.unwrap().0, got);
    got
}

async fn stream(ground: &Ground) -> LogStream {
    let input = DescribeLogStreamsInput { log_group_name: Some("g".into()), ..Default::default() };
    ground.service.describe_log_streams(&caller(), input).await.unwrap().log_streams.unwrap().remove(0)
}

async fn group(ground: &Ground) -> LogGroup {
    let output = ground.service.describe_log_groups(&caller(), DescribeLogGroupsInput::default()).await.unwrap();
    output.log_groups.unwrap().remove(0)
}

#[tokio::test]
async fn what_has_expired_is_not_seen_even_before_it_is_removed() {
    let ground = Ground::with_streams(&["s"]).await;
    for day in [-5, -3, -1] {
        ground.put("s", &[(day * DAY, &day.to_string())]).await.unwrap();
    }
    assert_eq!(read(&ground).await, ["-5", "-3", "-1"]);
    assert_eq!(stream(&ground).await.first_event_timestamp, Some(NOW - 5 * DAY));
    keep(&ground, 3).await.unwrap();
    assert_eq!(read(&ground).await, ["-3", "-1"]);
    let told = stream(&ground).await;
    assert_eq!((told.first_event_timestamp, told.last_event_timestamp), (Some(NOW - 3 * DAY), Some(NOW - DAY)));
    ground.clock.advance(Duration::from_secs(3 * 86_400));
    assert_eq!(read(&ground).await, Vec::<String>::new());
    let told = stream(&ground).await;
    assert_eq!((told.first_event_timestamp, told.last_event_timestamp), (None, None));
    let delete = DeleteRetentionPolicyInput { log_group_name: Some("g".into()) };
    ground.service.delete_retention_policy(&caller(), delete).await.unwrap();
    assert_eq!(read(&ground).await, ["-5", "-3", "-1"], "nothing removed them yet");
}

#[tokio::test]
async fn only_these_days_can_be_chosen_and_deliveries_have_their_own() {
    let ground = Ground::with_streams(&[]).await;
    for days in [-1, 0, 2, 3_654] {
        let error = keep(&ground, days).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{days}");
    }
    keep(&ground, 3_653).await.unwrap();
    assert_eq!(group(&ground).await.retention_in_days, Some(3_653));
    let delivery = CreateLogGroupInput {
        log_group_name: Some("delivery".into()),
        log_group_class: Some("DELIVERY".into()),
        ..Default::default()
    };
    ground.service.create_log_group(&caller(), delivery).await.unwrap();
    assert_eq!(group(&ground).await.retention_in_days, Some(1));
    let input = PutRetentionPolicyInput { log_group_name: Some("delivery".into()), retention_in_days: Some(7) };
    let error = ground.service.put_retention_policy(&caller(), input).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
}

#[tokio::test]
async fn an_event_that_has_expired_already_is_rejected() {
    let ground = Ground::with_streams(&["s"]).await;
    keep(&ground, 1).await.unwrap();
    let output = ground.put("s", &[(-DAY - 1, "old"), (-DAY + 1, "new")]).await.unwrap();
    assert_eq!(output.rejected_log_events_info.unwrap().expired_log_event_end_index, Some(1));
    assert_eq!(read(&ground).await, ["new"]);
}

/// Fills several segments, whose events are a day apart.
async fn days(ground: &Ground, days: std::ops::RangeInclusive<i64>) {
    let large = "x".repeat(262_000);
    for day in days {
        for _ in 0..7 {
            let event = (day * DAY, large.as_str());
            ground.put("s", &[event, event, event]).await.unwrap();
        }
    }
}

async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..3_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(holds().await, "it did not come true");
}

#[tokio::test]
async fn segments_are_removed_and_the_stream_goes_on_over_a_restart() {
    let ground = Ground::with_streams(&["s"]).await;
    days(&ground, -3..=-1).await;
    let (_, forward, _) = ground.get("s", GetLogEventsInput::default()).await.unwrap();
    let before = group(&ground).await.stored_bytes.unwrap();
    let stop = Stop::new();
    let worker = tokio::spawn(Arc::clone(&ground.service).run(stop.clone()));
    keep(&ground, 1).await.unwrap();
    eventually(async || group(&ground).await.stored_bytes.unwrap() < before / 2).await;
    ground.clock.advance(Duration::from_secs(2 * 86_400));
    eventually(async || group(&ground).await.stored_bytes == Some(0)).await;
    assert_eq!(files_below(&ground.folder.path().join("logs")), 1, "an empty segment keeps the place");
    stop.trigger();
    worker.await.unwrap();
    let now = 2 * DAY;
    let ground = ground.restart();
    ground.clock.advance(Duration::from_secs(2 * 86_400));
    ground.put("s", &[(now, "after")]).await.unwrap();
    let next = GetLogEventsInput { next_token: Some(forward), ..Default::default() };
    assert_eq!(ground.get("s", next).await.unwrap().0, ["after"], "tokens from before are good");
    assert_eq!(read(&ground).await, ["after"]);
}

#[tokio::test]
async fn a_collection_counts_what_it_removes() {
    let ground = Ground::with_streams(&["s"]).await;
    days(&ground, -2..=-1).await;
    let collect = async |dry| ground.service.collect(&Retention::default(), dry).await.unwrap()["log events"];
    assert_eq!(collect(false).await.count, 0, "the group keeps its events for ever");
    keep(&ground, 1).await.unwrap();
    ground.clock.advance(Duration::from_secs(1));
    let dry = collect(true).await;
    assert!(dry.count > 0 && dry.bytes > 4_000_000, "{dry:?}");
    assert_eq!(collect(true).await, dry);
    assert_eq!(collect(false).await, dry);
    assert_eq!(collect(false).await.count, 0);
}
