use crate::server::Server;
use http::Method;

/// What is put, and where.
const DOCUMENTS: &[(&str, &str)] = &[
    (
        "cors",
        "<CORSConfiguration><CORSRule><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
         </CORSRule></CORSConfiguration>",
    ),
    (
        "encryption",
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
         </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
    ),
    (
        "lifecycle",
        "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix>a</Prefix></Filter>\
         <Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>",
    ),
    (
        "ownershipControls",
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
    ),
    (
        "publicAccessBlock",
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
    ),
    ("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"),
];

#[tokio::test]
async fn documents_come_back_by_their_own_names() {
    let server = Server::start().await;
    for (resource, document) in DOCUMENTS {
        let uri = format!("/house?{resource}");
        let put = server.call(Method::PUT, &uri, document).await;
        assert!(put.status.is_success(), "{resource}: {}", put.body);
        let found = server.call(Method::GET, &uri, "").await;
        let inner = document.split_once('>').map(|(name, _)| name.trim_start_matches('<'));
        assert!(inner.is_some_and(|name| found.body.contains(&format!("<{name}"))), "{resource}: {}", found.body);
        assert_eq!(server.call(Method::DELETE, &uri, "").await.status, 204, "{resource}");
    }
}

#[tokio::test]
async fn a_document_is_what_its_digest_says() {
    let server = Server::start().await;
    let (_, document) = DOCUMENTS[5];
    let wrong = [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")];
    let refused = server.send(Method::PUT, "/house?tagging", &wrong, document.as_bytes()).await;
    assert_eq!(refused.refusal(), (400, "BadDigest"));
    assert_eq!(server.call(Method::GET, "/house?tagging", "").await.refusal(), (404, "NoSuchTagSet"));
}

#[tokio::test]
async fn a_policy_is_a_text_that_comes_back_as_it_was() {
    let server = Server::start().await;
    let policy =
        r#"{ "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*",  "Resource": "arn:aws:s3:::house"}}"#;
    assert_eq!(server.call(Method::PUT, "/house?policy", policy).await.status, 204);
    assert_eq!(server.call(Method::GET, "/house?policy", "").await.body, policy);
    let status = server.call(Method::GET, "/house?policyStatus", "").await;
    assert_eq!(status.element("IsPublic"), Some("false"));
}

#[tokio::test]
async fn the_bucket_may_be_in_the_host() {
    let server = Server::start().await;
    let host = [("host", "house.s3.localhost:4566")];
    assert_eq!(server.send(Method::PUT, "/dir/k?x-id=PutObject", &host, b"x").await.status, 200);
    assert_eq!(server.call(Method::GET, "/house/dir/k", "").await.body, "x");
    let listed = server.send(Method::GET, "/?list-type=2&delimiter=%2F", &host, b"").await;
    assert_eq!(listed.element("Name"), Some("house"));
    assert!(listed.body.contains("<Prefix>dir/</Prefix>"), "{}", listed.body);
    let service = [("host", "s3.localhost:4566")];
    assert!(server.send(Method::GET, "/", &service, b"").await.body.contains("ListAllMyBucketsResult"));
}

#[tokio::test]
async fn attributes_and_tags_have_headers_and_elements_of_their_own() {
    let server = Server::start().await;
    let tagged = [("x-amz-tagging", "a=b&c=d")];
    assert_eq!(server.send(Method::PUT, "/house/k", &tagged, b"12345").await.status, 200);
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(server.call(method, "/house/k", "").await.header("x-amz-tagging-count"), "2");
    }
    let wanted = [("x-amz-object-attributes", "ETag,ObjectSize")];
    let known = server.send(Method::GET, "/house/k?attributes", &wanted, b"").await;
    assert_eq!(known.element("ObjectSize"), Some("5"), "{}", known.body);
    let etag = known.element("ETag").map(|etag| etag.trim_matches('"'));
    assert_eq!(etag, Some("827ccb0eea8a706c4c34a16891f84e7b"), "{}", known.body);
    assert_eq!(server.call(Method::DELETE, "/house/k?tagging", "").await.status, 204);
    assert!(!server.call(Method::GET, "/house/k?tagging", "").await.body.contains("<Tag>"));
}
