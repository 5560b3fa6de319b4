//! Replies as HTTP.

use aws::protocol;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use kernel::Stop;
use std::io;

/// The body of every reply: bytes, or a stream.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A body of known bytes.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A reply that goes on until its chunks end or the server stops. A client that does not read holds the chunks back.
pub(super) fn stream(
    content_type: &'static str,
    chunks: impl Stream<Item = Bytes> + Send + 'static,
    stop: &Stop,
) -> Response<Body> {
    let stop = stop.clone();
    let chunks = chunks.take_until(Box::pin(async move { stop.stopped().await }));
    let body = StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk))));
    let mut response = Response::new(body.boxed_unsync());
    response.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    response
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
