//! The contract of `Blobs`.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, stream};
use kernel::{BlobError, Blobs};

fn area(name: &str) -> (tempfile::TempDir, Blobs) {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path(), name).unwrap();
    (dir, blobs)
}

async fn part(blobs: &Blobs, digest: &str, range: std::ops::Range<u64>) -> Vec<u8> {
    let pieces: Vec<Bytes> = blobs.get(digest, Some(range)).await.unwrap().map(Result::unwrap).collect().await;
    pieces.concat()
}

fn files(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[tokio::test]
async fn content_is_named_by_its_digest_and_comes_back_whole_and_in_parts() {
    let (_dir, blobs) = area("a");
    let abc = blobs.put_bytes("abc").await.unwrap();
    assert_eq!(abc.digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!((abc.size, blobs.size(&abc.digest).await.unwrap()), (3, Some(3)));
    let large: Vec<u8> = (0..700_000u32).map(|n| n as u8).collect();
    let pieces = stream::iter(large.chunks(10_001).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect::<Vec<_>>());
    let blob = blobs.put(pieces).await.unwrap();
    assert_eq!(blobs.read(&blob.digest).await.unwrap(), large);
    for range in [0..1, 262_143..262_145, 699_999..800_000, 700_000..700_001, 5..5] {
        let expected = &large[range.start.min(700_000) as usize..range.end.min(700_000) as usize];
        assert_eq!(part(&blobs, &blob.digest, range).await, expected);
    }
}

#[tokio::test]
async fn a_source_that_fails_or_is_dropped_leaves_nothing() {
    let (dir, blobs) = area("a");
    let broken = stream::iter([Ok(Bytes::from("abc")), Err(io::Error::other("gone"))]);
    assert!(matches!(blobs.put(broken).await, Err(BlobError::Io(_))));
    let endless = stream::iter([Ok(Bytes::from("abc"))]).chain(stream::pending());
    let put = tokio::time::timeout(std::time::Duration::from_millis(30), blobs.put(endless));
    assert!(put.await.is_err());
    let emptied = async {
        while files(dir.path()) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), emptied).await.unwrap();
}

#[tokio::test]
async fn the_same_content_is_kept_once_per_area_and_areas_are_apart() {
    let (dir, blobs) = area("a");
    let other = Blobs::open(dir.path(), "b").unwrap();
    let first = blobs.put_bytes("abc").await.unwrap();
    assert_eq!(blobs.put_bytes("abc").await.unwrap(), first);
    other.put_bytes("abc").await.unwrap();
    assert_eq!(files(dir.path()), 2);
    blobs.remove(&first.digest).await.unwrap();
    blobs.remove(&first.digest).await.unwrap();
    assert!(matches!(blobs.read(&first.digest).await, Err(BlobError::Missing(_))));
    assert_eq!(other.read(&first.digest).await.unwrap(), b"abc");
}

#[tokio::test]
async fn what_is_no_digest_never_becomes_a_path() {
    let (_dir, blobs) = area("a");
    for digest in ["", "../../etc/passwd", &"A".repeat(64), &"a".repeat(63), &format!("{}/..", "a".repeat(61))] {
        assert!(matches!(blobs.size(digest).await, Err(BlobError::Digest(_))), "{digest}");
    }
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_cleared_at_the_next_start() {
    let (dir, _blobs) = area("a");
    std::fs::write(dir.path().join("blobs/a/new/half"), "x").unwrap();
    Blobs::open(dir.path(), "a").unwrap();
    assert_eq!(files(dir.path()), 0);
}

#[tokio::test]
async fn digests_are_listed_in_order_and_in_parts() {
    let (_dir, blobs) = area("a");
    let mut digests = Vec::new();
    for n in 0..9 {
        digests.push(blobs.put_bytes(n.to_string()).await.unwrap().digest);
    }
    digests.sort();
    assert_eq!(blobs.list(None, 100).await.unwrap(), digests);
    let first = blobs.list(None, 4).await.unwrap();
    assert_eq!(first, digests[..4]);
    assert_eq!(blobs.list(first.last().map(String::as_str), 100).await.unwrap(), digests[4..]);
}

#[tokio::test]
async fn staged_content_is_no_blob_until_it_is_kept_and_gone_when_dropped() {
    let (dir, blobs) = area("a");
    let abc = || stream::iter([Ok(Bytes::from("abc"))]);
    let staged = blobs.stage(abc()).await.unwrap();
    let digest = staged.blob().digest.clone();
    assert_eq!(blobs.size(&digest).await.unwrap(), None);
    drop(staged);
    assert_eq!(files(dir.path()), 0);
    let staged = blobs.stage(abc()).await.unwrap();
    blobs.put(abc()).await.unwrap();
    blobs.remove(&digest).await.unwrap();
    assert_eq!(staged.keep().await.unwrap().size, 3, "kept, whatever happened to the same content before");
    assert_eq!(blobs.read(&digest).await.unwrap(), b"abc");
}
