use images::{ImageError, ImageRequest, Password, RegistryCredentials};

use crate::Place;
use crate::content::{Compression, Made, image};
use crate::fake::{Door, Fake, Trouble};
use crate::testing::TarMaker;

/// `ann:secret` in base64.
const ANN: &str = "YW5uOnNlY3JldA==";

fn made() -> Made {
    image(&[(TarMaker::default().file("f", b"f").finish(), Compression::Gzip)])
}

async fn registry(door: Door) -> Fake {
    let fake = Fake::start().await;
    fake.push("app", "1", &made());
    fake.close(door);
    fake
}

fn as_ann(fake: &Fake, password: &str) -> ImageRequest {
    let credentials = RegistryCredentials { username: "ann".into(), password: Password(password.into()) };
    ImageRequest { credentials: Some(credentials), ..ImageRequest::of(fake.reference("app:1")) }
}

#[tokio::test]
async fn a_name_and_password_as_ecr_wants_them() {
    let fake = registry(Door::Basic(ANN)).await;
    Place::new().images.pull(&as_ann(&fake, "secret")).await.unwrap();
    let log = fake.log();
    assert_eq!(log[0], "GET /v2/app/manifests/1");
    assert!(log[1..].iter().all(|line| line.ends_with(ANN)), "{log:?}");
}

#[tokio::test]
async fn a_token_as_docker_hub_hands_them_out() {
    for (door, request) in [(Door::Bearer(None), None), (Door::Bearer(Some(ANN)), Some("secret"))] {
        let fake = registry(door).await;
        let request = match request {
            Some(password) => as_ann(&fake, password),
            None => ImageRequest::of(fake.reference("app:1")),
        };
        Place::new().images.pull(&request).await.unwrap();
        let log = fake.log();
        let tokens = log.iter().filter(|line| line.starts_with("GET /token")).count();
        assert_eq!(tokens, 1, "{log:?}");
        assert!(log[2..].iter().all(|line| line.ends_with("Bearer t0ken")), "{log:?}");
    }
}

#[tokio::test]
async fn who_is_not_let_in_hears_why_and_no_password() {
    for door in [Door::Basic(ANN), Door::Bearer(Some(ANN))] {
        let fake = registry(door).await;
        let place = Place::new();
        for request in [as_ann(&fake, "wr0ng"), ImageRequest::of(fake.reference("app:1"))] {
            let error = place.images.pull(&request).await.unwrap_err();
            assert!(matches!(error, ImageError::Unauthorized(_)), "{error}");
            let text = error.to_string();
            assert!(text.contains("pull access denied") && text.contains("unauthorized"), "{text}");
            assert!(!format!("{text} {error:?} {request:?}").contains("wr0ng"), "{text}");
        }
    }
}

#[tokio::test]
async fn what_one_user_pulled_another_must_be_let_in_for() {
    let fake = registry(Door::Basic(ANN)).await;
    let place = Place::new();
    place.images.pull(&as_ann(&fake, "secret")).await.unwrap();
    let error = place.pull(&fake.reference("app:1")).await.unwrap_err();
    assert!(matches!(error, ImageError::Unauthorized(_)), "{error}");
}

#[tokio::test]
async fn another_host_never_hears_who_asks() {
    let [fake, storage] = [registry(Door::Basic(ANN)).await, Fake::start().await];
    storage.push("x", "1", &made());
    let layer = &made().layers[0];
    let url = format!("{}/v2/x/blobs/{}", storage.url(), images::Digest::of(layer));
    fake.trouble(layer, vec![Trouble::Elsewhere(url)]);
    Place::new().images.pull(&as_ann(&fake, "secret")).await.unwrap();
    let log = storage.log();
    assert!(log.len() == 1 && !log[0].contains("Basic"), "{log:?}");
}
