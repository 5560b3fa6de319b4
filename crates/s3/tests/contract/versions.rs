use crate::house::{BUCKET, House, code};
use aws::s3::{
    CopyObject, DeleteObject, DeleteObjectOutput, DeleteObjects, GetObject, ListObjectVersions, ObjectIdentifier, S3,
    VersionPage, Versioning,
};

fn version(id: &str) -> GetObject {
    GetObject::new(BUCKET, "k").version(Some(id.to_owned()))
}

async fn delete(house: &House, id: Option<&str>) -> DeleteObjectOutput {
    let version_id = id.map(str::to_owned);
    let input = DeleteObject { bucket: BUCKET.to_owned(), key: "k".to_owned(), version_id, if_match: None };
    house.s3.delete_object(&house.caller, input).await.unwrap()
}

async fn list(house: &House, input: ListObjectVersions) -> VersionPage {
    let input = ListObjectVersions { bucket: BUCKET.to_owned(), ..input };
    house.s3.list_object_versions(&house.caller, input).await.unwrap()
}

#[tokio::test]
async fn every_version_stays_readable() {
    let house = House::open().await;
    house.put("k", "before").await;
    house.set(Versioning::Enabled).await;
    let one = house.put("k", "one").await.version_id.unwrap();
    let two = house.put("k", "two").await.version_id.unwrap();
    assert_eq!(house.get(version("null")).await.unwrap(), "before");
    assert_eq!(house.get(version(&one)).await.unwrap(), "one");
    assert_eq!(house.get(version(&two)).await.unwrap(), "two");
    assert_eq!(house.read("k").await.unwrap(), "two");
    assert_eq!(house.get(version("nonsense")).await.unwrap_err(), "InvalidArgument");
    assert_eq!(house.get(version(&one.replace(&one[20..], &"x".repeat(12)))).await.unwrap_err(), "NoSuchVersion");
}

#[tokio::test]
async fn a_delete_hides_and_its_removal_brings_back() {
    let house = House::versioned().await;
    house.put("k", "x").await;
    let marker = delete(&house, None).await;
    assert!(marker.delete_marker);
    let id = marker.version_id.unwrap();
    let hidden = house.s3.head_object(&house.caller, GetObject::new(BUCKET, "k")).await.unwrap_err();
    assert!(hidden.is("NoSuchKey") && hidden.members.contains_key("DeleteMarker"));
    assert_eq!(house.get(version(&id)).await.unwrap_err(), "MethodNotAllowed");
    assert_eq!(delete(&house, Some(&id)).await, DeleteObjectOutput { version_id: Some(id), delete_marker: true });
    assert_eq!(house.read("k").await.unwrap(), "x");
}

#[tokio::test]
async fn versions_are_deleted_for_good_one_by_one() {
    let house = House::versioned().await;
    let one = house.put("k", "one").await.version_id.unwrap();
    let two = house.put("k", "two").await.version_id.unwrap();
    let three = house.put("k", "three").await.version_id.unwrap();
    delete(&house, Some(&two)).await;
    assert_eq!(house.get(version(&two)).await.unwrap_err(), "NoSuchVersion");
    delete(&house, Some(&three)).await;
    assert_eq!(house.read("k").await.unwrap(), "one");
    delete(&house, Some(&one)).await;
    delete(&house, Some(&one)).await;
    assert_eq!(house.read("k").await.unwrap_err(), "NoSuchKey");
    assert!(list(&house, ListObjectVersions::default()).await.versions.is_empty());
    house.s3.delete_bucket(&house.caller, BUCKET).await.unwrap();
}

#[tokio::test]
async fn suspended_writes_replace_the_null_version() {
    let house = House::versioned().await;
    let one = house.put("k", "one").await.version_id.unwrap();
    house.set(Versioning::Suspended).await;
    assert_eq!(house.put("k", "null one").await.version_id, None);
    assert_eq!(house.put("k", "null two").await.version_id, None);
    assert_eq!(house.get(version("null")).await.unwrap(), "null two");
    let marker = delete(&house, None).await;
    assert_eq!(marker, DeleteObjectOutput { version_id: Some("null".to_owned()), delete_marker: true });
    assert_eq!(house.get(version("null")).await.unwrap_err(), "MethodNotAllowed");
    assert_eq!(house.get(version(&one)).await.unwrap(), "one");
    let ids: Vec<_> = list(&house, ListObjectVersions::default()).await.versions;
    assert_eq!(ids.len(), 2);
    assert!(ids[0].is_latest && ids[0].delete_marker && !ids[1].is_latest);
}

#[tokio::test]
async fn an_old_version_is_restored_by_a_copy() {
    let house = House::versioned().await;
    let one = house.put("k", "one").await.version_id;
    house.put("k", "two").await;
    let copy = CopyObject {
        source_bucket: BUCKET.to_owned(),
        source_key: "k".to_owned(),
        source_version_id: one.clone(),
        bucket: BUCKET.to_owned(),
        key: "k".to_owned(),
        ..CopyObject::default()
    };
    let copied = house.s3.copy_object(&house.caller, copy).await.unwrap();
    assert_eq!(copied.source_version_id, one);
    assert_ne!(copied.version_id, one);
    assert_eq!(house.read("k").await.unwrap(), "one");
}

/// Pages of any size give the same list as one page.
#[tokio::test]
async fn versions_are_listed_by_key_and_newest_first() {
    let house = House::versioned().await;
    for key in ["a", "a!", "b/1", "b/2", "c"] {
        for _ in 0..3 {
            house.put(key, "x").await;
        }
    }
    let whole = list(&house, ListObjectVersions::default()).await;
    assert_eq!(whole.versions.len(), 15);
    assert!(whole.versions.is_sorted_by(|one, two| one.meta.key <= two.meta.key));
    assert_eq!(whole.versions.iter().filter(|listed| listed.is_latest).count(), 5);
    for limit in [1, 2, 4, 14] {
        let mut seen = Vec::new();
        let mut input = ListObjectVersions { limit: Some(limit), ..ListObjectVersions::default() };
        loop {
            let page = list(&house, input.clone()).await;
            assert!(page.versions.len() <= limit);
            seen.extend(page.versions);
            input.from = page.next;
            if input.from.is_none() {
                break;
            }
        }
        assert_eq!(seen, whole.versions, "pages of {limit}");
    }
    let input = ListObjectVersions { delimiter: "/".to_owned(), ..ListObjectVersions::default() };
    let rolled = list(&house, input).await;
    assert_eq!((rolled.versions.len(), rolled.common_prefixes), (9, vec!["b/".to_owned()]));
}

#[tokio::test]
async fn many_are_deleted_each_by_itself() {
    let house = House::versioned().await;
    let one = house.put("k", "one").await.version_id;
    let name =
        |key: &str, version_id: Option<String>| ObjectIdentifier { key: key.to_owned(), version_id, if_match: None };
    let objects = vec![name("k", one), name("none", None), name("", None)];
    let input = DeleteObjects { bucket: BUCKET.to_owned(), objects };
    let output = house.s3.delete_objects(&house.caller, input).await.unwrap();
    assert_eq!(output.deleted.len(), 2);
    assert!(output.deleted[1].output.delete_marker);
    assert_eq!(output.failed.len(), 1);
    let many = DeleteObjects { bucket: BUCKET.to_owned(), objects: vec![name("k", None); 1001] };
    assert_eq!(code(house.s3.delete_objects(&house.caller, many).await), "MalformedXML");
}
