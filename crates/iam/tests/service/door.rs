//! The door, from the bytes of a request: who is let in as whom, and who is not.

use crate::ground::{ACCOUNT, Ground, NOW, key, root, signed, sigv4_credentials};
use aws::iam::{DeleteAccessKeyInput, DeleteRoleInput, Iam, UpdateAccessKeyInput};
use http::HeaderValue;
use iam::Mode;
use kernel::{Caller, Principal, Principals, Scope};
use sigv4::{AmzDate, Payload, Request, Signer};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

fn code(result: Result<Caller, aws::Error>) -> String {
    result.map_or_else(|error| error.code, |caller| caller.arn())
}

#[tokio::test]
async fn the_root_key_is_made_once_and_kept_private() {
    let ground = Ground::new(Mode::Enforce).await;
    let first = ground.root_key();
    let file = ground.folder.path().join("root-credentials");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let caller = ground.call(&first, "codebuild").await.unwrap();
    assert_eq!(caller.arn(), "arn:aws:iam::000000000000:root");
    assert_eq!((caller.region.as_str(), caller.request_id.as_str()), ("eu-west-1", "request-1"));
    assert_eq!(caller.source_ip.as_deref(), Some("127.0.0.1"));
    let again = Ground::in_folder(ground.stop(), Mode::Enforce).await;
    assert_eq!(again.root_key(), first);
    assert!(again.call(&first, "codebuild").await.is_ok());
}

#[tokio::test]
async fn a_file_of_root_credentials_outlives_a_lost_store() {
    let ground = Ground::new(Mode::Enforce).await;
    let first = ground.root_key();
    let folder = ground.stop();
    for name in ["landfall.db", "landfall.db-wal", "landfall.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    let again = Ground::in_folder(folder, Mode::Enforce).await;
    assert!(again.call(&first, "codebuild").await.is_ok());
}

#[tokio::test]
async fn each_wrong_signature_has_its_error() {
    let ground = Ground::new(Mode::Enforce).await;
    let good = ground.root_key();
    let wrong = key(&good.access_key_id, "another secret, of forty characters here");
    assert_eq!(code(ground.call(&wrong, "codebuild").await), "InvalidSignatureException");
    assert_eq!(code(ground.call(&wrong, "sts").await), "SignatureDoesNotMatch");
    for unknown in ["AKIAIOSFODNN7EXAMPLE", "123456789012", "test", "ASIAQNZGKIQY56JQ7WML"] {
        assert_eq!(code(ground.call(&key(unknown, "x"), "codebuild").await), "UnrecognizedClientException");
        assert_eq!(code(ground.call(&key(unknown, "x"), "iam").await), "InvalidClientTokenId");
    }
    let skewed = ground.call_at(&good, "codebuild", -3_600).await.unwrap_err();
    assert_eq!(skewed.code, "InvalidSignatureException");
    assert!(
        skewed.message.starts_with("Signature expired: 20150830T113600Z is now earlier than"),
        "{}",
        skewed.message
    );
    assert!(
        ground.call_at(&good, "codebuild", 3_600).await.unwrap_err().message.starts_with("Signature not yet current")
    );
    assert!(ground.call_at(&good, "codebuild", 800).await.is_ok());
}

#[tokio::test]
async fn what_was_signed_must_arrive() {
    let ground = Ground::new(Mode::Enforce).await;
    let key = ground.root_key();
    let call = async |parts: http::request::Parts, body: &'static [u8]| {
        code(ground.door.authenticate(&parts, body, "r", None).await)
    };
    let parts = || signed(&key, "codebuild", NOW, b"{}");
    assert_eq!(call(parts(), b"{}").await, "arn:aws:iam::000000000000:root");
    assert_eq!(call(parts(), b"{ }").await, "InvalidSignatureException", "another body");
    let mut retargeted = parts();
    retargeted.headers.insert("x-amz-target", HeaderValue::from_static("CodeBuild_20161006.DeleteProject"));
    assert_eq!(call(retargeted, b"{}").await, "InvalidSignatureException", "another operation");
    let mut unsigned = parts();
    unsigned.headers.remove("authorization");
    assert_eq!(call(unsigned, b"{}").await, "MissingAuthenticationTokenException");
    let mut cut = parts();
    cut.headers.insert("authorization", HeaderValue::from_static("AWS4-HMAC-SHA256 Credential=A/B"));
    assert_eq!(call(cut, b"{}").await, "IncompleteSignatureException");
}

