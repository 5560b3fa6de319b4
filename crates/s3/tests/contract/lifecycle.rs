use crate::house::{BUCKET, House};
use aws::s3::{
    CreateMultipartUpload, Lifecycle, LifecycleExpiry, LifecycleFilter, LifecycleRule, ListMultipartUploads,
    ListObjectVersions, NoncurrentExpiry, PutObject, S3, Setting, SettingKind, Settings, Tags,
};
use kernel::Stop;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn rule() -> LifecycleRule {
    LifecycleRule { id: "r".to_owned(), enabled: true, ..LifecycleRule::default() }
}

fn in_days(days: u32, prefix: &str) -> LifecycleRule {
    let filter = LifecycleFilter { prefix: Some(prefix.to_owned()), ..LifecycleFilter::default() };
    LifecycleRule { expiration: Some(LifecycleExpiry::Days(days)), filter, ..rule() }
}

async fn set(house: &House, rules: Vec<LifecycleRule>) {
    let setting = Setting::Lifecycle(Lifecycle { rules });
    house.s3.put_bucket_setting(&house.caller, BUCKET, setting).await.unwrap();
}

/// Each version's key, or the key with `#` for a delete marker; in the order of the listing.
async fn listed(house: &House) -> Vec<String> {
    let input = ListObjectVersions { bucket: BUCKET.to_owned(), ..ListObjectVersions::default() };
    let page = house.s3.list_object_versions(&house.caller, input).await.unwrap();
    page.versions
        .into_iter()
        .map(|one| if one.delete_marker { format!("{}#", one.meta.key) } else { one.meta.key })
        .collect()
}

/// Runs the reconcilers until the versions are these.
async fn becomes(house: &House, expected: &[&str]) {
    let stop = Stop::new();
    let running = tokio::spawn(Arc::clone(&house.s3).run(stop.clone()));
    let mut found = Vec::new();
    for _ in 0..3_000 {
        found = listed(house).await;
        if found == expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.trigger();
    running.await.unwrap();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn objects_go_after_their_days_by_prefix_and_tag() {
    let house = House::open().await;
    for key in ["logs/a", "logs/b", "other"] {
        house.put(key, "x").await;
    }
    let tagged =
        PutObject { tags: Tags::from([("keep".into(), "no".into())]), ..PutObject::new(BUCKET, "tagged", "x") };
    house.s3.put_object(&house.caller, tagged).await.unwrap();
    let filter = LifecycleFilter { tags: Tags::from([("keep".into(), "no".into())]), ..LifecycleFilter::default() };
    let by_tag = LifecycleRule { id: "t".into(), filter, ..in_days(10, "") };
    set(&house, vec![in_days(2, "logs/"), by_tag]).await;
    becomes(&house, &["logs/a", "logs/b", "other", "tagged"]).await;
    house.clock.advance(3 * DAY);
    becomes(&house, &["other", "tagged"]).await;
    house.clock.advance(8 * DAY);
    becomes(&house, &["other"]).await;
    house.run_until(|| house.blobs() == 1).await;
}

#[tokio::test]
async fn a_versioned_object_is_hidden_then_forgotten_and_its_marker_too() {
    let house = House::versioned().await;
    house.put("k", "one").await;
    house.put("k", "two").await;
    let noncurrent = Some(NoncurrentExpiry { days: 3, keep: None });
    set(&house, vec![LifecycleRule { noncurrent, ..in_days(5, "") }]).await;
    house.clock.advance(4 * DAY);
    becomes(&house, &["k"]).await;
    assert_eq!(house.read("k").await.unwrap(), "two");
    house.clock.advance(2 * DAY);
    becomes(&house, &["k#", "k"]).await;
    house.clock.advance(4 * DAY);
    becomes(&house, &["k#"]).await;
    house.clock.advance(3 * DAY);
    becomes(&house, &[]).await;
}

#[tokio::test]
async fn the_newest_that_are_not_current_may_stay() {
    let house = House::versioned().await;
    for content in ["1", "2", "3", "4"] {
        house.put("k", content).await;
    }
    let noncurrent = Some(NoncurrentExpiry { days: 1, keep: Some(2) });
    set(&house, vec![LifecycleRule { noncurrent, ..rule() }]).await;
    house.clock.advance(3 * DAY);
    becomes(&house, &["k", "k", "k"]).await;
}

#[tokio::test]
async fn uploads_that_nobody_completes_go() {
    let house = House::open().await;
    let create = CreateMultipartUpload { bucket: BUCKET.to_owned(), key: "k".to_owned(), ..Default::default() };
    house.s3.create_multipart_upload(&house.caller, create).await.unwrap();
    house.put("witness", "x").await;
    set(&house, vec![LifecycleRule { abort_uploads_after: Some(7), ..in_days(7, "") }]).await;
    house.clock.advance(9 * DAY);
    becomes(&house, &[]).await;
    let open = ListMultipartUploads { bucket: BUCKET.to_owned(), ..ListMultipartUploads::default() };
    assert!(house.s3.list_multipart_uploads(&house.caller, open).await.unwrap().uploads.is_empty());
}

#[tokio::test]
async fn rules_that_are_gone_do_nothing_more() {
    let house = House::open().await;
    house.put("k", "x").await;
    set(&house, vec![in_days(1, "")]).await;
    house.s3.delete_bucket_setting(&house.caller, BUCKET, SettingKind::Lifecycle).await.unwrap();
    house.clock.advance(9 * DAY);
    becomes(&house, &["k"]).await;
}

#[tokio::test]
async fn a_walk_of_several_pages_sees_every_key() {
    let house = House::open().await;
    for number in 0..1_100 {
        house.put(&format!("k{number:04}"), "").await;
    }
    set(&house, vec![in_days(1, "")]).await;
    house.clock.advance(3 * DAY);
    becomes(&house, &[]).await;
}

#[tokio::test]
async fn the_bus_hears_that_it_was_the_lifecycle() {
    let house = House::open().await;
    house.put("k", "x").await;
    let mut events = house.documents().bus().subscribe("test.lifecycle").await.unwrap();
    set(&house, vec![in_days(1, "")]).await;
    house.clock.advance(3 * DAY);
    becomes(&house, &[]).await;
    let told = events.next_batch(10).await.unwrap();
    assert_eq!(told[0].event.detail["reason"], "Lifecycle Expiration");
    assert_eq!(told[0].event.detail["deletion-type"], "Permanently Deleted");
}
