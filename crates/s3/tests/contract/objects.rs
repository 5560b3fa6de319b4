use crate::house::{BUCKET, House, MIB, code};
use aws::s3::{
    Body, ByteRange, ChecksumAlgorithm, CopyObject, DeleteObject, Expectation, Expected, GetObject, PutObject,
    ReadCondition, Replacement, S3, WriteCondition,
};
use futures::stream;
use std::collections::BTreeMap;
use std::io;

#[tokio::test]
async fn what_is_put_is_got_with_its_headers() {
    let house = House::open().await;
    let mut input = PutObject::new(BUCKET, "a/b ü", "hello");
    input.headers.content_type = Some("text/plain".to_owned());
    input.metadata = BTreeMap::from([("one".to_owned(), "1".to_owned())]);
    let stored = house.s3.put_object(&house.caller, input).await.unwrap();
    assert_eq!((stored.etag.as_str(), stored.size, stored.version_id), ("5d41402abc4b2a76b9719d911017c592", 5, None));
    let meta = house.s3.head_object(&house.caller, GetObject::new(BUCKET, "a/b ü")).await.unwrap();
    assert_eq!(meta.headers.content_type.as_deref(), Some("text/plain"));
    assert_eq!(meta.metadata["one"], "1");
    assert_eq!(meta.checksum.unwrap().algorithm, ChecksumAlgorithm::Crc64Nvme);
    assert_eq!(house.read("a/b ü").await.unwrap(), "hello");
    assert_eq!(house.read("a/b").await.unwrap_err(), "NoSuchKey");
}

#[tokio::test]
async fn an_empty_object_is_an_object() {
    let house = House::open().await;
    let stored = house.put("empty", Body::empty()).await;
    assert_eq!(stored.etag, "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(house.read("empty").await.unwrap(), "");
    house.put("empty chunk", Body::from_stream(stream::iter([Ok(bytes::Bytes::new())]), None)).await;
    assert_eq!(house.blobs(), 0);
}

#[tokio::test]
async fn a_range_is_a_cut() {
    let house = House::open().await;
    house.put("k", "0123456789").await;
    let table = [
        (ByteRange::Between(2, 4), Ok("234"), Some((2, 4))),
        (ByteRange::From(8), Ok("89"), Some((8, 9))),
        (ByteRange::Last(3), Ok("789"), Some((7, 9))),
        (ByteRange::From(10), Err("InvalidRange"), None),
    ];
    for (range, expected, place) in table {
        let input = GetObject { range: Some(range), ..GetObject::new(BUCKET, "k") };
        let meta = house.s3.head_object(&house.caller, input.clone()).await.ok();
        assert_eq!(meta.and_then(|meta| meta.range), place);
        assert_eq!(house.get(input).await, expected.map(str::to_owned).map_err(str::to_owned));
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_leaves_nothing() {
    let house = House::open().await;
    let wrong = Expected { algorithm: ChecksumAlgorithm::Crc32, value: Expectation::Value("AAAAAA==".to_owned()) };
    let input = PutObject { checksums: vec![wrong], ..PutObject::new(BUCKET, "k", "x") };
    assert_eq!(code(house.s3.put_object(&house.caller, input).await), "BadDigest");
    let input = PutObject { sha256: Some("00".repeat(32)), ..PutObject::new(BUCKET, "k", "x") };
    assert_eq!(code(house.s3.put_object(&house.caller, input).await), "XAmzContentSHA256Mismatch");
    let short = Body::from_stream(stream::iter([Ok("x".into())]), Some(2));
    assert_eq!(code(house.s3.put_object(&house.caller, PutObject::new(BUCKET, "k", short)).await), "IncompleteBody");
    let broken = Body::from_stream(stream::iter([Ok("x".into()), Err(io::ErrorKind::ConnectionReset.into())]), None);
    assert_eq!(code(house.s3.put_object(&house.caller, PutObject::new(BUCKET, "k", broken)).await), "IncompleteBody");
    assert_eq!(house.read("k").await.unwrap_err(), "NoSuchKey");
    assert_eq!(house.blobs(), 0);
}

#[tokio::test]
async fn trailers_are_read_after_the_body() {
    let house = House::open().await;
    let trailer = |value: Option<&'static str>| Expected {
        algorithm: ChecksumAlgorithm::Sha256,
        value: Expectation::Trailer(std::sync::Arc::new(move || value.map(str::to_owned))),
    };
    let right = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    let input = PutObject { checksums: vec![trailer(Some(right))], ..PutObject::new(BUCKET, "k", "hello") };
    let stored = house.s3.put_object(&house.caller, input).await.unwrap();
    assert_eq!(stored.checksum.unwrap().value, right);
    let input = PutObject { checksums: vec![trailer(None)], ..PutObject::new(BUCKET, "k", "hello") };
    assert_eq!(code(house.s3.put_object(&house.caller, input).await), "InvalidRequest");
}

#[tokio::test]
async fn conditions_hold_or_the_write_is_refused() {
    let house = House::open().await;
    let put = async |content: &'static str, condition| {
        let input = PutObject { condition, ..PutObject::new(BUCKET, "k", content) };
        house.s3.put_object(&house.caller, input).await.map(|stored| stored.etag)
    };
    let absent = || WriteCondition { if_absent: true, if_match: None };
    let same = |etag: &str| WriteCondition { if_absent: false, if_match: Some(etag.to_owned()) };
    assert_eq!(code(put("0", same("x")).await), "NoSuchKey");
    let first = put("1", absent()).await.unwrap();
    assert_eq!(code(put("2", absent()).await), "PreconditionFailed");
    let second = put("2", same(&first)).await.unwrap();
    assert_eq!(code(put("3", same(&first)).await), "PreconditionFailed");
    let unless = ReadCondition { if_none_match: Some(second), ..ReadCondition::default() };
    let input = GetObject { condition: unless, ..GetObject::new(BUCKET, "k") };
    assert_eq!(house.get(input).await.unwrap_err(), "NotModified");
    assert_eq!(house.read("k").await.unwrap(), "2");
}

#[tokio::test]
async fn of_many_first_writes_one_wins() {
    let house = House::open().await;
    let writes = (0..20).map(|n: u32| {
        let condition = WriteCondition { if_absent: true, if_match: None };
        let input = PutObject { condition, ..PutObject::new(BUCKET, "k", n.to_string()) };
        house.s3.put_object(&house.caller, input)
    });
    let results = futures::future::join_all(writes).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.into_iter().filter_map(Result::err).all(|error| error.is("PreconditionFailed")));
}

