use crate::server::Server;
use http::{Method, Request};
use http_body_util::Full;
use kernel::{Caller, Scope};
use sigv4::{CredentialScope, SigningKey, sha256_hex};

const FORM: &str = "x-amz-content-sha256";

#[tokio::test]
async fn a_body_must_have_the_hash_that_was_signed() {
    let server = Server::start().await;
    let (right, wrong) = (sha256_hex(b"content"), sha256_hex(b"other"));
    let put = async |hash: &str| server.send(Method::PUT, "/house/k", &[(FORM, hash)], b"content").await;
    assert_eq!(put(&right).await.status, 200);
    assert_eq!(put(&wrong).await.refusal(), (400, "XAmzContentSHA256Mismatch"));
    let xml = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let set = async |hash: &str| server.send(Method::PUT, "/house?versioning", &[(FORM, hash)], xml).await;
    assert_eq!(set(&wrong).await.refusal(), (400, "XAmzContentSHA256Mismatch"));
    assert_eq!(set(&sha256_hex(xml)).await.status, 200);
}

#[tokio::test]
async fn unsigned_chunks_are_decoded_and_their_trailer_checked() {
    let server = Server::start().await;
    let put = async |framed: &str| {
        let headers = [
            (FORM, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
            ("content-encoding", "gzip,aws-chunked"),
        ];
        server.send(Method::PUT, "/house/k", &headers, framed.as_bytes()).await
    };
    let reply = put("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n").await;
    assert_eq!((reply.status.as_u16(), reply.header("x-amz-checksum-crc32")), (200, "NhCmhg=="));
    let got = server.call(Method::GET, "/house/k", "").await;
    assert_eq!((got.body.as_str(), got.header("content-encoding")), ("hello", "gzip"));
    assert_eq!(put("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n").await.refusal(), (400, "BadDigest"));
    assert_eq!(put("5\r\nhello\r\n0\r\n\r\n").await.refusal(), (400, "InvalidRequest"));
    assert_eq!(put("4\r\nhell\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n").await.refusal(), (400, "IncompleteBody"));
    assert_eq!(put("zz\r\nhello").await.refusal(), (400, "IncompleteBody"));
}

fn signing() -> s3::ChunkSigning {
    let scope = CredentialScope { day: "20231114".into(), region: "us-east-1".into(), service: "s3".into() };
    let key = SigningKey::derive("secret", &scope);
    s3::ChunkSigning { key, scope, time: "20231114T221320Z".to_owned(), seed: "00".repeat(32) }
}

/// `content` as one signed chunk and the end.
fn signed(content: &str) -> String {
    let mut signing = signing();
    let mut framed = String::new();
    for part in [content, ""] {
        let s3::ChunkSigning { key, scope, time, seed } = &signing;
        let hash = sha256_hex(part.as_bytes());
        let empty = sigv4::EMPTY_SHA256;
        let signature = key.sign(&format!("AWS4-HMAC-SHA256-PAYLOAD\n{time}\n{scope}\n{seed}\n{empty}\n{hash}"));
        framed += &format!("{:x};chunk-signature={signature}\r\n{part}\r\n", part.len());
        signing.seed = signature;
    }
    framed
}

async fn put_signed(server: &Server, framed: String, signing: Option<s3::ChunkSigning>) -> (u16, String) {
    let mut request = Request::builder()
        .method(Method::PUT)
        .uri("/house/k")
        .header(FORM, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        .header("x-amz-decoded-content-length", 5)
        .body(Full::from(framed))
        .unwrap();
    request.extensions_mut().insert(Caller::root(&Scope::new("111111111111", "us-east-1"), "r"));
    if let Some(signing) = signing {
        request.extensions_mut().insert(signing);
    }
    let reply = server.serve(request).await;
    let (status, code) = reply.refusal();
    (status, code.to_owned())
}

#[tokio::test]
async fn signed_chunks_are_verified_or_refused() {
    let mut server = Server::start().await;
    let refused = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(put_signed(&server, signed("hello"), Some(signing())).await, refused(200, ""));
    assert_eq!(server.call(Method::GET, "/house/k", "").await.body, "hello");
    let forged = signed("hello").replace("hello", "hullo");
    assert_eq!(put_signed(&server, forged.clone(), Some(signing())).await, refused(403, "SignatureDoesNotMatch"));
    assert_eq!(put_signed(&server, signed("hello"), None).await, refused(501, "NotImplemented"));
    server.wire = server.wire.trusting();
    assert_eq!(put_signed(&server, forged, None).await, refused(200, ""));
}

#[tokio::test]
async fn two_checksums_or_an_unknown_one_are_refused() {
    let server = Server::start().await;
    let two = [("x-amz-checksum-crc32", "NhCmhg=="), ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00=")];
    assert_eq!(server.send(Method::PUT, "/house/k", &two, b"hello").await.refusal(), (400, "InvalidRequest"));
    let one = server.send(Method::PUT, "/house/k", &two[1..], b"hello").await;
    assert_eq!((one.status.as_u16(), one.header("x-amz-checksum-sha1")), (200, two[1].1));
    let head = server.send(Method::HEAD, "/house/k", &[("x-amz-checksum-mode", "ENABLED")], b"").await;
    assert_eq!(head.header("x-amz-checksum-sha1"), two[1].1);
    assert_eq!(server.call(Method::HEAD, "/house/k", "").await.header("x-amz-checksum-sha1"), "");
}
