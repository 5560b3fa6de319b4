//! Removal: by name, by use, beside pulls and starts.

use std::fs;
use std::time::{Duration, SystemTime};

use images::{Image, ImageError, ImageRequest, RunConfig, Unused};

use crate::content::{Compression, image};
use crate::fake::Fake;
use crate::testing::TarMaker;
use crate::{Place, options};

/// After everything that happened until now, and before all that is to come.
fn later() -> SystemTime {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().metadata().unwrap().modified().unwrap() + Duration::from_secs(60)
}

fn everything() -> Unused {
    Unused { since: later(), only_pulled: false, dry_run: false }
}

fn import(place: &Place, name: &str, content: &[u8]) -> Image {
    let tar = TarMaker::default().file("f", content).finish();
    place.images.import(&tar[..], &RunConfig::default(), name).unwrap()
}

#[test]
fn the_last_name_takes_the_image_along() {
    let place = Place::new();
    let image = import(&place, "a:1", b"12345");
    place.images.tag("a:1", "a:2").unwrap();
    let removed = place.images.remove("a:1").unwrap();
    assert_eq!((removed.id.as_str(), removed.image, removed.bytes), (image.id.as_str(), None, 0));
    let removed = place.images.remove("a:2").unwrap();
    assert_eq!((removed.image.as_deref(), removed.bytes), (Some(image.id.as_str()), 5));
    assert!(matches!(place.images.remove("a:2"), Err(ImageError::NotHere(_))));
    for part in ["images", "names", "layers", "l", "blobs", "uses"] {
        assert_eq!(place.count(part), 0, "{part}");
    }
}

#[test]
fn what_killed_writers_left_goes_when_nobody_can_be_at_it_any_more() {
    let place = Place::new();
    import(&place, "a:1", b"1");
    for part in ["images", "names", "blobs"] {
        fs::write(place.path("images").join(part).join("abc.new-7-0"), b"12345").unwrap();
    }
    let now = Unused { since: later(), only_pulled: true, dry_run: false };
    assert_eq!(place.images.collect(&now).unwrap().bytes, 0, "they may be written just now");
    let in_two_hours = Unused { since: later() + Duration::from_secs(7200), ..now };
    assert_eq!(place.images.collect(&in_two_hours).unwrap().bytes, 15);
    assert_eq!((place.count("images"), place.count("names"), place.images.list().unwrap().len()), (1, 1, 1));
}

/// Lists and collections see images that others remove just then.
#[test]
fn lists_and_collections_go_on_beside_removals() {
    let place = Place::new();
    let images = place.images.clone();
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for turn in 0..30 {
                import(&place, "a:1", format!("{turn}").as_bytes());
                // A collection that looks at it just now holds it.
                while matches!(place.images.remove("a:1"), Err(ImageError::InUse { .. })) {}
            }
        });
        let nothing = Unused { since: SystemTime::UNIX_EPOCH, only_pulled: false, dry_run: false };
        while !changes.is_finished() {
            images.list().unwrap();
            images.collect(&nothing).unwrap();
        }
    });
}

#[test]
fn by_id_all_names_go() {
    let place = Place::new();
    let image = import(&place, "a:1", b"1");
    place.images.tag("a:1", "a:2").unwrap();
    assert!(place.images.remove(&image.id[..20]).unwrap().image.is_some());
    assert_eq!((place.count("names"), place.images.list().unwrap().len()), (0, 0));
}

#[test]
fn what_containers_run_from_stays() {
    let place = Place::new();
    let (held, other) = (import(&place, "a:1", b"1"), import(&place, "b:1", b"22"));
    let container = place.path("container");
    let lease = place.images.lease(&held.id, &container).unwrap();
    // Before the container's folder is there, the lease itself holds the image.
    assert!(matches!(place.images.remove("a:1"), Err(ImageError::InUse { .. })));
    fs::create_dir(&container).unwrap();
    drop(lease);
    assert!(place.images.inspect("a:1").unwrap().in_use);
    let error = place.images.remove("a:1").unwrap_err().to_string();
    assert!(error.contains(container.to_str().unwrap()), "{error}");
    let collected = place.images.collect(&everything()).unwrap();
    assert_eq!((collected.images.len(), collected.images[0].id.as_str(), collected.bytes), (1, other.id.as_str(), 2));
    fs::remove_dir(&container).unwrap();
    assert_eq!(place.images.collect(&everything()).unwrap().images[0].id, held.id);
    assert!(matches!(place.images.lease(&held.id, &container), Err(ImageError::NotHere(_))));
}

