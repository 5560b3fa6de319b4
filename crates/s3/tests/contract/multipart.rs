use crate::house::{BUCKET, House, MIB, code};
use aws::s3::{
    AbortMultipartUpload, ChecksumAlgorithm, ChecksumKind, CompleteMultipartUpload, CompletedPart,
    CreateMultipartUpload, GetObject, ListMultipartUploads, ListParts, S3, UploadPart,
};

async fn open(house: &House, algorithm: Option<ChecksumAlgorithm>) -> String {
    let input = CreateMultipartUpload {
        bucket: BUCKET.to_owned(),
        key: "k".to_owned(),
        checksum_algorithm: algorithm,
        ..CreateMultipartUpload::default()
    };
    house.s3.create_multipart_upload(&house.caller, input).await.unwrap().upload_id
}

async fn part(house: &House, upload: &str, number: u32, content: Vec<u8>) -> CompletedPart {
    let input = UploadPart {
        bucket: BUCKET.to_owned(),
        key: "k".to_owned(),
        upload_id: upload.to_owned(),
        part_number: number,
        body: content.into(),
        ..UploadPart::default()
    };
    let stored = house.s3.upload_part(&house.caller, input).await.unwrap();
    let checksum = stored.checksum.map(|checksum| (checksum.algorithm, checksum.value));
    CompletedPart { part_number: number, etag: stored.etag, checksum }
}

fn complete(upload: &str, parts: &[CompletedPart]) -> CompleteMultipartUpload {
    CompleteMultipartUpload {
        bucket: BUCKET.to_owned(),
        key: "k".to_owned(),
        upload_id: upload.to_owned(),
        parts: parts.to_vec(),
        ..CompleteMultipartUpload::default()
    }
}

#[tokio::test]
async fn parts_in_any_order_become_one_object() {
    let house = House::open().await;
    let upload = open(&house, None).await;
    let two = part(&house, &upload, 2, vec![b'b'; 10]).await;
    part(&house, &upload, 1, vec![b'x'; 5 * MIB]).await;
    let one = part(&house, &upload, 1, vec![b'a'; 5 * MIB]).await;
    part(&house, &upload, 9, vec![b'z'; 10]).await;
    assert_eq!(house.read("k").await.unwrap_err(), "NoSuchKey");
    let input = complete(&upload, &[one, two]);
    let stored = house.s3.complete_multipart_upload(&house.caller, input.clone()).await.unwrap();
    let again = house.s3.complete_multipart_upload(&house.caller, input).await.unwrap();
    assert_eq!(stored, again);
    assert!(stored.etag.ends_with("-2"));
    assert_eq!(stored.checksum.as_ref().unwrap().kind, ChecksumKind::FullObject);
    let content = house.read("k").await.unwrap();
    assert_eq!((content.len(), &content[5 * MIB - 2..5 * MIB + 2]), (5 * MIB + 10, "aabb"));
    let second = GetObject { part_number: Some(2), ..GetObject::new(BUCKET, "k") };
    assert_eq!(house.get(second).await.unwrap(), "b".repeat(10));
    let third = GetObject { part_number: Some(3), ..GetObject::new(BUCKET, "k") };
    assert_eq!(house.get(third).await.unwrap_err(), "InvalidPartNumber");
    // The part that was replaced and the one that was not named are gone in the end.
    house.run_until(|| house.blobs() == 2).await;
}

