//! The contract of `UnusedBlobs`: what nobody refers to goes after a day, and nothing else.

use std::time::Duration;

use crate::fixture::{Fixture, scope};
use kernel::{
    Batch, Blobs, Clock, Collector, Document, Documents, Large, Page, Removed, Retention, SystemClock, UnusedBlobs,
};
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A document with a text that may be large.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Memo {
    name: String,
    text: Option<Large>,
}

impl Document for Memo {
    const KIND: &'static str = "todo.memo";

    fn key(&self) -> String {
        self.name.clone()
    }
}

struct Bench {
    f: Fixture,
    blobs: Blobs,
}

impl Bench {
    fn new() -> Self {
        let f = Fixture::new();
        // Blobs carry the machine's time: it is a minute since the tests wrote theirs.
        f.clock.set(SystemClock.now() + Duration::from_secs(60));
        let blobs = Blobs::open(f.dir.path(), "todo").unwrap();
        Self { f, blobs }
    }

    async fn write(&self, name: &str, letter: &str) -> String {
        let text = Large::write(&self.blobs, letter.repeat(9_000)).await.unwrap();
        let digest = text.blob().unwrap().digest.clone();
        self.f.documents.insert(&scope(), Memo { name: name.to_owned(), text: Some(text) }).await.unwrap();
        digest
    }

    async fn collect(&self, dry_run: bool) -> Removed {
        let collector = UnusedBlobs::new(self.f.documents.clone(), self.blobs.clone(), "unused content");
        collector.collect(&Retention::default(), dry_run).await.unwrap()["unused content"]
    }

    async fn has(&self, digest: &str) -> bool {
        self.blobs.size(digest).await.unwrap().is_some()
    }

    fn pass(&self, time: Duration) {
        self.f.clock.advance(time);
    }
}

async fn forget(documents: &Documents, name: &str) {
    documents.update::<Memo>(&scope(), name, |memo| memo.text = None).await.unwrap();
}

#[tokio::test]
async fn a_blob_goes_a_day_after_it_was_found_unused() {
    let bench = Bench::new();
    let (used, unused) = (bench.write("used", "u").await, bench.write("dropped", "d").await);
    forget(&bench.f.documents, "dropped").await;
    let stray = bench.blobs.put_bytes("nobody ever referred to this").await.unwrap();
    bench.pass(DAY * 30);
    assert_eq!(bench.collect(false).await.count, 0, "found for the first time");
    bench.pass(DAY - Duration::from_secs(1));
    assert_eq!(bench.collect(false).await.count, 0, "too early");
    bench.pass(Duration::from_secs(1));
    let removed = Removed { count: 2, bytes: 9_000 + stray.size };
    assert_eq!(bench.collect(true).await, removed);
    assert!(bench.has(&unused).await, "a dry run removes nothing");
    assert_eq!(bench.collect(false).await, removed);
    assert!(bench.has(&used).await && !bench.has(&unused).await && !bench.has(&stray.digest).await);
    assert_eq!(bench.collect(false).await.count, 0);
}

#[tokio::test]
async fn what_is_referred_to_again_stays() {
    let bench = Bench::new();
    let digest = bench.write("a", "x").await;
    let memo = bench.f.documents.get::<Memo>(&scope(), "a").await.unwrap().unwrap();
    forget(&bench.f.documents, "a").await;
    bench.collect(false).await;
    // The reference went over to another document, without the content being written again.
    bench.f.documents.insert(&scope(), Memo { name: "b".to_owned(), ..memo.value }).await.unwrap();
    bench.pass(DAY * 2);
    assert_eq!(bench.collect(false).await.count, 0);
    forget(&bench.f.documents, "b").await;
    assert_eq!(bench.collect(false).await.count, 0, "its day begins anew");
    bench.pass(DAY);
    assert_eq!(bench.collect(false).await.count, 1);
    assert!(!bench.has(&digest).await);
}

#[tokio::test]
async fn what_was_written_again_since_has_a_new_day() {
    let bench = Bench::new();
    let content = || bench.blobs.put_bytes("on its way");
    let blob = content().await.unwrap();
    bench.f.clock.set(SystemClock.now() - DAY);
    bench.collect(false).await;
    bench.pass(DAY + Duration::from_secs(60));
    content().await.unwrap();
    assert_eq!(bench.collect(false).await.count, 0);
    assert!(bench.has(&blob.digest).await);
    bench.pass(DAY);
    assert_eq!(bench.collect(false).await.count, 1);
}

#[tokio::test]
async fn another_services_documents_keep_nothing_here_and_lists_find_by_blob() {
    let bench = Bench::new();
    let digest = bench.write("mine", "m").await;
    let found = bench.f.documents.find::<Memo>(&scope(), "blob", &digest, Page::default()).await.unwrap();
    assert_eq!(found[0].name, "mine");
    let other = Blobs::open(bench.f.dir.path(), "other").unwrap();
    other.put_bytes("m".repeat(9_000)).await.unwrap();
    let collector = UnusedBlobs::new(bench.f.store.service("other"), other.clone(), "unused content");
    collector.collect(&Retention::default(), false).await.unwrap();
    bench.pass(DAY * 2);
    collector.collect(&Retention::default(), false).await.unwrap();
    assert!(other.size(&digest).await.unwrap().is_none() && bench.has(&digest).await);
}

#[tokio::test]
async fn many_blobs_are_looked_at_in_parts() {
    let bench = Bench::new();
    let mut kept = Vec::new();
    for n in 0..1_100 {
        let blob = bench.blobs.put_bytes(n.to_string()).await.unwrap();
        if n % 100 == 0 {
            let memo = Memo { name: n.to_string(), text: Some(Large::Blob(blob.clone())) };
            bench.f.documents.commit(Batch::new(&scope()).insert(&memo)).await.unwrap();
            kept.push(blob.digest);
        }
    }
    bench.collect(false).await;
    bench.pass(DAY);
    assert_eq!(bench.collect(false).await.count, 1_100 - 11);
    kept.sort();
    assert_eq!(bench.blobs.list(None, 2_000).await.unwrap(), kept);
}