/// An S3 request in chunks, signed with these headers and sent with the others too.
fn streamed(key: &kernel::Credentials, signed: &[(&str, &str)], unsigned: &[(&str, &str)]) -> http::request::Parts {
    let time = AmzDate::from_epoch_seconds(NOW);
    let signer = Signer { credentials: sigv4_credentials(key), region: "us-east-1", service: "s3", time };
    let headers: Vec<(&str, &[u8])> = signed.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let payload = Payload::Streaming("STREAMING-AWS4-HMAC-SHA256-PAYLOAD".into());
    let added = signer.sign_headers(&Request::new("PUT", "/bucket/a%20key", &headers), &payload);
    let mut request = http::Request::put("/bucket/a%20key");
    for (name, value) in signed.iter().chain(unsigned) {
        request = request.header(*name, *value);
    }
    for (name, value) in added {
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn headers_of_aws_must_be_signed() {
    let ground = Ground::new(Mode::Enforce).await;
    let key = ground.root_key();
    let (host, source) = (("host", "h"), ("x-amz-copy-source", "/other/secret"));
    let call = async |signed: &[(&str, &str)], unsigned: &[(&str, &str)]| {
        ground.door.authenticate_streamed(&streamed(&key, signed, unsigned), "r", None).await
    };
    assert!(call(&[host, source], &[]).await.is_ok());
    let refused = call(&[host], &[source]).await.unwrap_err();
    assert_eq!(refused.code, "AccessDenied");
    assert!(refused.message.ends_with("which were not signed: x-amz-copy-source"), "{refused}");
    assert!(call(&[host], &[("accept", "*/*")]).await.is_ok());
}

#[tokio::test]
async fn a_streamed_body_comes_with_what_its_chunks_are_signed_with() {
    let ground = Ground::new(Mode::Enforce).await;
    let key = ground.root_key();
    let parts = streamed(&key, &[("host", "h")], &[]);
    let (caller, seed) = ground.door.authenticate_streamed(&parts, "r", None).await.unwrap();
    let seed = seed.unwrap();
    assert_eq!(caller.principal, Principal::Root);
    assert!(parts.headers["authorization"].to_str().unwrap().ends_with(&seed.signature));
    let own = sigv4::SigningKey::derive(&key.secret_access_key, &seed.scope);
    assert_eq!(seed.key.sign("chunk"), own.sign("chunk"));
    let open = Ground::new(Mode::Open).await;
    let unknown = streamed(&crate::ground::key("test", "any"), &[("host", "h")], &[]);
    assert!(open.door.authenticate_streamed(&unknown, "r", None).await.unwrap().1.is_none());
}

#[tokio::test]
async fn presigned_requests_are_let_in_until_they_expire() {
    let ground = Ground::new(Mode::Enforce).await;
    let key = ground.root_key();
    let time = AmzDate::from_epoch_seconds(NOW);
    let signer = Signer { credentials: sigv4_credentials(&key), region: "us-east-1", service: "s3", time };
    let headers: &[(&str, &[u8])] = &[("host", b"h")];
    let query = signer.presign(&Request::new("GET", "/bucket/key", headers), 60, &Payload::Unsigned);
    let request = http::Request::get(format!("/bucket/key?{query}")).header("host", "h").body(()).unwrap();
    assert_eq!(ground.door.claimed_service(&request).as_deref(), Some("s3"));
    let parts = request.into_parts().0;
    let call = async || code(ground.door.authenticate_streamed(&parts, "r", None).await.map(|(caller, _)| caller));
    assert_eq!(call().await, "arn:aws:iam::000000000000:root");
    ground.clock.advance(Duration::from_secs(61));
    assert_eq!(call().await, "AccessDenied");
}

#[tokio::test]
async fn users_are_who_their_key_says_in_both_modes_until_it_is_off() {
    for mode in [Mode::Enforce, Mode::Open] {
        let ground = Ground::new(mode).await;
        let key = ground.user_key("jane").await;
        assert_eq!(code(ground.call(&key, "codebuild").await), "arn:aws:iam::000000000000:user/jane");
        let status = |status: &str| UpdateAccessKeyInput {
            user_name: Some("jane".into()),
            access_key_id: Some(key.access_key_id.clone()),
            status: Some(status.into()),
        };
        ground.service.update_access_key(&root(), status("Inactive")).await.unwrap();
        let off = code(ground.call(&key, "codebuild").await);
        let expected =
            if mode == Mode::Open { "arn:aws:iam::000000000000:root" } else { "UnrecognizedClientException" };
        assert_eq!(off, expected);
        ground.service.update_access_key(&root(), status("Active")).await.unwrap();
        assert!(ground.call(&key, "codebuild").await.is_ok());
        let delete =
            DeleteAccessKeyInput { user_name: Some("jane".into()), access_key_id: Some(key.access_key_id.clone()) };
        ground.service.delete_access_key(&root(), delete).await.unwrap();
        assert_eq!(code(ground.call(&key, "codebuild").await), expected);
    }
}

#[tokio::test]
async fn sessions_end_and_cannot_be_changed_or_swapped() {
    let ground = Ground::new(Mode::Enforce).await;
    ground.role("build", r#"{"Service":"codebuild.amazonaws.com"}"#).await;
    let scope = Scope::new(ACCOUNT, "eu-west-1");
    let role = "arn:aws:iam::000000000000:role/build";
    let caller = ground.service.assume(&scope, role, "codebuild.amazonaws.com", "b-1").await.unwrap();
    let session = async || ground.service.session_credentials(&caller, Duration::from_secs(900)).await.unwrap();
    let (one, two) = (session().await, session().await);
    assert_eq!(code(ground.call(&one, "s3").await), "arn:aws:sts::000000000000:assumed-role/build/b-1");
    let mut swapped = one.clone();
    swapped.session_token.clone_from(&two.session_token);
    assert_eq!(code(ground.call(&swapped, "codebuild").await), "UnrecognizedClientException");
    let mut tampered = one.clone();
    tampered.session_token = one.session_token.as_ref().map(|token| format!("{token}A"));
    assert_eq!(code(ground.call(&tampered, "codebuild").await), "UnrecognizedClientException");
    let tokenless = key(&one.access_key_id, &one.secret_access_key);
    assert_eq!(code(ground.call(&tokenless, "codebuild").await), "UnrecognizedClientException");
    ground.clock.advance(Duration::from_secs(900));
    assert_eq!(code(ground.call_at(&one, "codebuild", 900).await), "ExpiredTokenException");
}

#[tokio::test]
async fn a_session_ends_with_its_role() {
    for mode in [Mode::Enforce, Mode::Open] {
        let ground = Ground::new(mode).await;
        let trust = r#"{"Service":"codebuild.amazonaws.com"}"#;
        ground.role("build", trust).await;
        let scope = Scope::new(ACCOUNT, "eu-west-1");
        let role = "arn:aws:iam::000000000000:role/build";
        let caller = ground.service.assume(&scope, role, "codebuild.amazonaws.com", "b-1").await.unwrap();
        let session = ground.service.session_credentials(&caller, Duration::from_secs(900)).await.unwrap();
        assert!(ground.call(&session, "codebuild").await.is_ok());
        let gone = DeleteRoleInput { role_name: Some("build".into()) };
        ground.service.delete_role(&root(), gone).await.unwrap();
        assert_eq!(code(ground.call(&session, "codebuild").await), "UnrecognizedClientException");
        ground.role("build", trust).await;
        assert_eq!(code(ground.call(&session, "codebuild").await), "UnrecognizedClientException", "another role");
    }
}

#[tokio::test]
async fn sessions_of_roles_that_were_never_created_are_for_open_mode() {
    let ground = Ground::new(Mode::Open).await;
    let scope = Scope::new(ACCOUNT, "eu-west-1");
    let role = "arn:aws:iam::000000000000:role/unseen";
    let caller = ground.service.assume(&scope, role, "codebuild.amazonaws.com", "b-1").await.unwrap();
    let session = ground.service.session_credentials(&caller, Duration::from_secs(900)).await.unwrap();
    assert_eq!(code(ground.call(&session, "codebuild").await), "arn:aws:sts::000000000000:assumed-role/unseen/b-1");
    let ground = Ground::in_folder(ground.stop(), Mode::Enforce).await;
    assert_eq!(code(ground.call(&session, "codebuild").await), "UnrecognizedClientException");
}

#[tokio::test]
async fn open_mode_lets_anybody_in_as_the_root_of_their_account() {
    let ground = Ground::new(Mode::Open).await;
    for (id, account) in [("test", ACCOUNT), ("123456789012", "123456789012"), ("AKIAIOSFODNN7EXAMPLE", ACCOUNT)] {
        let caller = ground.call(&key(id, "any"), "codebuild").await.unwrap();
        assert_eq!((caller.account.as_str(), caller.region.as_str()), (account, "eu-west-1"));
        assert_eq!(caller.principal, Principal::Root);
    }
    let mut parts = signed(&key("test", "any"), "codebuild", NOW, b"{}");
    parts.headers.remove("authorization");
    let caller = ground.door.authenticate(&parts, b"{}", "r", None).await.unwrap();
    assert_eq!(caller.scope(), Scope::new(ACCOUNT, "us-east-1"));
    let mut foreign = key("ASIAIOSFODNN7EXAMPLE", "any");
    foreign.session_token = Some("a token of AWS".into());
    assert!(ground.call(&foreign, "codebuild").await.is_ok());
    let wrong = key(&ground.root_key().access_key_id, "not its secret");
    assert_eq!(code(ground.call(&wrong, "codebuild").await), "InvalidSignatureException");
}

#[tokio::test]
async fn a_signature_that_cannot_be_read_is_still_one() {
    let ground = Ground::new(Mode::Enforce).await;
    let request = |target: &str, authorization: Option<&str>| {
        let builder = http::Request::get(target).header("host", "h");
        let builder = authorization.into_iter().fold(builder, |builder, value| builder.header("authorization", value));
        builder.body(()).unwrap()
    };
    let presigned = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=999999999";
    for (request, signed, why) in [
        (request("/b/k", Some("AWS4-HMAC-SHA256 Credential=x")), true, "exactly 5 slash-delimited"),
        (request(presigned, None), true, "X-Amz-Expires must be less than a week (in seconds) that is 604800"),
        (request("/b/k", Some("AWS KEY:signature")), false, "Unsupported authorization type"),
        (request("/b/k", None), false, "Missing Authentication Token"),
    ] {
        assert_eq!(ground.door.is_signed(&request), signed);
        assert_eq!(ground.door.claimed_service(&request), None);
        let (parts, ()) = request.into_parts();
        let error = ground.door.authenticate_streamed(&parts, "r", None).await.unwrap_err();
        assert!(error.message.contains(why), "{error}");
    }
}
