use crate::ground::Ground;
use aws::logs::GetLogEventsInput;

#[tokio::test]
async fn acknowledged_events_outlive_a_restart() {
    let mut ground = Ground::with_streams(&["s"]).await;
    for round in 0..3 {
        let message = format!("round {round}");
        ground.put("s", &[(round, &message)]).await.unwrap();
        ground = ground.restart();
    }
    let (messages, _, _) = ground.get("s", GetLogEventsInput::default()).await.unwrap();
    assert_eq!(messages, ["round 0", "round 1", "round 2"]);
}

#[tokio::test]
async fn a_token_is_good_after_a_restart() {
    let ground = Ground::with_streams(&["s"]).await;
    ground.put("s", &[(0, "a")]).await.unwrap();
    let (_, forward, _) = ground.get("s", GetLogEventsInput::default()).await.unwrap();
    let ground = ground.restart();
    ground.put("s", &[(0, "b")]).await.unwrap();
    let next = GetLogEventsInput { next_token: Some(forward), ..Default::default() };
    assert_eq!(ground.get("s", next).await.unwrap().0, ["b"]);
}

#[tokio::test]
async fn what_is_too_old_is_told_and_not_kept() {
    let ground = Ground::with_streams(&["s"]).await;
    let day = 86_400_000;
    let output = ground.put("s", &[(-15 * day, "old"), (-14 * day, "good")]).await.unwrap();
    assert_eq!(output.rejected_log_events_info.unwrap().too_old_log_event_end_index, Some(1));
    assert_eq!(ground.get("s", GetLogEventsInput::default()).await.unwrap().0, ["good"]);
    let error = ground.put("s", &[(1, "b"), (0, "a")]).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
    assert_eq!(ground.get("s", GetLogEventsInput::default()).await.unwrap().0, ["good"]);
}
