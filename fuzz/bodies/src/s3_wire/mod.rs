//! `s3`: S3's REST API around the crate s3s: hosts and paths, headers and ranges, XML, `aws-chunked` bodies.
//!
//! Held: each request is answered, in a status of HTTP and in bounded size; it does the same, with the same content,
//! however its body is cut into pieces; a setting that was put is shown so that, put again, it is the same.

mod stub;

use crate::input::HttpRequest;
use bytes::Bytes;
use futures::stream;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use kernel::{Caller, Scope};
use s3::Wire;
use std::convert::Infallible;
use std::sync::Arc;
use stub::{Call, Recorder};

/// The body.
pub fn body(data: &[u8]) {
    let Some(sent) = HttpRequest::read(data).filter(HttpRequest::is_http) else { return };
    let whole = ask(&sent, usize::MAX);
    let size = usize::from(data[0] % 7) + 1;
    assert_eq!(ask(&sent, size), whole, "in pieces of {size}");
    let (_, _, calls) = whole;
    for call in calls {
        if let Call::Setting(kind, setting) = call {
            show(&sent, kind, &setting);
        }
    }
}

type Done = (StatusCode, Vec<u8>, Vec<Call>);

fn ask(sent: &HttpRequest<'_>, size: usize) -> Done {
    let recorder = Arc::new(Recorder::default());
    let wire = Wire::new(Arc::clone(&recorder)).trusting().public_host(Some("s3.example.org"));
    let reply = answer(&wire, sent, size);
    let calls = std::mem::take(&mut *recorder.calls.lock().unwrap());
    (reply.0, reply.1, calls)
}

fn answer(wire: &Wire, sent: &HttpRequest<'_>, size: usize) -> (StatusCode, Vec<u8>) {
    let pieces: Vec<_> = sent.body.chunks(size.max(1)).map(frame).collect();
    let mut request = Request::builder().method(sent.method).uri(sent.target);
    for (name, value) in &sent.headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(StreamBody::new(stream::iter(pieces))).unwrap();
    request.extensions_mut().insert(Caller::root(&Scope::new("111111111111", "us-east-1"), "request-1"));
    let (parts, body) = block_on(wire.serve(request)).into_parts();
    // A body that breaks off is an answer, too.
    let body = block_on(body.collect()).map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    assert!(body.len() <= 4_000 + 8 * (sent.target.len() + sent.body.len()), "{} bytes", body.len());
    (parts.status, body)
}

fn frame(piece: &[u8]) -> Result<http_body::Frame<Bytes>, Infallible> {
    Ok(http_body::Frame::data(Bytes::copy_from_slice(piece)))
}

/// What S3 shows of a setting is taken as that setting.
fn show(sent: &HttpRequest<'_>, kind: aws::s3::SettingKind, setting: &aws::s3::Setting) {
    let recorder = Arc::new(Recorder { setting: Some(setting.clone()), ..Recorder::default() });
    let wire = Wire::new(Arc::clone(&recorder)).trusting().public_host(Some("s3.example.org"));
    let headers: Vec<(&str, &[u8])> = sent.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host")).copied().collect();
    let get = HttpRequest { method: "GET", target: sent.target, headers: headers.clone(), body: &[] };
    let (status, shown) = answer(&wire, &get, usize::MAX);
    assert_eq!(status, StatusCode::OK, "{kind:?} {}", String::from_utf8_lossy(&shown));
    let length = shown.len().to_string();
    let headers = headers.into_iter().chain([("content-length", length.as_bytes())]).collect();
    let put = HttpRequest { method: Method::PUT.as_str(), target: sent.target, headers, body: &shown };
    answer(&wire, &put, usize::MAX);
    let again: Vec<Call> = recorder.calls.lock().unwrap().clone();
    let same = again.iter().any(|call| matches!(call, Call::Setting(_, again) if again == setting));
    assert!(same, "{setting:?} is shown as {}: {again:?}", String::from_utf8_lossy(&shown));
}

/// The wire has time limits, which want a runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
