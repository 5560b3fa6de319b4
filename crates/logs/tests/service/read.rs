use crate::ground::{Ground, NOW};
use aws::logs::GetLogEventsInput;

fn input() -> GetLogEventsInput {
    GetLogEventsInput::default()
}

fn token(token: &str) -> GetLogEventsInput {
    GetLogEventsInput { next_token: Some(token.to_owned()), ..input() }
}

#[tokio::test]
async fn a_stream_is_read_from_its_tail_and_from_its_head() {
    let ground = Ground::with_streams(&["s"]).await;
    ground.put("s", &[(1, "a"), (2, "b"), (3, "c"), (4, "d")]).await.unwrap();
    let two = |head| GetLogEventsInput { limit: Some(2), start_from_head: head, ..input() };
    let (tail, forward, backward) = ground.get("s", two(None)).await.unwrap();
    assert_eq!(tail, ["c", "d"]);
    let (before, again, start) = ground.get("s", token(&backward)).await.unwrap();
    assert_eq!(before, ["a", "b"]);
    assert_eq!(ground.get("s", token(&again)).await.unwrap().0, ["c", "d"]);
    let (nothing, _, same) = ground.get("s", token(&start)).await.unwrap();
    assert!(nothing.is_empty() && same == start, "the token at the start comes back");
    let (head, next, _) = ground.get("s", two(Some(true))).await.unwrap();
    assert_eq!(head, ["a", "b"]);
    assert_eq!(ground.get("s", token(&next)).await.unwrap().0, ["c", "d"]);
    let (nothing, same, _) = ground.get("s", token(&forward)).await.unwrap();
    assert!(nothing.is_empty() && same == forward, "the token at the end comes back");
}

#[tokio::test]
async fn following_a_stream_loses_and_repeats_nothing_even_of_late_events() {
    let ground = Ground::with_streams(&["s"]).await;
    let mut all = Vec::new();
    let (_, mut next, _) = ground.get("s", GetLogEventsInput { start_from_head: Some(true), ..input() }).await.unwrap();
    for round in 0..20_i64 {
        let message = round.to_string();
        ground.put("s", &[(-round * 1_000, &message)]).await.unwrap();
        let (messages, forward, _) = ground.get("s", token(&next)).await.unwrap();
        all.extend(messages);
        next = forward;
    }
    assert_eq!(all, (0..20).map(|round| round.to_string()).collect::<Vec<_>>());
    let (sorted, _, _) = ground.get("s", input()).await.unwrap();
    assert_eq!(sorted.first().map(String::as_str), Some("19"), "within a page, events are in the order of time");
}

#[tokio::test]
async fn times_bound_a_page() {
    let ground = Ground::with_streams(&["s"]).await;
    ground.put("s", &[(1, "a"), (2, "b"), (3, "c"), (4, "d")]).await.unwrap();
    let bound = GetLogEventsInput { start_time: Some(NOW + 2), end_time: Some(NOW + 4), ..input() };
    assert_eq!(ground.get("s", bound).await.unwrap().0, ["b", "c"]);
    let wrong = GetLogEventsInput { start_time: Some(2), end_time: Some(1), ..input() };
    assert_eq!(ground.get("s", wrong).await.unwrap_err().code, "InvalidParameterException");
}

#[tokio::test]
async fn a_page_has_at_most_a_mebibyte() {
    let ground = Ground::with_streams(&["s"]).await;
    let large = "x".repeat(262_144);
    for _ in 0..2 {
        ground.put("s", &[(0, &large), (0, &large), (0, &large)]).await.unwrap();
    }
    let head = GetLogEventsInput { start_from_head: Some(true), ..input() };
    let (first, next, _) = ground.get("s", head).await.unwrap();
    assert_eq!(first.len(), 3);
    assert_eq!(ground.get("s", token(&next)).await.unwrap().0.len(), 3);
}

#[tokio::test]
async fn tokens_are_for_their_stream_alone() {
    let ground = Ground::with_streams(&["s", "t"]).await;
    ground.put("s", &[(0, "a")]).await.unwrap();
    let (_, forward, _) = ground.get("s", input()).await.unwrap();
    let beyond = forward.replace("f/00000000000000000001", "f/00000000000000000002");
    for (stream, text) in [("t", forward.as_str()), ("s", &beyond), ("s", "f/x"), ("s", "anything")] {
        let error = ground.get(stream, token(text)).await.unwrap_err();
        assert_eq!(error.message, "The specified nextToken is invalid.", "{text}");
    }
}
