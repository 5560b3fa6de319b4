//! The wire over a service of its own, called without a network.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use kernel::{Blobs, Caller, ManualClock, Scope, SequentialIds, Store, Timestamp};
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) struct Server {
    _dir: TempDir,
    pub(crate) wire: s3::Wire,
}

/// An answer, read to its end.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// The text of the first element of that name.
    pub(crate) fn element(&self, name: &str) -> Option<&str> {
        let rest = self.body.split_once(&format!("<{name}>"))?.1;
        Some(rest.split_once(&format!("</{name}>"))?.0)
    }

    /// Status and error code.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.element("Code").unwrap_or_default())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Server {
    /// With the bucket `house`.
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_700_000_000)));
        let store = Store::open(dir.path(), Arc::clone(&clock) as _).unwrap();
        let service = s3::Service::new(s3::Dependencies {
            documents: store.service("s3"),
            blobs: Blobs::open(dir.path(), "s3").unwrap(),
            clock,
            ids: Arc::new(SequentialIds::new(0)),
        });
        let server = Self { _dir: dir, wire: s3::Wire::new(service) };
        assert_eq!(server.call(Method::PUT, "/house", "").await.status, 200);
        server
    }

    pub(crate) async fn call(&self, method: Method, uri: &str, body: &'static str) -> Reply {
        self.send(method, uri, &[], body.as_bytes()).await
    }

    pub(crate) async fn send(&self, method: Method, uri: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = Request::builder().method(method).uri(uri).header("content-length", body.len());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
        request.extensions_mut().insert(Caller::root(&Scope::new("111111111111", "us-east-1"), "request-1"));
        self.serve(request).await
    }

    pub(crate) async fn serve(&self, request: Request<Full<Bytes>>) -> Reply {
        let (parts, body) = self.wire.serve(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }
}
