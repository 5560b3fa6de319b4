use crate::ground::{Ground, NOW, caller};
use aws::logs::*;
use kernel::{Caller, Scope, Stop};
use std::sync::Arc;
use std::time::Duration;

async fn groups(ground: &Ground, input: DescribeLogGroupsInput) -> DescribeLogGroupsOutput {
    ground.service.describe_log_groups(&caller(), input).await.unwrap()
}

fn names(output: &DescribeLogGroupsOutput) -> Vec<&str> {
    output.log_groups.iter().flatten().filter_map(|group| group.log_group_name.as_deref()).collect()
}

#[tokio::test]
async fn groups_are_listed_by_prefix_part_and_identifier() {
    let ground = Ground::new();
    for name in ["/aws/codebuild/a", "/aws/codebuild/b", "/aws/lambda/a"] {
        ground.group(name).await.unwrap();
    }
    assert_eq!(ground.group("/aws/lambda/a").await.unwrap_err().code, "ResourceAlreadyExistsException");
    let input = DescribeLogGroupsInput::default;
    let by_prefix = DescribeLogGroupsInput { log_group_name_prefix: Some("/aws/codebuild/".into()), ..input() };
    assert_eq!(names(&groups(&ground, by_prefix).await), ["/aws/codebuild/a", "/aws/codebuild/b"]);
    let by_part = DescribeLogGroupsInput { log_group_name_pattern: Some("/a".into()), limit: Some(2), ..input() };
    let first = groups(&ground, by_part.clone()).await;
    assert_eq!(names(&first), ["/aws/codebuild/a", "/aws/codebuild/b"]);
    let next = groups(&ground, DescribeLogGroupsInput { next_token: first.next_token.clone(), ..by_part }).await;
    assert_eq!((names(&next), &next.next_token), (vec!["/aws/lambda/a"], &None));
    let arn = first.log_groups.unwrap()[0].arn.clone().unwrap();
    assert_eq!(arn, "arn:aws:logs:eu-west-1:111111111111:log-group:/aws/codebuild/a:*");
    let by_arn = DescribeLogGroupsInput { log_group_identifiers: Some(vec![arn, "missing".into()]), ..input() };
    assert_eq!(names(&groups(&ground, by_arn).await), ["/aws/codebuild/a"]);
}

#[tokio::test]
async fn groups_are_listed_by_parts_classes_and_tags() {
    let ground = Ground::new();
    for (name, class, tag) in
        [("/a/build", "STANDARD", "x"), ("/b/build", "INFREQUENT_ACCESS", "y"), ("/a/run", "STANDARD", "y")]
    {
        let input = CreateLogGroupInput {
            log_group_name: Some(name.into()),
            log_group_class: Some(class.into()),
            tags: Some([("team".to_owned(), tag.to_owned())].into()),
            ..Default::default()
        };
        ground.service.create_log_group(&caller(), input).await.unwrap();
    }
    let input = ListLogGroupsInput::default;
    let tagged = |values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Some(vec![TagFilter { key: Some("team".into()), values: Some(values) }])
    };
    for (input, names) in [
        (input(), &["/a/build", "/a/run", "/b/build"][..]),
        (ListLogGroupsInput { log_group_name_pattern: Some("^/a/|none".into()), ..input() }, &["/a/build", "/a/run"]),
        (ListLogGroupsInput { log_group_class: Some("ESSENTIALS".into()), ..input() }, &["/b/build"]),
        (ListLogGroupsInput { log_group_tags: tagged(&["y"]), ..input() }, &["/a/run", "/b/build"]),
        (ListLogGroupsInput { field_index_names: Some(vec!["f".into()]), ..input() }, &[]),
    ] {
        let mut found = Vec::new();
        let mut next_token = None;
        loop {
            let page = ListLogGroupsInput { limit: Some(1), next_token, ..input.clone() };
            let output = ground.service.list_log_groups(&caller(), page).await.unwrap();
            found.extend(output.log_groups.unwrap().into_iter().map(|group| group.log_group_name.unwrap()));
            next_token = output.next_token;
            if next_token.is_none() {
                break;
            }
        }
        assert_eq!(found, names);
    }
}

#[tokio::test]
async fn a_group_tells_how_many_bytes_it_stores() {
    let ground = Ground::with_streams(&["s", "t"]).await;
    let stored = async || groups(&ground, DescribeLogGroupsInput::default()).await.log_groups.unwrap()[0].stored_bytes;
    assert_eq!(stored().await, Some(0));
    ground.put("s", &[(0, "12345")]).await.unwrap();
    // A record has 24 bytes beside its message.
    assert_eq!(stored().await, Some(29));
    ground.put("t", &[(0, "1"), (0, "2")]).await.unwrap();
    ground.put("s", &[(0, "")]).await.unwrap();
    assert_eq!(stored().await, Some(29 + 50 + 24));
}

