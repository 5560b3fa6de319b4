use crate::house::{BUCKET, House, service};
use aws::s3::{DeleteObject, S3};
use futures::future::join_all;

async fn delete(house: &House, key: &str) {
    let input = DeleteObject { bucket: BUCKET.to_owned(), key: key.to_owned(), ..DeleteObject::default() };
    house.s3.delete_object(&house.caller, input).await.unwrap();
}

#[tokio::test]
async fn a_blob_goes_with_the_last_that_refers_to_it() {
    let house = House::open().await;
    house.put("one", "same").await;
    house.put("two", "same").await;
    house.put("three", "other").await;
    assert_eq!(house.blobs(), 2);
    delete(&house, "one").await;
    delete(&house, "three").await;
    house.run_until(|| house.blobs() == 1).await;
    assert_eq!(house.read("two").await.unwrap(), "same");
    house.put("two", "new").await;
    house.run_until(|| house.blobs() == 1).await;
    assert_eq!(house.read("two").await.unwrap(), "new");
}

/// What a crash between blob and document leaves, and what a crash before the removal leaves.
#[tokio::test]
async fn a_start_sweeps_what_nothing_refers_to() {
    let house = House::open().await;
    house.put("kept", "kept").await;
    let stray = kernel::Blobs::open(house.dir.path(), "s3").unwrap().put_bytes("stray").await.unwrap();
    assert_eq!(house.blobs(), 2);
    let house = House { s3: service(&house.store, house.dir.path(), &house.clock), ..house };
    house.run_until(|| house.blobs() == 1).await;
    assert_eq!(house.read("kept").await.unwrap(), "kept");
    assert_eq!(stray.size, 5);
}

/// The same content again and again, while its garbage is collected: no acknowledged object may lose its blob.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collecting_never_takes_what_is_being_put() {
    let house = House::open().await;
    let stop = kernel::Stop::new();
    let running = tokio::spawn(std::sync::Arc::clone(&house.s3).run(stop.clone()));
    for round in 0..20 {
        let keys: Vec<String> = (0..8).map(|n| format!("{round}-{n}")).collect();
        let puts = keys.iter().map(|key| async {
            let input = aws::s3::PutObject::new(BUCKET, key.as_str(), "the same content");
            house.s3.put_object(&house.caller, input).await.unwrap();
            assert_eq!(house.read(key).await.unwrap(), "the same content");
            delete(&house, key).await;
        });
        join_all(puts).await;
    }
    stop.trigger();
    running.await.unwrap();
}
