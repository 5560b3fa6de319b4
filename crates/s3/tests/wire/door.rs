use crate::server::Server;
use http::{Method, Request};
use http_body_util::Full;

#[tokio::test]
async fn nobody_is_let_in_without_a_caller() {
    let server = Server::start().await;
    let request = Request::builder().uri("/house").body(Full::default()).unwrap();
    assert_eq!(server.serve(request).await.refusal(), (403, "AccessDenied"));
    let version_two = "/house/k?AWSAccessKeyId=a&Signature=b%3D&Expires=1";
    let request = Request::builder().uri(version_two).body(Full::default()).unwrap();
    let refused = server.serve(request).await;
    assert_eq!(refused.refusal(), (400, "InvalidRequest"));
    assert!(refused.body.contains("Please use AWS4-HMAC-SHA256."));
}

#[tokio::test]
async fn signatures_that_were_verified_are_not_looked_at_again() {
    let server = Server::start().await;
    let headers = [("authorization", "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=00")];
    assert_eq!(server.send(Method::PUT, "/house/k", &headers, b"x").await.status, 200);
    let presigned = "/house/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=1\
                     &X-Amz-SignedHeaders=host&X-Amz-Signature=00&response-content-type=a%2Fb";
    let reply = server.call(Method::GET, presigned, "").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str(), reply.header("content-type")), (200, "x", "a/b"));
    let version_two = "/house/k?AWSAccessKeyId=a&Signature=b%3D&Expires=1";
    assert_eq!(server.call(Method::GET, version_two, "").await.status, 200);
}

#[tokio::test]
async fn errors_carry_the_request_id() {
    let server = Server::start().await;
    let reply = server.call(Method::GET, "/house/none", "").await;
    assert_eq!(reply.refusal(), (404, "NoSuchKey"));
    assert_eq!(reply.element("RequestId"), Some("request-1"));
}
