use crate::house::{BUCKET, House, code};
use aws::s3::{CreateBucket, CreateMultipartUpload, DeleteObject, GetObject, ListBuckets, PutObject, S3, Versioning};
use kernel::{Caller, Scope};

fn named(bucket: &str) -> CreateBucket {
    CreateBucket { bucket: bucket.to_owned(), ..CreateBucket::default() }
}

#[tokio::test]
async fn names_are_shared_by_all_accounts() {
    let house = House::open().await;
    let other = Caller::root(&Scope::new("222222222222", "us-east-1"), "r");
    assert_eq!(code(house.s3.create_bucket(&house.caller, named(BUCKET)).await), "BucketAlreadyOwnedByYou");
    assert_eq!(code(house.s3.create_bucket(&other, named(BUCKET)).await), "BucketAlreadyExists");
    assert_eq!(code(house.s3.create_bucket(&other, named("No")).await), "InvalidBucketName");
    assert_eq!(code(house.s3.head_bucket(&other, BUCKET).await), "AccessDenied");
    assert_eq!(code(house.s3.get_object(&other, GetObject::new(BUCKET, "k")).await), "AccessDenied");
    assert_eq!(code(house.s3.put_object(&other, PutObject::new(BUCKET, "k", "x")).await), "AccessDenied");
}

#[tokio::test]
async fn a_bucket_knows_its_region_and_owner() {
    let house = House::open().await;
    let bucket = house.s3.head_bucket(&house.caller, BUCKET).await.unwrap();
    assert_eq!((bucket.region.as_str(), bucket.account.as_str()), ("eu-west-1", "111111111111"));
    assert_eq!(house.s3.get_bucket_location(&house.caller, BUCKET).await.unwrap(), "eu-west-1");
    assert_eq!(code(house.s3.head_bucket(&house.caller, "none").await), "NoSuchBucket");
}

#[tokio::test]
async fn an_account_lists_its_own_by_pages() {
    let house = House::open().await;
    for name in ["alpha", "beta", "beta-2"] {
        house.s3.create_bucket(&house.caller, named(name)).await.unwrap();
    }
    let other = Caller::root(&Scope::new("222222222222", "us-east-1"), "r");
    house.s3.create_bucket(&other, named("foreign")).await.unwrap();
    let mut names = Vec::new();
    let mut input = ListBuckets { limit: Some(3), ..ListBuckets::default() };
    loop {
        let page = house.s3.list_buckets(&house.caller, input.clone()).await.unwrap();
        assert!(page.buckets.len() <= 3);
        names.extend(page.buckets.into_iter().map(|bucket| bucket.name));
        input.after = page.next;
        if input.after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["alpha", "beta", "beta-2", "house"]);
    let input = ListBuckets { prefix: Some("beta".to_owned()), ..ListBuckets::default() };
    assert_eq!(house.s3.list_buckets(&house.caller, input).await.unwrap().buckets.len(), 2);
}

#[tokio::test]
async fn only_an_empty_bucket_is_deleted() {
    let house = House::open().await;
    house.put("k", "x").await;
    assert_eq!(code(house.s3.delete_bucket(&house.caller, BUCKET).await), "BucketNotEmpty");
    house.put("k", "still writable").await;
    let delete = DeleteObject { bucket: BUCKET.to_owned(), key: "k".to_owned(), ..DeleteObject::default() };
    house.s3.delete_object(&house.caller, delete).await.unwrap();
    let upload = CreateMultipartUpload { bucket: BUCKET.to_owned(), key: "u".to_owned(), ..Default::default() };
    house.s3.create_multipart_upload(&house.caller, upload).await.unwrap();
    house.s3.delete_bucket(&house.caller, BUCKET).await.unwrap();
    assert_eq!(code(house.s3.head_bucket(&house.caller, BUCKET).await), "NoSuchBucket");
    house.s3.create_bucket(&house.caller, named(BUCKET)).await.unwrap();
}

#[tokio::test]
async fn versioning_is_switched_on_and_suspended_but_never_undone() {
    let house = House::open().await;
    let state = async || house.s3.get_bucket_versioning(&house.caller, BUCKET).await.unwrap();
    assert_eq!(state().await, Versioning::Unversioned);
    house.set(Versioning::Enabled).await;
    house.set(Versioning::Suspended).await;
    assert_eq!(state().await, Versioning::Suspended);
    let undo = house.s3.put_bucket_versioning(&house.caller, BUCKET, Versioning::Unversioned).await;
    assert_eq!(code(undo), "InvalidArgument");
}