#[tokio::test]
async fn a_copy_moves_no_byte() {
    let house = House::open().await;
    house.put("from", vec![b'x'; MIB]).await;
    let copy = |key: &str| CopyObject {
        source_bucket: BUCKET.to_owned(),
        source_key: "from".to_owned(),
        bucket: BUCKET.to_owned(),
        key: key.to_owned(),
        ..CopyObject::default()
    };
    house.s3.copy_object(&house.caller, copy("to")).await.unwrap();
    assert_eq!(house.blobs(), 1);
    assert_eq!(code(house.s3.copy_object(&house.caller, copy("from")).await), "InvalidRequest");
    let metadata = BTreeMap::from([("n".to_owned(), "2".to_owned())]);
    let replace = Some(Replacement { metadata, ..Replacement::default() });
    house.s3.copy_object(&house.caller, CopyObject { replace, ..copy("from") }).await.unwrap();
    let meta = house.s3.head_object(&house.caller, GetObject::new(BUCKET, "from")).await.unwrap();
    assert_eq!(meta.metadata["n"], "2");
    let algorithm = Some(ChecksumAlgorithm::Sha1);
    let hashed = CopyObject { checksum_algorithm: algorithm, ..copy("hashed") };
    let copied = house.s3.copy_object(&house.caller, hashed).await.unwrap();
    assert_eq!(copied.checksum.map(|checksum| checksum.algorithm), algorithm);
    let missing = CopyObject { source_key: "none".to_owned(), ..copy("to") };
    assert_eq!(code(house.s3.copy_object(&house.caller, missing).await), "NoSuchKey");
}

#[tokio::test]
async fn deleting_what_is_not_there_succeeds() {
    let house = House::open().await;
    house.put("k", "x").await;
    let delete = DeleteObject { bucket: BUCKET.to_owned(), key: "k".to_owned(), ..DeleteObject::default() };
    for _ in 0..2 {
        let output = house.s3.delete_object(&house.caller, delete.clone()).await.unwrap();
        assert_eq!(output, Default::default());
    }
    assert_eq!(house.read("k").await.unwrap_err(), "NoSuchKey");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let house = House::open().await;
    house.put("k", "kept").await;
    let House { dir, store, clock, s3, caller } = house;
    drop((s3, store));
    let store = kernel::Store::open(dir.path(), std::sync::Arc::clone(&clock) as _).unwrap();
    let s3 = crate::house::service(&store, dir.path(), &clock);
    let house = House { dir, store, clock, s3, caller };
    assert_eq!(house.read("k").await.unwrap(), "kept");
}
