//! Git at the door: signatures as passwords, and plain passwords in open mode.

use crate::ground::{ACCOUNT, Ground, NOW, key, sigv4_credentials};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use iam::{Mode, RepositoryRegions};
use kernel::{Credentials, Principals, Scope};
use sigv4::{AmzDate, git};
use std::sync::Arc;
use std::time::Duration;

/// A repository `app` of every account in eu-west-1.
struct App;

#[async_trait]
impl RepositoryRegions for App {
    async fn regions(&self, _: &str, repository: &str) -> Result<Vec<String>, aws::Error> {
        Ok(if repository == "app" { vec!["eu-west-1".into()] } else { Vec::new() })
    }
}

async fn ground(mode: Mode) -> Ground {
    let ground = Ground::new(mode).await;
    ground.door.set_repository_regions(Arc::new(App));
    ground
}

/// Account and region of the caller, or the reason why there is none.
async fn ask(ground: &Ground, user: &str, password: &str, repository: &str) -> Result<Scope, String> {
    let basic = STANDARD.encode(format!("{user}:{password}"));
    let request = http::Request::get(format!("/v1/repos/{repository}/info/refs?service=git-upload-pack"))
        .header("host", "127.0.0.1:4566")
        .header("authorization", format!("Basic {basic}"));
    let parts = request.body(()).unwrap().into_parts().0;
    let caller = ground.door.authenticate_git(&parts, repository, "r", None).await;
    caller.map(|caller| caller.scope()).map_err(|denied| denied.to_string())
}

fn sign(key: &Credentials, region: &str, host: &str, offset: i64) -> (String, String) {
    let time = AmzDate::from_epoch_seconds(NOW + offset);
    git::sign(&sigv4_credentials(key), region, host, "/v1/repos/app", time)
}

#[tokio::test]
async fn a_signature_shows_its_region_with_or_without_the_port() {
    let ground = ground(Mode::Enforce).await;
    let key = ground.root_key();
    for (region, host) in [("eu-west-1", "127.0.0.1"), ("eu-west-1", "127.0.0.1:4566"), ("us-east-1", "127.0.0.1")] {
        let (user, password) = sign(&key, region, host, 0);
        assert_eq!(ask(&ground, &user, &password, "app").await, Ok(Scope::new(ACCOUNT, region)));
    }
    for (region, repository, offset, why) in [
        ("eu-west-2", "app", 0, "does not match"),
        ("eu-west-1", "other", 0, "does not match"),
        ("eu-west-1", "app", -1_000, "Signature expired"),
    ] {
        let (user, password) = sign(&key, region, "127.0.0.1", offset);
        assert!(ask(&ground, &user, &password, repository).await.unwrap_err().contains(why));
    }
    let denied = ask(&ground, "jane", "password", "app").await.unwrap_err();
    assert!(denied.contains("git-remote-codecommit"), "{denied}");
}

#[tokio::test]
async fn a_session_comes_with_its_token() {
    let ground = ground(Mode::Enforce).await;
    ground.role("build", r#"{"Service":"codebuild.amazonaws.com"}"#).await;
    let (scope, role) = (Scope::new(ACCOUNT, "eu-west-1"), "arn:aws:iam::000000000000:role/build");
    let caller = ground.service.assume(&scope, role, "codebuild.amazonaws.com", "b").await.unwrap();
    let key = ground.service.session_credentials(&caller, Duration::from_secs(900)).await.unwrap();
    let (user, password) = sign(&key, "eu-west-1", "127.0.0.1", 0);
    assert_eq!(ask(&ground, &user, &password, "app").await, Ok(scope));
    let (id, _) = user.split_once('%').unwrap();
    assert!(ask(&ground, id, &password, "app").await.is_err());
}

#[tokio::test]
async fn git_asks_without_credentials_first() {
    let ground = ground(Mode::Open).await;
    let parts = http::Request::get("/v1/repos/app/info/refs").body(()).unwrap().into_parts().0;
    let denied = ground.door.authenticate_git(&parts, "app", "r", None).await.unwrap_err();
    assert_eq!(denied.to_string(), "Missing Authentication Token");
}

#[tokio::test]
async fn open_mode_takes_any_password() {
    let ground = ground(Mode::Open).await;
    for (user, password, account, region) in [
        ("any", "password", ACCOUNT, "us-east-1"),
        ("", "", ACCOUNT, "us-east-1"),
        ("123456789012", "x", "123456789012", "us-east-1"),
    ] {
        assert_eq!(ask(&ground, user, password, "app").await, Ok(Scope::new(account, region)));
    }
    let (user, password) = sign(&key("123456789012", "any"), "ap-south-1", "h", 0);
    assert_eq!(ask(&ground, &user, &password, "app").await, Ok(Scope::new("123456789012", "eu-west-1")));
}
