use crate::house::{BUCKET, House, MIB, code};
use aws::s3::{
    ChecksumAlgorithm, CompleteMultipartUpload, CompletedPart, CopyObject, CreateMultipartUpload, DeleteObject,
    GetObject, ObjectVersion, PutObject, S3, Settings, Tags, UploadPart,
};

fn tags(value: &str) -> Tags {
    Tags::from([("tag".to_owned(), value.to_owned())])
}

fn named(key: &str, version_id: Option<String>) -> ObjectVersion {
    ObjectVersion { bucket: BUCKET.to_owned(), key: key.to_owned(), version_id }
}

async fn put(house: &House, key: &str, value: &str) -> Option<String> {
    let input = PutObject { tags: tags(value), ..PutObject::new(BUCKET, key, "x") };
    house.s3.put_object(&house.caller, input).await.unwrap().version_id
}

async fn found(house: &House, key: &str, version_id: Option<String>) -> Result<Tags, aws::Error> {
    house.s3.get_object_tagging(&house.caller, &named(key, version_id)).await.map(|(tags, _)| tags)
}

#[tokio::test]
async fn each_version_has_tags_of_its_own() {
    let house = House::versioned().await;
    let first = put(&house, "k", "1").await;
    let second = put(&house, "k", "2").await;
    assert_eq!(found(&house, "k", None).await.unwrap(), tags("2"));
    let (caller, old) = (&house.caller, named("k", first.clone()));
    assert_eq!(house.s3.put_object_tagging(caller, &old, tags("old")).await.unwrap(), first);
    assert_eq!(found(&house, "k", first.clone()).await.unwrap(), tags("old"));
    assert_eq!(found(&house, "k", second).await.unwrap(), tags("2"));
    house.s3.put_object_tagging(caller, &old, Tags::new()).await.unwrap();
    assert_eq!(found(&house, "k", first).await.unwrap(), Tags::new());
    let meta = house.s3.head_object(caller, GetObject::new(BUCKET, "k")).await.unwrap();
    assert_eq!(meta.tag_count, 1);
}

#[tokio::test]
async fn what_is_not_there_has_no_tags() {
    let house = House::versioned().await;
    assert_eq!(code(found(&house, "none", None).await), "NoSuchKey");
    put(&house, "k", "1").await;
    assert_eq!(code(found(&house, "k", Some("0".repeat(32))).await), "NoSuchVersion");
    let delete = DeleteObject { bucket: BUCKET.to_owned(), key: "k".to_owned(), ..DeleteObject::default() };
    let marker = house.s3.delete_object(&house.caller, delete).await.unwrap().version_id;
    let retag = |version_id| house.s3.put_object_tagging(&house.caller, named("k", version_id).leak(), tags("x"));
    assert_eq!(code(retag(None).await), "NoSuchKey");
    assert_eq!(code(retag(marker).await), "MethodNotAllowed");
    let too_many = (0..11).map(|n| (n.to_string(), String::new())).collect();
    let refused = house.s3.put_object_tagging(&house.caller, &named("k", None), too_many).await;
    assert_eq!(code(refused), "BadRequest");
}

/// Lends a name to a future that is made in a closure.
trait Leak {
    fn leak(self) -> &'static ObjectVersion;
}

impl Leak for ObjectVersion {
    fn leak(self) -> &'static ObjectVersion {
        Box::leak(Box::new(self))
    }
}

#[tokio::test]
async fn copies_keep_tags_or_get_others() {
    let house = House::open().await;
    put(&house, "from", "1").await;
    let copy = |key: &str, replace_tags| CopyObject {
        source_bucket: BUCKET.to_owned(),
        source_key: "from".to_owned(),
        bucket: BUCKET.to_owned(),
        key: key.to_owned(),
        replace_tags,
        ..CopyObject::default()
    };
    house.s3.copy_object(&house.caller, copy("same", None)).await.unwrap();
    assert_eq!(found(&house, "same", None).await.unwrap(), tags("1"));
    house.s3.copy_object(&house.caller, copy("other", Some(tags("2")))).await.unwrap();
    assert_eq!(found(&house, "other", None).await.unwrap(), tags("2"));
}

#[tokio::test]
async fn an_upload_in_parts_keeps_its_tags_and_its_parts_checksums() {
    let house = House::open().await;
    let create = CreateMultipartUpload {
        bucket: BUCKET.to_owned(),
        key: "k".to_owned(),
        tags: tags("1"),
        checksum_algorithm: Some(ChecksumAlgorithm::Sha256),
        ..CreateMultipartUpload::default()
    };
    let upload_id = house.s3.create_multipart_upload(&house.caller, create).await.unwrap().upload_id;
    let mut parts = Vec::new();
    for (part_number, size) in [(1, 5 * MIB), (2, 3)] {
        let (bucket, key, upload_id) = (BUCKET.to_owned(), "k".to_owned(), upload_id.clone());
        let body = vec![b'x'; size].into();
        let part = UploadPart { bucket, key, upload_id, part_number, body, ..UploadPart::default() };
        let etag = house.s3.upload_part(&house.caller, part).await.unwrap().etag;
        parts.push(CompletedPart { part_number, etag, checksum: None });
    }
    let (bucket, key) = (BUCKET.to_owned(), "k".to_owned());
    let complete = CompleteMultipartUpload { bucket, key, upload_id, parts, ..CompleteMultipartUpload::default() };
    house.s3.complete_multipart_upload(&house.caller, complete).await.unwrap();
    assert_eq!(found(&house, "k", None).await.unwrap(), tags("1"));
    let known = house.s3.get_object_attributes(&house.caller, &named("k", None)).await.unwrap();
    let sizes: Vec<u64> = known.parts.iter().map(|part| part.size).collect();
    assert_eq!(sizes, [5 * MIB as u64, 3]);
    let algorithms = known.parts.iter().map(|part| part.checksum.as_ref().map(|(algorithm, _)| *algorithm));
    assert!(algorithms.into_iter().all(|algorithm| algorithm == Some(ChecksumAlgorithm::Sha256)));
}