#[test]
fn what_was_used_lately_stays_and_a_dry_run_removes_nothing() {
    let place = Place::new();
    import(&place, "a:1", b"123");
    let long_ago = Unused { since: SystemTime::UNIX_EPOCH, ..everything() };
    assert_eq!(place.images.collect(&long_ago).unwrap().images, []);
    let dry = place.images.collect(&Unused { dry_run: true, ..everything() }).unwrap();
    assert_eq!((dry.images.len(), dry.bytes), (1, 3));
    assert_eq!(place.images.list().unwrap().len(), 1);
    assert_eq!(place.images.collect(&everything()).unwrap().bytes, 3);
}

#[tokio::test]
async fn what_no_registry_brings_back_stays_where_that_is_wanted() {
    let fake = Fake::start().await;
    let place = Place::new();
    let tar = TarMaker::default().file("pulled", b"1").finish();
    fake.push("app", "1", &image(&[(tar, Compression::Gzip)]));
    let pulled = place.pull(&fake.reference("app:1")).await.unwrap();
    import(&place, "a:1", b"1");
    let collected = place.images.collect(&Unused { only_pulled: true, ..everything() }).unwrap();
    assert_eq!(collected.images.iter().map(|image| &image.id).collect::<Vec<_>>(), [&pulled.id]);
}

#[tokio::test]
async fn shared_layers_stay_with_the_other_image() {
    let fake = Fake::start().await;
    let place = Place::new();
    let lower = TarMaker::default().file("base", b"base").finish();
    for (tag, content) in [("1", b"a"), ("2", b"b")] {
        let upper = TarMaker::default().file("f", content).finish();
        fake.push("app", tag, &image(&[(lower.clone(), Compression::Gzip), (upper, Compression::Gzip)]));
        place.pull(&fake.reference(&format!("app:{tag}"))).await.unwrap();
    }
    assert_eq!(place.count("layers"), 3);
    assert_eq!(place.images.remove(&fake.reference("app:1")).unwrap().bytes, 1);
    assert_eq!(place.count("layers"), 2);
    assert_eq!(place.images.verify().unwrap(), []);
}

#[test]
fn what_died_half_way_is_cleared() {
    let place = Place::new();
    let image = import(&place, "a:1", b"1");
    let layers = place.path("images/layers");
    fs::create_dir_all(layers.join(format!(".new-{}/tree/d", "a".repeat(64)))).unwrap();
    fs::create_dir_all(layers.join(format!(".old-{}/tree", "b".repeat(64)))).unwrap();
    fs::write(place.path("images/partial").join("c".repeat(64)), "half").unwrap();
    // A layer that was finished just before its image was to be written.
    fs::create_dir_all(layers.join("d".repeat(64)).join("tree")).unwrap();
    place.images.collect(&Unused { since: SystemTime::UNIX_EPOCH, ..everything() }).unwrap();
    assert_eq!((place.count("layers"), place.count("partial")), (1, 1), "downloads may be gone on with");
    place.images.lease(&image.id, &place.folder.path().join("images")).unwrap();
    place.images.collect(&everything()).unwrap();
    assert_eq!((place.count("layers"), place.count("partial")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn collecting_beside_pulls_breaks_neither() {
    let fake = Fake::start().await;
    let place = Place::new();
    let base = TarMaker::default().file("base", &[1; 100_000]).finish();
    for at in 0..4 {
        let upper = TarMaker::default().file("f", at.to_string().as_bytes()).finish();
        fake.push("app", &at.to_string(), &image(&[(base.clone(), Compression::Gzip), (upper, Compression::Gzip)]));
    }
    let images = place.images.clone();
    let collecting = tokio::task::spawn_blocking(move || {
        for _ in 0..100 {
            images.collect(&everything()).unwrap();
        }
    });
    while !collecting.is_finished() {
        let pulls = (0..4).map(|at| {
            let (images, request) = (place.images.clone(), ImageRequest::of(fake.reference(&format!("app:{at}"))));
            async move { images.pull(&request).await }
        });
        for pulled in futures::future::join_all(pulls).await {
            // It may be collected again just when it is to be described.
            assert!(matches!(pulled, Ok(_) | Err(ImageError::Io { .. } | ImageError::NotHere(_))), "{pulled:?}");
        }
    }
    collecting.await.unwrap();
    let place = Place { images: images::Images::open(place.path("images"), options()).unwrap(), ..place };
    for at in 0..4 {
        place.pull(&fake.reference(&format!("app:{at}"))).await.unwrap();
    }
    assert_eq!((place.count("layers"), place.images.verify().unwrap()), (5, vec![]));
}
