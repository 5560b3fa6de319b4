use crate::house::{BUCKET, House};
use aws::s3::{DeleteObject, S3, Versioning};

#[tokio::test]
async fn changes_are_told_in_the_shape_of_eventbridge() {
    let house = House::open().await;
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
