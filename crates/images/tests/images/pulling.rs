use std::fs;
use std::sync::{Arc, Mutex};

use images::{Digest, ImageError, ImageRequest, Options, PullPolicy, Registries};
use serde_json::json;

use crate::content::{Compression, image, image_for};
use crate::fake::Fake;
use crate::testing::TarMaker;
use crate::{Place, options};

fn hello() -> Vec<u8> {
    TarMaker::default().folder("etc/", 0o755).file("etc/hello", b"hello").finish()
}

#[tokio::test]
async fn every_kind_of_manifest_and_compression() {
    let fake = Fake::start().await;
    let upper = TarMaker::default().file("etc/more", b"more").finish();
    for (tag, compression) in [("plain", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)] {
        for docker in [false, true] {
            let made = image(&[(hello(), compression), (upper.clone(), compression)]);
            let made = if docker { made.docker() } else { made };
            fake.push("app", tag, &made);
            let place = Place::new();
            let pulled = place.pull(&fake.reference(&format!("app:{tag}"))).await.unwrap();
            assert_eq!((pulled.id.clone(), pulled.size, pulled.layers), (made.id(), 9, 2));
            assert_eq!(pulled.references, [fake.reference(&format!("app:{tag}"))]);
            assert_eq!(pulled.run.env, [("GREETING".to_owned(), "hello".to_owned())]);
            let [upper, lower] = &place.layers(&pulled)[..] else { panic!("two layers") };
            assert_eq!(fs::read(lower.join("etc/hello")).unwrap(), b"hello");
            assert_eq!(fs::read(upper.join("etc/more")).unwrap(), b"more");
            assert_eq!(place.count("partial"), 0, "compressed layers are not kept");
            assert_eq!(place.images.verify().unwrap(), []);
        }
    }
}

#[tokio::test]
async fn of_an_index_this_machines_image_is_pulled() {
    let fake = Fake::start().await;
    let here = images::Platform::here();
    let mut rows = Vec::new();
    for architecture in ["s390x", here.architecture.as_str()] {
        let made = image_for(architecture, &[(hello(), Compression::Gzip)]);
        let digest = fake.push("app", architecture, &made);
        rows.push(json!({
            "mediaType": made.manifest_type(), "digest": digest, "size": made.manifest().len(),
            "platform": {"os": "linux", "architecture": architecture},
        }));
    }
    let index = json!({"schemaVersion": 2, "manifests": rows}).to_string().into_bytes();
    let digest = fake.push_manifest("app", "1", "application/vnd.oci.image.index.v1+json", index);
    let place = Place::new();
    let by_tag = place.pull(&fake.reference("app:1")).await.unwrap();
    let by_digest = place.pull(&fake.reference(&format!("app:other@{digest}"))).await.unwrap();
    assert_eq!(by_tag.id, by_digest.id);
    assert_eq!(by_tag.platform.architecture, here.architecture);
    let other =
        ImageRequest { platform: Some("linux/s390x".parse().unwrap()), ..ImageRequest::of(fake.reference("app:1")) };
    assert_eq!(place.images.pull(&other).await.unwrap().platform.architecture, "s390x");
    // What was asked for another machine changes not what the name means here.
    assert_eq!(place.pull(&fake.reference("app:1")).await.unwrap().id, by_tag.id);
    let error = place.pull(&fake.reference("app:s390x")).await.unwrap_err().to_string();
    assert!(error.contains(&format!("it is for linux/s390x, not for {here}")), "{error}");
}

#[tokio::test]
async fn what_is_here_is_not_pulled_again_and_a_moved_tag_is_noticed() {
    let fake = Fake::start().await;
    let place = Place::with(Options { fresh: std::time::Duration::ZERO, ..options() });
    let reference = fake.reference("app:1");
    let digest = fake.push("app", "1", &image(&[(hello(), Compression::Gzip)]));
    let first = place.pull(&reference).await.unwrap();
    fake.log();
    assert_eq!(place.pull(&reference).await.unwrap().id, first.id);
    assert_eq!(fake.log(), ["HEAD /v2/app/manifests/1"]);
    let pinned = fake.reference(&format!("app@{digest}"));
    assert_eq!(place.pull(&pinned).await.unwrap().id, first.id);
    fake.log();
    place.pull(&pinned).await.unwrap();
    assert_eq!(fake.log(), [""; 0], "a digest that is here needs no registry");
    let upper = TarMaker::default().file("new", b"new").finish();
    fake.push("app", "1", &image(&[(hello(), Compression::Gzip), (upper, Compression::Gzip)]));
    let moved = place.pull(&reference).await.unwrap();
    assert!(moved.id != first.id && moved.references == [reference]);
    let blobs = fake.log().iter().filter(|line| line.contains("/blobs/")).count();
    assert_eq!(blobs, 2, "the configuration and the new layer; the other is here");
}