#[tokio::test]
async fn a_whole_checksum_is_that_of_a_single_upload() {
    let house = House::open().await;
    let upload = open(&house, Some(ChecksumAlgorithm::Crc64Nvme)).await;
    let one = part(&house, &upload, 1, vec![7; 5 * MIB]).await;
    let two = part(&house, &upload, 2, vec![9; 3]).await;
    let stored = house.s3.complete_multipart_upload(&house.caller, complete(&upload, &[one, two])).await.unwrap();
    let single = house.put("single", [vec![7; 5 * MIB], vec![9; 3]].concat()).await;
    assert_eq!(stored.checksum, single.checksum);
    let upload = open(&house, Some(ChecksumAlgorithm::Sha256)).await;
    let one = part(&house, &upload, 1, vec![7; 9]).await;
    let stored = house.s3.complete_multipart_upload(&house.caller, complete(&upload, &[one])).await.unwrap();
    assert!(stored.checksum.is_some_and(|checksum| checksum.value.ends_with("-1")));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_the_upload_stays() {
    let house = House::open().await;
    let upload = open(&house, None).await;
    let one = part(&house, &upload, 1, vec![1; 10]).await;
    let two = part(&house, &upload, 2, vec![2; 10]).await;
    let other = CompletedPart { etag: "other".to_owned(), ..one.clone() };
    let refused = [
        (complete(&upload, &[one.clone(), two.clone()]), "EntityTooSmall"),
        (complete(&upload, &[two, one.clone()]), "InvalidPartOrder"),
        (complete(&upload, &[other]), "InvalidPart"),
        (complete(&upload, &[]), "MalformedXML"),
        (complete("none", std::slice::from_ref(&one)), "NoSuchUpload"),
        (CompleteMultipartUpload { size: Some(11), ..complete(&upload, std::slice::from_ref(&one)) }, "InvalidRequest"),
    ];
    for (input, expected) in refused {
        assert_eq!(code(house.s3.complete_multipart_upload(&house.caller, input).await), expected);
    }
    let algorithm = ChecksumAlgorithm::Crc64Nvme;
    let wrong = CompleteMultipartUpload {
        checksum: Some((algorithm, "AAAAAAAAAAA=".to_owned())),
        ..complete(&upload, std::slice::from_ref(&one))
    };
    assert_eq!(code(house.s3.complete_multipart_upload(&house.caller, wrong).await), "BadDigest");
    house.s3.complete_multipart_upload(&house.caller, complete(&upload, &[one])).await.unwrap();
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let house = House::open().await;
    let upload = open(&house, None).await;
    part(&house, &upload, 1, vec![1; 10]).await;
    let abort = AbortMultipartUpload { bucket: BUCKET.to_owned(), key: "k".to_owned(), upload_id: upload };
    house.s3.abort_multipart_upload(&house.caller, abort.clone()).await.unwrap();
    assert_eq!(code(house.s3.abort_multipart_upload(&house.caller, abort).await), "NoSuchUpload");
    house.run_until(|| house.blobs() == 0).await;
}

#[tokio::test]
async fn uploads_and_parts_are_listed_by_pages() {
    let house = House::open().await;
    let upload = open(&house, None).await;
    for number in [3, 1, 10_000] {
        part(&house, &upload, number, vec![1; 3]).await;
    }
    let mut input = ListParts {
        bucket: BUCKET.to_owned(),
        key: "k".to_owned(),
        upload_id: upload.clone(),
        limit: Some(2),
        after: None,
    };
    let page = house.s3.list_parts(&house.caller, input.clone()).await.unwrap();
    assert_eq!(page.parts.iter().map(|part| part.part_number).collect::<Vec<_>>(), [1, 3]);
    input.after = page.next;
    let page = house.s3.list_parts(&house.caller, input).await.unwrap();
    assert_eq!((page.parts.len(), page.next), (1, None));
    let second = open(&house, None).await;
    let mut input = ListMultipartUploads { bucket: BUCKET.to_owned(), limit: Some(1), ..Default::default() };
    let first_page = house.s3.list_multipart_uploads(&house.caller, input.clone()).await.unwrap();
    input.from = first_page.next;
    let second_page = house.s3.list_multipart_uploads(&house.caller, input).await.unwrap();
    assert_eq!((&first_page.uploads[0].upload_id, &second_page.uploads[0].upload_id), (&upload, &second));
    assert_eq!(second_page.next, None);
}
