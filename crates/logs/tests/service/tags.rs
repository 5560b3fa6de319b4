use crate::ground::{Ground, caller};
use aws::Error;
use aws::logs::*;
use std::collections::BTreeMap;

const ARN: &str = "arn:aws:logs:eu-west-1:111111111111:log-group:g";

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn tag(ground: &Ground, arn: &str, pairs: &[(&str, &str)]) -> Result<TagResourceOutput, Error> {
    let input = TagResourceInput { resource_arn: Some(arn.into()), tags: Some(tags(pairs)) };
    ground.service.tag_resource(&caller(), input).await
}

async fn listed(ground: &Ground) -> BTreeMap<String, String> {
    let input = ListTagsForResourceInput { resource_arn: Some(ARN.into()) };
    ground.service.list_tags_for_resource(&caller(), input).await.unwrap().tags.unwrap()
}

#[tokio::test]
async fn tags_come_and_go_by_arn_and_by_name() {
    let ground = Ground::with_streams(&[]).await;
    tag(&ground, ARN, &[("a", "1"), ("b", "2")]).await.unwrap();
    let by_name = TagLogGroupInput { log_group_name: Some("g".into()), tags: Some(tags(&[("b", "3"), ("c", "4")])) };
    ground.service.tag_log_group(&caller(), by_name).await.unwrap();
    assert_eq!(listed(&ground).await, tags(&[("a", "1"), ("b", "3"), ("c", "4")]));
    let keys = |keys: &[&str]| Some(keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
    let untag = UntagResourceInput { resource_arn: Some(format!("{ARN}:*")), tag_keys: keys(&["a", "absent"]) };
    ground.service.untag_resource(&caller(), untag).await.unwrap();
    let untag = UntagLogGroupInput { log_group_name: Some("g".into()), tags: keys(&["c"]) };
    ground.service.untag_log_group(&caller(), untag).await.unwrap();
    let list = ListTagsLogGroupInput { log_group_name: Some("g".into()) };
    let by_name = ground.service.list_tags_log_group(&caller(), list).await.unwrap().tags.unwrap();
    assert_eq!((by_name, listed(&ground).await), (tags(&[("b", "3")]), tags(&[("b", "3")])));
}

#[tokio::test]
async fn what_cannot_be_tagged_is_said() {
    let ground = Ground::with_streams(&[]).await;
    let many: Vec<String> = (0..49).map(|number| number.to_string()).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "")).collect();
    tag(&ground, ARN, &many).await.unwrap();
    for (arn, pairs, code) in [
        (ARN, &[("one", ""), ("two", "")][..], "TooManyTagsException"),
        (ARN, &[("aws:mine", "")], "InvalidParameterException"),
        ("g", &[("a", "")], "InvalidParameterException"),
        ("arn:aws:logs:eu-west-1:111111111111:log-group:h", &[("a", "")], "ResourceNotFoundException"),
        ("arn:aws:logs:eu-west-1:222222222222:log-group:g", &[("a", "")], "ResourceNotFoundException"),
        ("arn:aws:logs:eu-west-1:111111111111:destination:d", &[("a", "")], "ResourceNotFoundException"),
    ] {
        assert_eq!(tag(&ground, arn, pairs).await.unwrap_err().code, code, "{arn} {pairs:?}");
    }
    assert_eq!(listed(&ground).await.len(), 49);
}