#[tokio::test]
async fn within_a_minute_the_registry_is_not_asked_twice() {
    let fake = Fake::start().await;
    let place = Place::new();
    fake.push("app", "1", &image(&[(hello(), Compression::Gzip)]));
    let request = ImageRequest::of(fake.reference("app:1"));
    let id = place.images.prepare(&request).await.unwrap();
    fake.log();
    assert_eq!(place.images.prepare(&request).await.unwrap(), id);
    assert_eq!(fake.log(), [""; 0]);
    let always = ImageRequest { pull: PullPolicy::Always, ..request };
    place.images.prepare(&always).await.unwrap();
    assert_eq!(fake.log().len(), 1);
}

#[tokio::test]
async fn many_at_once_pull_once() {
    let fake = Fake::start().await;
    let made = image(&[(hello(), Compression::Gzip), (TarMaker::default().finish(), Compression::Gzip)]);
    fake.push("app", "1", &made);
    let place = Place::new();
    // Another object on the same store is as another process.
    let other = images::Images::open(place.path("images"), options()).unwrap();
    let request = ImageRequest::of(fake.reference("app:1"));
    let pulls = (0..16).map(|at| if at % 2 == 0 { place.images.pull(&request) } else { other.pull(&request) });
    for pulled in futures::future::join_all(pulls).await {
        assert_eq!(pulled.unwrap().id, made.id());
    }
    let layer = Digest::of(&made.layers[0]).to_string();
    let downloads = fake.log().iter().filter(|line| line.contains(&layer)).count();
    assert_eq!(downloads, 1);
    assert_eq!(place.images.verify().unwrap(), []);
}

#[tokio::test]
async fn without_the_registry_what_is_here_does() {
    let place = Place::with(Options { fresh: std::time::Duration::ZERO, ..options() });
    let reference = {
        // On a runtime of its own, with which it ends.
        let (sender, receiver) = std::sync::mpsc::channel();
        let images = place.images.clone();
        std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let fake = Fake::start().await;
                fake.push("app", "1", &image(&[(hello(), Compression::Gzip)]));
                let reference = fake.reference("app:1");
                images.pull(&ImageRequest::of(&reference)).await.unwrap();
                sender.send(reference).unwrap();
            });
        })
        .join()
        .unwrap();
        receiver.recv().unwrap()
    };
    place.pull(&reference).await.unwrap();
    let other = reference.replace("app", "other");
    let error = place.pull(&other).await.unwrap_err();
    assert!(matches!(&error, ImageError::Unreachable(text) if text.contains("images load")), "{error}");
    let never = ImageRequest { pull: PullPolicy::Never, ..ImageRequest::of(&other) };
    assert!(matches!(place.images.pull(&never).await, Err(ImageError::NotHere(_))));
}

#[tokio::test]
async fn mirrors_are_asked_first_and_the_registry_itself_is_not_missed() {
    let [mirror, own] = [Fake::start().await, Fake::start().await];
    own.push("app", "1", &image(&[(hello(), Compression::Gzip)]));
    let host = own.reference("").trim_end_matches('/').to_owned();
    let registries = Registries::default().mirror(&host, &mirror.url()).unwrap();
    let place = Place::with(Options { registries, ..options() });
    place.pull(&own.reference("app:1")).await.unwrap();
    assert_eq!(mirror.log(), ["GET /v2/app/manifests/1"]);
    mirror.push("app", "2", &image(&[(hello(), Compression::Zstd)]));
    own.log();
    place.pull(&own.reference("app:2")).await.unwrap();
    assert_eq!(own.log(), [""; 0]);
    // Docker Hub by a mirror alone, as where there is no way out.
    let registries = Registries::default().mirror("docker.io", &mirror.url()).unwrap();
    mirror.push("library/debian", "12", &image(&[(hello(), Compression::None)]));
    let place = Place::with(Options { registries, ..options() });
    assert_eq!(place.pull("debian:12").await.unwrap().references, ["debian:12"]);
}

#[tokio::test]
async fn what_landfall_makes_is_asked_of_nobody() {
    let mirror = Fake::start().await;
    mirror.push("landfall/standard", "latest", &image(&[(hello(), Compression::None)]));
    let registries = Registries::default().mirror("docker.io", &mirror.url()).unwrap();
    let place = Place::with(Options { registries, ..options() });
    let error = place.pull("landfall/standard").await.unwrap_err().to_string();
    assert!(error.contains("landfall images build standard"), "{error}");
    assert_eq!(mirror.log(), [""; 0]);
}

#[tokio::test]
async fn progress_ends_with_everything() {
    let fake = Fake::start().await;
    let made = image(&[(hello(), Compression::None), (TarMaker::default().finish(), Compression::None)]);
    fake.push("app", "1", &made);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&heard);
    let request = ImageRequest {
        progress: Some(Arc::new(move |progress| hear.lock().unwrap().push(progress))),
        ..ImageRequest::of(fake.reference("app:1"))
    };
    Place::new().images.pull(&request).await.unwrap();
    let last = *heard.lock().unwrap().last().unwrap();
    let total: usize = made.layers.iter().map(Vec::len).sum();
    assert_eq!((last.done, last.total), (total as u64, total as u64));
}
