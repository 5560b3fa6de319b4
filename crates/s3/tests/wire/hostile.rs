use crate::server::Server;
use http::Method;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

#[tokio::test]
async fn nonsense_is_refused_and_the_server_lives_on() {
    let server = Server::start().await;
    let deep = "<Delete>".repeat(2_000);
    let many = format!("<Delete>{}</Delete>", "<Object><Key>k</Key></Object>".repeat(1_001));
    let bodies: [&[u8]; 6] = [b"", b"{}", b"<Delete>", b"\xff\xfe", deep.as_bytes(), many.as_bytes()];
    for body in bodies {
        let reply = server.send(Method::POST, "/house?delete", &[], body).await;
        assert!(reply.status.is_client_error(), "{:?}: {} {}", body.get(..20), reply.status, reply.body);
    }
    for uri in
        ["/house/%FF", "/house/a%00b", "/Bad_Name", "/..", "/house?versionId", "//", "/house/k?partNumber=x&uploadId=y"]
    {
        let reply = server.call(Method::PUT, uri, "x").await;
        assert!(!reply.status.is_success(), "{uri}: {}", reply.status);
        assert!(reply.status != 500, "{uri}: {}", reply.body);
    }
    let key = "k".repeat(1025);
    let refused = server.call(Method::PUT, &format!("/house/{key}"), "x").await;
    assert_eq!(refused.refusal(), (400, "KeyTooLongError"));
    assert!(refused.body.contains("at most 1024 bytes") && refused.element("RequestId") == Some("request-1"));
    let value = "v".repeat(2048);
    let large = [("x-amz-meta-a", value.as_str())];
    assert_eq!(server.send(Method::PUT, "/house/k", &large, b"x").await.refusal(), (400, "MetadataTooLarge"));
    assert_eq!(server.call(Method::PUT, "/house/k", "still here").await.status, 200);
}

#[tokio::test]
async fn paths_stay_keys() {
    let server = Server::start().await;
    for key in ["../../etc/passwd", "a/../b", "./x", "a//b", "/lead"] {
        let uri = format!("/house/{}", key.replace("..", "%2E%2E"));
        assert_eq!(server.call(Method::PUT, &uri, "x").await.status, 200, "{key}");
        let listed = server.call(Method::GET, "/house?list-type=2", "").await;
        assert!(listed.body.contains(&format!("<Key>{key}</Key>")), "{key}: {}", listed.body);
    }
}

/// What may stand behind the question mark.
const RESOURCES: &[&str] = &[
    "",
    "acl",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "lifecycle",
    "list-type=2",
    "logging",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber=1",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "tagging",
    "uploadId=u",
    "uploads",
    "versionId=v",
    "versioning",
    "versions",
    "website",
];

/// Documents that are almost what is asked for.
fn document() -> impl Strategy<Value = String> {
    let names = "(Tagging|TagSet|Tag|Key|Value|Rule|Status|Filter|Delete|Object|LifecycleConfiguration|CORSRule|Days)";
    let leaf = prop_oneof!["[a-z0-9<&;]{0,8}", Just("Enabled".to_owned()), Just("-1".to_owned())];
    leaf.prop_recursive(4, 16, 3, move |inner| {
        (names, prop::collection::vec(inner, 0..3))
            .prop_map(|(name, inner)| format!("<{name}>{}</{name}>", inner.concat()))
    })
}

#[test]
fn no_document_makes_the_server_fail() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let method = prop::sample::select(vec![Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::HEAD]);
    let path = prop::sample::select(vec!["/house", "/house/k", "/none"]);
    let asked = (method, path, prop::sample::select(RESOURCES), document());
    let tried = TestRunner::default().run(&asked, |(method, path, resource, document)| {
        let reply = runtime.block_on(server.send(method, &format!("{path}?{resource}"), &[], document.as_bytes()));
        prop_assert!(reply.status.as_u16() < 500 || reply.status == 501, "{}: {}", reply.status, reply.body);
        Ok(())
    });
    tried.unwrap();
}
