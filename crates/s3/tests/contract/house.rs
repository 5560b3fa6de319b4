//! A service on a data folder of its own.

use aws::Error;
use aws::s3::{Body, CreateBucket, GetObject, PutObject, PutObjectOutput, S3, Versioning};
use kernel::{Blobs, Caller, Documents, ManualClock, Scope, SequentialIds, Stop, Store, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const BUCKET: &str = "house";
pub(crate) const MIB: usize = 1024 * 1024;

pub(crate) struct House {
    pub(crate) dir: TempDir,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) s3: Arc<s3::Service>,
    pub(crate) caller: Caller,
}

impl House {
    /// With the bucket [`BUCKET`].
    pub(crate) async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_700_000_000)));
        let store = Store::open(dir.path(), Arc::clone(&clock) as _).unwrap();
        let s3 = service(&store, dir.path(), &clock);
        let caller = Caller::root(&Scope::new("111111111111", "eu-west-1"), "request-1");
        let house = Self { dir, store, clock, s3, caller };
        let bucket = CreateBucket { bucket: BUCKET.to_owned(), ..CreateBucket::default() };
        house.s3.create_bucket(&house.caller, bucket).await.unwrap();
        house
    }

    /// With versioning switched on.
    pub(crate) async fn versioned() -> Self {
        let house = Self::open().await;
        house.set(Versioning::Enabled).await;
        house
    }

    pub(crate) async fn set(&self, versioning: Versioning) {
        self.s3.put_bucket_versioning(&self.caller, BUCKET, versioning).await.unwrap();
    }

    pub(crate) async fn put(&self, key: &str, content: impl Into<Body>) -> PutObjectOutput {
        self.s3.put_object(&self.caller, PutObject::new(BUCKET, key, content)).await.unwrap()
    }

    /// The content as text, or the error's code.
    pub(crate) async fn read(&self, key: &str) -> Result<String, String> {
        self.get(GetObject::new(BUCKET, key)).await
    }

    pub(crate) async fn get(&self, input: GetObject) -> Result<String, String> {
        let object = self.s3.get_object(&self.caller, input).await.map_err(|error| error.code)?;
        let content = object.body.collect(64 * MIB).await.unwrap();
        Ok(String::from_utf8(content.to_vec()).unwrap())
    }

    pub(crate) fn documents(&self) -> Documents {
        self.store.service("s3")
    }

    /// How many blobs are on disk.
    pub(crate) fn blobs(&self) -> usize {
        let area = self.dir.path().join("blobs/s3");
        let folders = std::fs::read_dir(area).unwrap().map(|entry| entry.unwrap().path());
        folders.filter(|path| !path.ends_with("new")).map(|path| std::fs::read_dir(path).unwrap().count()).sum()
    }

    /// Runs the reconcilers until `done`, or fails.
    pub(crate) async fn run_until(&self, done: impl Fn() -> bool) {
        let stop = Stop::new();
        let running = tokio::spawn(Arc::clone(&self.s3).run(stop.clone()));
        for _ in 0..3_000 {
            if done() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.trigger();
        running.await.unwrap();
        assert!(done(), "the reconcilers did not come to the end");
    }
}

/// A service, as a server has it after a start.
pub(crate) fn service(store: &Arc<Store>, dir: &Path, clock: &Arc<ManualClock>) -> Arc<s3::Service> {
    s3::Service::new(s3::Dependencies {
        documents: store.service("s3"),
        blobs: Blobs::open(dir, "s3").unwrap(),
        clock: Arc::clone(clock) as _,
        ids: Arc::new(SequentialIds::new(0)),
    })
}

/// The code of an error that must be there.
pub(crate) fn code<T>(result: Result<T, Error>) -> String {
    result.err().expect("it must be refused").code
}
