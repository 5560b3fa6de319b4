use crate::server::{Reply, Server};
use http::Method;

async fn filled(keys: &[&str]) -> Server {
    let server = Server::start().await;
    for key in keys {
        assert_eq!(server.call(Method::PUT, &format!("/house/{key}"), "x").await.status, 200);
    }
    server
}

/// The texts of all elements of that name.
fn all<'r>(reply: &'r Reply, name: &str) -> Vec<&'r str> {
    let open = format!("<{name}>");
    reply.body.split(open.as_str()).skip(1).filter_map(|rest| rest.split_once('<')).map(|(text, _)| text).collect()
}

#[tokio::test]
async fn pages_are_turned_by_tokens() {
    let server = filled(&["a", "b", "c"]).await;
    let first = server.call(Method::GET, "/house?list-type=2&max-keys=2", "").await;
    assert_eq!((all(&first, "Key"), first.element("IsTruncated")), (vec!["a", "b"], Some("true")));
    let token = first.element("NextContinuationToken").unwrap();
    let second = format!("/house?list-type=2&max-keys=2&continuation-token={token}");
    let second = server.call(Method::GET, &second, "").await;
    assert_eq!((all(&second, "Key"), second.element("IsTruncated")), (vec!["c"], Some("false")));
    let broken = server.call(Method::GET, "/house?list-type=2&continuation-token=broken", "").await;
    assert_eq!(broken.refusal(), (400, "InvalidArgument"));
    let negative = server.call(Method::GET, "/house?list-type=2&max-keys=-1", "").await;
    assert_eq!(negative.refusal(), (400, "InvalidArgument"));
}

#[tokio::test]
async fn the_first_version_turns_pages_by_markers() {
    let server = filled(&["a/1", "a/2", "b"]).await;
    let first = server.call(Method::GET, "/house?delimiter=/&max-keys=1", "").await;
    assert_eq!((all(&first, "Prefix"), first.element("NextMarker")), (vec!["", "a/"], Some("a/")));
    let second = server.call(Method::GET, "/house?delimiter=/&max-keys=1&marker=a/", "").await;
    assert_eq!((all(&second, "Key"), second.element("IsTruncated")), (vec!["b"], Some("false")));
}

#[tokio::test]
async fn keys_are_encoded_where_that_is_asked() {
    let server = filled(&["a%20b%2Bc%26"]).await;
    let plain = server.call(Method::GET, "/house?list-type=2", "").await;
    assert_eq!(all(&plain, "Key"), ["a b+c&amp;"]);
    let encoded = server.call(Method::GET, "/house?list-type=2&encoding-type=url", "").await;
    assert_eq!(all(&encoded, "Key"), ["a%20b%2Bc%26"]);
}

#[tokio::test]
async fn versions_and_uploads_are_listed() {
    let server = filled(&["k"]).await;
    let versions = server.call(Method::GET, "/house?versions", "").await;
    assert_eq!((all(&versions, "VersionId"), all(&versions, "IsLatest")), (vec!["null"], vec!["true"]));
    let opened = server.call(Method::POST, "/house/u?uploads", "").await;
    let id = opened.element("UploadId").unwrap();
    let uploads = server.call(Method::GET, "/house?uploads", "").await;
    assert_eq!(all(&uploads, "UploadId"), [id]);
    server.call(Method::PUT, &format!("/house/u?partNumber=3&uploadId={id}"), "part").await;
    let parts = server.call(Method::GET, &format!("/house/u?uploadId={id}"), "").await;
    assert_eq!((all(&parts, "PartNumber"), all(&parts, "Size")), (vec!["3"], vec!["4"]));
    let out_of_bounds = server.call(Method::PUT, &format!("/house/u?partNumber=10001&uploadId={id}"), "x").await;
    assert_eq!(out_of_bounds.refusal(), (400, "InvalidArgument"));
}
