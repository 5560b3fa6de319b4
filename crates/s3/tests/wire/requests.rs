use crate::server::Server;
use http::Method;

#[tokio::test]
async fn an_object_is_described_in_headers() {
    let server = Server::start().await;
    let headers = [
        ("content-type", "text/x"),
        ("cache-control", "no-store"),
        ("content-disposition", "inline"),
        ("content-language", "de"),
        ("expires", "Wed, 21 Oct 2026 07:28:00 GMT"),
        ("x-amz-meta-Note", "mine"),
    ];
    let put = server.send(Method::PUT, "/house/a%20b/%C3%BC", &headers, b"hello").await;
    assert_eq!(put.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    for method in [Method::GET, Method::HEAD] {
        let reply = server.call(method, "/house/a%20b/%C3%BC", "").await;
        for (name, value) in headers {
            assert_eq!(reply.header(name), value, "{name}");
        }
        assert_eq!(reply.header("accept-ranges"), "bytes");
        assert_eq!(reply.header("content-length"), "5");
        assert_eq!(reply.header("last-modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
    }
}

#[tokio::test]
async fn ranges_and_conditions_have_their_status() {
    let server = Server::start().await;
    let etag = server.call(Method::PUT, "/house/k", "0123456789").await.header("etag").to_owned();
    let get = async |name: &str, value: &str| server.send(Method::GET, "/house/k", &[(name, value)], b"").await;
    let part = get("range", "bytes=2-4").await;
    assert_eq!((part.status.as_u16(), part.body.as_str()), (206, "234"));
    assert_eq!((part.header("content-range"), part.header("content-length")), ("bytes 2-4/10", "3"));
    assert_eq!(get("range", "bytes=10-").await.refusal(), (416, "InvalidRange"));
    assert_eq!(get("if-none-match", &etag).await.status, 304);
    assert_eq!(get("if-match", "\"other\"").await.refusal(), (412, "PreconditionFailed"));
    assert_eq!(get("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT").await.status, 304);
    let put = server.send(Method::PUT, "/house/k", &[("if-none-match", "*")], b"x").await;
    assert_eq!(put.refusal(), (412, "PreconditionFailed"));
    let put = server.send(Method::PUT, "/house/k", &[("if-none-match", &etag)], b"x").await;
    assert_eq!(put.refusal(), (501, "NotImplemented"));
}

#[tokio::test]
async fn an_empty_object_has_a_length() {
    let server = Server::start().await;
    server.call(Method::PUT, "/house/empty", "").await;
    let reply = server.call(Method::GET, "/house/empty", "").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length"), reply.body.as_str()), (200, "0", ""));
}

#[tokio::test]
async fn delete_markers_are_told_in_headers() {
    let server = Server::start().await;
    let xml = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.call(Method::PUT, "/house?versioning", xml).await;
    assert_eq!(server.call(Method::GET, "/house?versioning", "").await.element("Status"), Some("Enabled"));
    let id = server.call(Method::PUT, "/house/k", "x").await.header("x-amz-version-id").to_owned();
    let deleted = server.call(Method::DELETE, "/house/k", "").await;
    assert_eq!((deleted.status.as_u16(), deleted.header("x-amz-delete-marker")), (204, "true"));
    let gone = server.call(Method::GET, "/house/k", "").await;
    assert_eq!((gone.status.as_u16(), gone.header("x-amz-delete-marker")), (404, "true"));
    assert_eq!(gone.header("x-amz-version-id"), deleted.header("x-amz-version-id"));
    let marker = format!("/house/k?versionId={}", deleted.header("x-amz-version-id"));
    assert_eq!(server.call(Method::GET, &marker, "").await.refusal(), (405, "MethodNotAllowed"));
    let old = server.call(Method::GET, &format!("/house/k?versionId={id}"), "").await;
    assert_eq!((old.status.as_u16(), old.body.as_str()), (200, "x"));
}

#[tokio::test]
async fn many_are_deleted_quietly_or_not() {
    let server = Server::start().await;
    server.call(Method::PUT, "/house/a", "x").await;
    let loud = server.call(Method::POST, "/house?delete", "<Delete><Object><Key>a</Key></Object></Delete>").await;
    assert_eq!((loud.status.as_u16(), loud.element("Key")), (200, Some("a")));
    let quiet = "<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object></Delete>";
    assert_eq!(server.call(Method::POST, "/house?delete", quiet).await.element("Key"), None);
}

#[tokio::test]
async fn a_bucket_has_its_region_in_a_header() {
    let server = Server::start().await;
    let head = server.call(Method::HEAD, "/house", "").await;
    assert_eq!((head.status.as_u16(), head.header("x-amz-bucket-region")), (200, "us-east-1"));
    let named = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
                 </CreateBucketConfiguration>";
    assert_eq!(server.call(Method::PUT, "/abroad", named).await.header("location"), "/abroad");
    let location = server.call(Method::GET, "/abroad?location", "").await;
    assert!(location.body.contains(">eu-west-1</LocationConstraint>"), "{}", location.body);
    let first = named.replace("eu-west-1", "us-east-1");
    let refused = server.send(Method::PUT, "/third", &[], first.as_bytes()).await;
    assert_eq!(refused.refusal(), (400, "InvalidLocationConstraint"));
}

#[tokio::test]
async fn copies_name_their_source_in_a_header() {
    let server = Server::start().await;
    server.call(Method::PUT, "/house/a%20b", "content").await;
    let copy =
        async |source: &str| server.send(Method::PUT, "/house/copy", &[("x-amz-copy-source", source)], b"").await;
    let reply = copy("/house/a%20b").await;
    assert_eq!(reply.status, 200);
    assert!(reply.element("ETag").is_some(), "{}", reply.body);
    assert_eq!(server.call(Method::GET, "/house/copy", "").await.body, "content");
    assert_eq!(copy("house/none").await.refusal(), (404, "NoSuchKey"));
    assert_eq!(copy("none-such/none").await.refusal(), (404, "NoSuchBucket"));
}

#[tokio::test]
async fn what_is_not_built_says_so() {
    let server = Server::start().await;
    let reply = server.call(Method::GET, "/house?inventory&id=a", "").await;
    assert_eq!(reply.refusal(), (501, "NotImplemented"));
    let keys = [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", "a2V5"),
    ];
    assert_eq!(server.send(Method::PUT, "/house/k", &keys, b"x").await.refusal(), (501, "NotImplemented"));
}
