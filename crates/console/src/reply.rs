//! Answers as HTTP, each with the headers that keep a page to itself.

use std::io;

use bytes::Bytes;
use futures::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};

/// The body of every answer: bytes, or a stream.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What every answer says to browsers.
const GUARDS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // Stricter would have browsers send forms with `Origin: null` (Fetch, "append a request `Origin` header").
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
];

/// A page. Its style and script are those that carry the nonce: not even another file of this server will do, since
/// buckets are served by it, too.
pub(crate) fn page(status: StatusCode, nonce: &str, html: String) -> Response<Body> {
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = bytes(status, "text/html; charset=utf-8", html.into());
    header(&mut response, "content-security-policy", &policy);
    response
}

/// Known bytes that load nothing further.
pub(crate) fn bytes(status: StatusCode, content_type: &str, bytes: Bytes) -> Response<Body> {
    let mut response = guarded(Full::new(bytes).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    header(&mut response, CONTENT_TYPE.as_str(), content_type);
    response
}

/// A stream of texts.
pub(crate) fn stream<S>(content_type: &str, texts: S) -> Response<Body>
where
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    let frames = futures::StreamExt::map(texts, |text| text.map(Frame::data));
    let mut response = guarded(StreamBody::new(frames).boxed_unsync());
    header(&mut response, CONTENT_TYPE.as_str(), content_type);
    // Proxies are to pass on what there is.
    header(&mut response, "x-accel-buffering", "no");
    response
}

/// "See the page at": what a form that was taken answers.
pub(crate) fn see(address: &str) -> Response<Body> {
    let mut response = bytes(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    header(&mut response, LOCATION.as_str(), address);
    response
}

/// With a cookie.
pub(crate) fn with_cookie(mut response: Response<Body>, cookie: &str) -> Response<Body> {
    header(&mut response, SET_COOKIE.as_str(), cookie);
    response
}

/// With leave to keep it for ever: its address changes with its content.
pub(crate) fn lasting(mut response: Response<Body>) -> Response<Body> {
    header(&mut response, CACHE_CONTROL.as_str(), "public, max-age=31536000, immutable");
    response
}

fn guarded(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    for (name, value) in GUARDS {
        header(&mut response, name, value);
    }
    header(&mut response, CACHE_CONTROL.as_str(), "no-store");
    header(&mut response, "content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox");
    response
}

fn header(response: &mut Response<Body>, name: &str, value: &str) {
    // Both are ours: fixed names, and values whose foreign parts are percent-encoded.
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_guarded() {
        let page = page(StatusCode::OK, "n0nce", String::new());
        let others = [
            bytes(StatusCode::OK, "text/plain", Bytes::new()),
            see("/x"),
            stream("text/plain", futures::stream::empty()),
        ];
        for response in others.iter().chain([&page]) {
            for (name, value) in GUARDS {
                assert_eq!(response.headers()[name], value);
            }
            let policy = response.headers()["content-security-policy"].to_str().unwrap_or_default();
            assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"));
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
        let policy = page.headers()["content-security-policy"].to_str().unwrap_or_default();
        assert!(policy.contains("script-src 'nonce-n0nce'"));
    }
}
