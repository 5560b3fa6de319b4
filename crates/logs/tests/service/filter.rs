use crate::ground::{Ground, NOW};
use aws::logs::FilterLogEventsInput;

fn input() -> FilterLogEventsInput {
    FilterLogEventsInput::default()
}

async fn ground() -> Ground {
    let ground = Ground::with_streams(&["a/1", "a/2", "b"]).await;
    ground.put("a/1", &[(1, "one ok"), (4, "four ERROR")]).await.unwrap();
    ground.put("a/2", &[(2, "two ERROR"), (5, "five ok")]).await.unwrap();
    ground.put("b", &[(3, "three ok"), (6, "six ERROR retry")]).await.unwrap();
    ground
}

#[tokio::test]
async fn streams_are_merged_by_time() {
    let ground = ground().await;
    let all = ["one ok", "two ERROR", "three ok", "four ERROR", "five ok", "six ERROR retry"];
    assert_eq!(ground.filter(input()).await.unwrap(), (all.map(str::to_owned).to_vec(), None));
    let mut paged = Vec::new();
    let mut next_token = None;
    loop {
        let (page, next) = ground.filter(FilterLogEventsInput { limit: Some(4), next_token, ..input() }).await.unwrap();
        assert!(page.len() <= 4);
        paged.extend(page);
        next_token = next;
        if next_token.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);
}

#[tokio::test]
async fn streams_times_and_terms_narrow_the_search() {
    let ground = ground().await;
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    for (input, expected) in [
        (
            FilterLogEventsInput { log_stream_name_prefix: Some("a/".into()), ..input() },
            vec!["one ok", "two ERROR", "four ERROR", "five ok"],
        ),
        (FilterLogEventsInput { log_stream_names: names(&["b"]), ..input() }, vec!["three ok", "six ERROR retry"]),
        (
            FilterLogEventsInput { start_time: Some(NOW + 2), end_time: Some(NOW + 3), ..input() },
            vec!["two ERROR", "three ok"],
        ),
        (
            FilterLogEventsInput { filter_pattern: Some("ERROR -retry".into()), ..input() },
            vec!["two ERROR", "four ERROR"],
        ),
        (FilterLogEventsInput { filter_pattern: Some("nowhere".into()), ..input() }, vec![]),
    ] {
        assert_eq!(ground.filter(input.clone()).await.unwrap().0, expected, "{input:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_searched_is_said() {
    let ground = ground().await;
    let both = FilterLogEventsInput {
        log_stream_names: Some(vec!["b".into()]),
        log_stream_name_prefix: Some("b".into()),
        ..input()
    };
    let missing = FilterLogEventsInput { log_stream_names: Some(vec!["z".into()]), ..input() };
    let mistake = FilterLogEventsInput { filter_pattern: Some("{ $.a = }".into()), ..input() };
    let early = FilterLogEventsInput { start_from_head: Some(false), start_time: Some(1_704_067_199_999), ..input() };
    let (_, token) = ground.filter(FilterLogEventsInput { limit: Some(1), ..input() }).await.unwrap();
    let foreign = FilterLogEventsInput { next_token: token, filter_pattern: Some("ok".into()), ..input() };
    for (input, code) in [
        (both, "InvalidParameterException"),
        (missing, "ResourceNotFoundException"),
        (mistake, "InvalidParameterException"),
        (early, "InvalidParameterException"),
        (foreign, "InvalidParameterException"),
    ] {
        assert_eq!(ground.filter(input).await.unwrap_err().code, code);
    }
}

#[tokio::test]
async fn events_that_arrive_between_pages_do_not_disturb_them() {
    let ground = ground().await;
    let (first, next_token) = ground.filter(FilterLogEventsInput { limit: Some(3), ..input() }).await.unwrap();
    ground.put("a/1", &[(2, "late"), (7, "seven")]).await.unwrap();
    let (second, end) = ground.filter(FilterLogEventsInput { next_token, ..input() }).await.unwrap();
    assert_eq!(first, ["one ok", "two ERROR", "three ok"]);
    assert_eq!(second, ["late", "four ERROR", "five ok", "six ERROR retry", "seven"]);
    assert_eq!(end, None);
}

#[tokio::test]
async fn the_latest_come_first_where_that_is_asked() {
    let ground = ground().await;
    let latest =
        FilterLogEventsInput { start_from_head: Some(false), start_time: Some(NOW), limit: Some(4), ..input() };
    let (first, next_token) = ground.filter(latest.clone()).await.unwrap();
    assert_eq!(first, ["six ERROR retry", "five ok", "four ERROR", "three ok"]);
    ground.put("a/1", &[(2, "late"), (7, "seven")]).await.unwrap();
    // The token keeps the direction, whatever is asked with it.
    let (second, end) =
        ground.filter(FilterLogEventsInput { next_token, start_from_head: None, ..latest }).await.unwrap();
    assert_eq!((second, end), (vec!["two ERROR".to_owned(), "one ok".to_owned()], None));
}

/// Two streams are written from all sides while one reads page by page.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn paging_beside_writers_loses_and_repeats_nothing() {
    let ground = std::sync::Arc::new(Ground::with_streams(&["a", "b"]).await);
    let written = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (ground, written) = (std::sync::Arc::clone(&ground), std::sync::Arc::clone(&written));
            tokio::spawn(async move {
                for number in 0..40_i64 {
                    let message = format!("{writer}-{number}");
                    // Late, early and equal times, as many writers have.
                    let time = (number * 7 + writer * 3) % 50;
                    ground.put(if writer % 2 == 0 { "a" } else { "b" }, &[(time, &message)]).await.unwrap();
                    written.lock().unwrap().push(message);
                }
            })
        })
        .collect();
    let mut round = 0;
    loop {
        let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let before = written.lock().unwrap().clone();
        let mut seen = std::collections::HashSet::new();
        let mut next_token = None;
        loop {
            let page = FilterLogEventsInput { limit: Some(7), next_token, ..input() };
            let (messages, next) = ground.filter(page).await.unwrap();
            for message in messages {
                assert!(seen.insert(message.clone()), "{message} came twice");
            }
            next_token = next;
            if next_token.is_none() {
                break;
            }
        }
        let lost: Vec<_> = before.iter().filter(|message| !seen.contains(*message)).collect();
        assert!(lost.is_empty(), "round {round} lost {lost:?}");
        round += 1;
        if done {
            assert_eq!(seen.len(), 160);
            break;
        }
    }
}