#[tokio::test]
async fn what_is_asked_for_and_not_served_is_refused() {
    let ground = Ground::new();
    let encrypted = CreateLogGroupInput {
        log_group_name: Some("g".into()),
        kms_key_id: Some("arn:aws:kms:eu-west-1:111111111111:key/k".into()),
        ..Default::default()
    };
    let error = ground.service.create_log_group(&caller(), encrypted).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
    assert!(error.message.contains("kmsKeyId"), "{error}");
}

#[tokio::test]
async fn accounts_and_regions_do_not_see_each_other() {
    let ground = Ground::with_streams(&["s"]).await;
    for scope in [Scope::new("222222222222", "eu-west-1"), Scope::new("111111111111", "us-east-1")] {
        let input = DescribeLogStreamsInput { log_group_name: Some("g".into()), ..Default::default() };
        let error = ground.service.describe_log_streams(&Caller::root(&scope, "r"), input).await.unwrap_err();
        assert_eq!(error.message, "The specified log group does not exist.");
    }
}

async fn streams(ground: &Ground, input: DescribeLogStreamsInput) -> Vec<LogStream> {
    let input = DescribeLogStreamsInput { log_group_name: Some("g".into()), ..input };
    ground.service.describe_log_streams(&caller(), input).await.unwrap().log_streams.unwrap()
}

#[tokio::test]
async fn streams_tell_their_first_and_last_event() {
    let ground = Ground::with_streams(&["a", "b", "c"]).await;
    ground.put("b", &[(-3_000, "one"), (-2_000, "two")]).await.unwrap();
    ground.put("a", &[(-1_000, "later")]).await.unwrap();
    ground.put("b", &[(500, "three")]).await.unwrap();
    let prefix = DescribeLogStreamsInput { log_stream_name_prefix: Some("b".into()), ..Default::default() };
    let b = streams(&ground, prefix).await.remove(0);
    assert_eq!((b.first_event_timestamp, b.last_event_timestamp), (Some(NOW - 3_000), Some(NOW + 500)));
    assert_eq!((b.last_ingestion_time, b.creation_time), (Some(NOW), Some(NOW)));
    let recent = DescribeLogStreamsInput {
        order_by: Some("LastEventTime".into()),
        descending: Some(true),
        ..Default::default()
    };
    let order: Vec<_> =
        streams(&ground, recent).await.into_iter().map(|stream| stream.log_stream_name.unwrap()).collect();
    assert_eq!(order, ["b", "c", "a"], "c has no event and counts from its creation, which is now");
}

#[tokio::test]
async fn what_is_deleted_is_gone_at_once_and_its_files_after_a_while() {
    let ground = Ground::with_streams(&["s", "t"]).await;
    ground.put("s", &[(0, "old")]).await.unwrap();
    ground.put("t", &[(0, "old")]).await.unwrap();
    let stop = Stop::new();
    let sweeper = tokio::spawn(Arc::clone(&ground.service).run(stop.clone()));
    let delete = DeleteLogStreamInput { log_group_name: Some("g".into()), log_stream_name: Some("s".into()) };
    ground.service.delete_log_stream(&caller(), delete).await.unwrap();
    assert_eq!(ground.put("s", &[(0, "x")]).await.unwrap_err().message, "The specified log stream does not exist.");
    ground.stream("s").await.unwrap();
    assert_eq!(ground.get("s", GetLogEventsInput::default()).await.unwrap().0, Vec::<String>::new());
    let delete = DeleteLogGroupInput { log_group_name: Some("g".into()) };
    ground.service.delete_log_group(&caller(), delete).await.unwrap();
    assert_eq!(ground.stream("u").await.unwrap_err().message, "The specified log group does not exist.");
    ground.group("g").await.unwrap();
    assert!(streams(&ground, DescribeLogStreamsInput::default()).await.is_empty());
    let files = || files_below(&ground.folder.path().join("logs"));
    assert_eq!(files(), 2);
    ground.clock.advance(Duration::from_secs(61));
    for _ in 0..200 {
        if files() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(files(), 0);
    stop.trigger();
    sweeper.await.unwrap();
}

/// How many files are below a folder.
pub(crate) fn files_below(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let count = |path: std::path::PathBuf| if path.is_dir() { files_below(&path) } else { 1 };
    entries.map(|entry| count(entry.unwrap().path())).sum()
}
