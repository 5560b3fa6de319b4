use images::{Digest, ImageError, Limits, Options};

use crate::content::{Compression, Made, image};
use crate::fake::{Fake, Trouble};
use crate::testing::TarMaker;
use crate::{Place, options};

/// A layer of some size that does not compress.
fn made() -> Made {
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(300_000)
    .collect();
    image(&[(TarMaker::default().file("noise", &noise).finish(), Compression::Gzip)])
}

async fn pulled(fake: &Fake, place: &Place, made: &Made) -> Result<Vec<String>, ImageError> {
    fake.push("app", "1", made);
    fake.log();
    place.pull(&fake.reference("app:1")).await?;
    let layer = format!("GET /v2/app/blobs/{}", Digest::of(&made.layers[0]));
    let asked = fake.log().into_iter().filter_map(|line| line.strip_prefix(&layer).map(|rest| rest.trim().to_owned()));
    Ok(asked.collect())
}

#[tokio::test]
async fn what_breaks_off_is_gone_on_with() {
    let (fake, place, made) = (Fake::start().await, Place::new(), made());
    fake.trouble(&made.layers[0], vec![Trouble::Cut(100_000), Trouble::Busy, Trouble::Stall(50_000)]);
    let asked = pulled(&fake, &place, &made).await.unwrap();
    assert_eq!(asked, ["", "bytes=100000-", "bytes=100000-", "bytes=150000-"]);
    assert_eq!(place.images.verify().unwrap(), []);
}

#[tokio::test]
async fn what_comes_in_drops_is_asked_for_again() {
    let (fake, place, made) = (Fake::start().await, Place::new(), made());
    fake.trouble(&made.layers[0], vec![Trouble::Drip]);
    let asked = pulled(&fake, &place, &made).await.unwrap();
    assert!(asked.len() == 2 && asked[1].starts_with("bytes="), "{asked:?}");
}

#[tokio::test]
async fn a_later_pull_goes_on_too_and_by_a_new_process() {
    let (fake, place, made) = (Fake::start().await, Place::new(), made());
    let mut troubles = vec![Trouble::Cut(100_000)];
    troubles.extend(vec![Trouble::Busy; 4]);
    fake.trouble(&made.layers[0], troubles);
    let error = pulled(&fake, &place, &made).await.unwrap_err();
    assert!(matches!(error, ImageError::Unreachable(_)), "{error}");
    let images = images::Images::open(place.path("images"), options()).unwrap();
    let place = Place { folder: place.folder, images };
    assert_eq!(pulled(&fake, &place, &made).await.unwrap(), ["bytes=100000-"]);
}

/// After a crash of the machine a file may have the length that was written, and zeroes in it.
#[tokio::test]
async fn what_a_crash_spoiled_is_asked_for_again() {
    let (fake, made) = (Fake::start().await, made());
    let digest = Digest::of(&made.layers[0]).to_string();
    let name = digest.trim_start_matches("sha256:");
    for (length, asked) in [(100_000, vec!["bytes=100000-", ""]), (made.layers[0].len(), vec![""])] {
        let place = Place::new();
        std::fs::write(place.path("images/partial").join(name), vec![0; length]).unwrap();
        assert_eq!(pulled(&fake, &place, &made).await.unwrap(), asked);
        assert_eq!(place.images.verify().unwrap(), []);
    }
}

#[tokio::test]
async fn a_registry_without_ranges_is_asked_for_all_again() {
    let (fake, place, made) = (Fake::start().await, Place::new(), made());
    fake.without_ranges();
    fake.trouble(&made.layers[0], vec![Trouble::Cut(100_000)]);
    assert_eq!(pulled(&fake, &place, &made).await.unwrap(), ["", "bytes=100000-"]);
}

#[tokio::test]
async fn other_content_is_never_taken() {
    let (fake, made) = (Fake::start().await, made());
    let mut changed = made.layers[0].clone();
    changed[1000] ^= 1;
    for (wrong, part) in
        [(changed, "came with the content of"), ([&made.layers[0][..], b"more"].concat(), "longer than")]
    {
        let place = Place::new();
        fake.trouble(&made.layers[0], vec![Trouble::Wrong(wrong)]);
        let error = pulled(&fake, &place, &made).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert_eq!(place.count("layers"), 0);
        // The next pull begins anew.
        assert_eq!(pulled(&fake, &place, &made).await.unwrap().len(), 1);
    }
    let (place, config) = (Place::new(), made.config.clone());
    fake.trouble(&config, vec![Trouble::Busy, Trouble::Wrong(vec![b'x'; config.len()])]);
    let error = pulled(&fake, &place, &made).await.unwrap_err().to_string();
    assert!(error.contains("came with the content of"), "{error}");
}

#[tokio::test]
async fn redirects_end() {
    let (fake, place, made) = (Fake::start().await, Place::new(), made());
    let itself = format!("{}/v2/app/blobs/{}", fake.url(), Digest::of(&made.layers[0]));
    fake.trouble(&made.layers[0], vec![Trouble::Elsewhere(itself); 20]);
    let error = pulled(&fake, &place, &made).await.unwrap_err().to_string();
    assert!(error.contains("sends on and on"), "{error}");
}

#[tokio::test]
async fn what_is_too_large_is_not_even_downloaded() {
    let (fake, made) = (Fake::start().await, made());
    let limits = Limits { image_bytes: 200_000, ..Limits::default() };
    let place = Place::with(Options { limits, ..options() });
    let error = pulled(&fake, &place, &made).await.unwrap_err().to_string();
    assert!(error.contains("--image-limit"), "{error}");
    assert!(!fake.log().iter().any(|line| line.contains(Digest::of(&made.layers[0]).hex())));
    let manifest = vec![b' '; (4 << 20) + 1];
    fake.push_manifest("app", "huge", "application/vnd.oci.image.manifest.v1+json", manifest);
    let error = place.pull(&fake.reference("app:huge")).await.unwrap_err().to_string();
    assert!(error.contains("longer than 4194304 bytes"), "{error}");
}

#[tokio::test]
async fn a_pull_that_nobody_waits_for_ends_and_leaves_nothing_locked() {
    let (fake, place, made) = (Fake::start().await, Place::new(), made());
    fake.push("app", "1", &made);
    fake.trouble(&made.layers[0], vec![Trouble::Stall(1000)]);
    let reference = fake.reference("app:1");
    let half = tokio::time::timeout(std::time::Duration::from_millis(100), place.pull(&reference)).await;
    assert!(half.is_err());
    place.pull(&reference).await.unwrap();
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_the_registrys_words() {
    let (fake, place) = (Fake::start().await, Place::new());
    let error = place.pull(&fake.reference("app:none")).await.unwrap_err();
    let expected = format!("manifest unknown: {} has no image {}", fake.reference("").trim_end_matches('/'), {
        fake.reference("app:none")
    });
    assert_eq!(error.to_string(), expected);
}
