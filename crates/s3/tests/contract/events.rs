use crate::house::{BUCKET, House};
use aws::s3::{DeleteObject, Notifications, ObjectVersion, S3, Setting, Settings, Tags, Versioning};

#[tokio::test]
async fn changes_are_told_in_the_shape_of_eventbridge() {
    let house = House::open().await;
    announce(&house, true).await;
    let mut events = house.documents().bus().subscribe("test.events").await.unwrap();
    house.put("a/k", "hello").await;
    house.set(Versioning::Enabled).await;
    let delete = DeleteObject { bucket: BUCKET.to_owned(), key: "a/k".to_owned(), ..DeleteObject::default() };
    let marker = house.s3.delete_object(&house.caller, delete.clone()).await.unwrap();
    let forgotten = DeleteObject { version_id: Some("null".to_owned()), ..delete };
    house.s3.delete_object(&house.caller, forgotten).await.unwrap();
    let delivered = events.next_batch(10).await.unwrap();
    let told: Vec<_> = delivered.into_iter().map(|one| one.event).collect();
    assert_eq!(told.len(), 3);
    assert_eq!((told[0].source.as_str(), told[0].detail_type.as_str()), ("aws.s3", "Object Created"));
    assert_eq!((told[0].account.as_str(), told[0].region.as_str()), ("111111111111", "eu-west-1"));
    assert_eq!(told[0].resources, ["arn:aws:s3:::house"]);
    assert_eq!(told[0].detail["bucket"]["name"], "house");
    assert_eq!(told[0].detail["object"]["key"], "a/k");
    assert_eq!(told[0].detail["object"]["size"], 5);
    assert_eq!(told[0].detail["reason"], "PutObject");
    assert_eq!(told[1].detail_type, "Object Deleted");
    assert_eq!(told[1].detail["deletion-type"], "Delete Marker Created");
    assert_eq!(told[1].detail["object"]["version-id"], marker.version_id.unwrap());
    assert_eq!(told[2].detail["deletion-type"], "Permanently Deleted");
}

/// Whether changes are told to EventBridge.
async fn announce(house: &House, eventbridge: bool) {
    let setting = Setting::Notification(Notifications { eventbridge, ..Notifications::default() });
    house.s3.put_bucket_setting(&house.caller, BUCKET, setting).await.unwrap();
}

#[tokio::test]
async fn only_buckets_that_tell_eventbridge_are_a_source_of_aws() {
    let house = House::open().await;
    let mut events = house.documents().bus().subscribe("test.events").await.unwrap();
    house.put("k", "before").await;
    announce(&house, true).await;
    house.put("k", "told").await;
    announce(&house, false).await;
    house.put("k", "after").await;
    let told = events.next_batch(10).await.unwrap();
    let sources: Vec<_> = told.iter().map(|one| one.event.source.as_str()).collect();
    assert_eq!(sources, ["landfall.s3", "aws.s3", "landfall.s3"]);
}

#[tokio::test]
async fn tags_are_told_too() {
    let house = House::open().await;
    house.put("k", "x").await;
    let mut events = house.documents().bus().subscribe("test.events").await.unwrap();
    let object = ObjectVersion { bucket: BUCKET.to_owned(), key: "k".to_owned(), version_id: None };
    let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
    house.s3.put_object_tagging(&house.caller, &object, tags).await.unwrap();
    house.s3.put_object_tagging(&house.caller, &object, Tags::new()).await.unwrap();
    let told = events.next_batch(10).await.unwrap();
    let types: Vec<_> = told.iter().map(|one| one.event.detail_type.as_str()).collect();
    assert_eq!(types, ["Object Tags Added", "Object Tags Deleted"]);
}
