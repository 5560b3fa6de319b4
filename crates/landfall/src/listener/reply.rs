//! Replies as HTTP.

use aws::protocol;
use bytes::Bytes;
use http::{HeaderValue, Response};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use std::io;

/// The body of every reply: bytes, or a stream.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A body of known bytes.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A plain-text reply.
pub(super) fn text(status: u16, text: impl Into<Bytes>) -> Response<Body> {
    response(status, "text/plain; charset=utf-8", text.into())
}

/// A reply of AWS's JSON or query protocol.
pub(super) fn api(reply: protocol::Reply) -> Response<Body> {
    let mut response = response(reply.status, &reply.content_type, reply.body);
    if let Some(value) = reply.error_type.and_then(|code| HeaderValue::from_str(&code).ok()) {
        response.headers_mut().insert("x-amzn-errortype", value);
    }
    response
}

/// Git asks without credentials first: it must be told to send some.
pub(super) fn git_denied(denied: &iam::GitDenied) -> Response<Body> {
    let mut response = text(401, format!("{denied}\n"));
    response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Basic realm=\"landfall\""));
    response
}

/// With leave for a browser to show it and run its scripts, but not in this server's name: an object is anybody's, and
/// the console's pages are on the same origin.
pub(super) fn apart(mut response: Response<Body>) -> Response<Body> {
    let sandbox =
        HeaderValue::from_static("sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts");
    response.headers_mut().insert("content-security-policy", sandbox);
    response
}

/// The id under which the log has the request.
pub(super) fn with_request_id(mut response: Response<Body>, request_id: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().entry("x-amz-request-id").or_insert_with(|| value.clone());
        response.headers_mut().insert("x-amzn-requestid", value);
    }
    response
}

fn response(status: u16, content_type: &str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert("content-type", value);
    }
    response
}
