//! The wire: Amazon S3's REST API by the crate `s3s`.
//!
//! The listener has authenticated a request before it comes here and left the [`Caller`] in its extensions. The wire
//! takes the signature off ([`request`]), decodes `aws-chunked` bodies ([`chunked`]), lets s3s read and write the
//! protocol, and calls [`aws::s3::S3`] and [`aws::s3::Settings`] ([`operations`]). Virtual-host style becomes path style
//! before that ([`request`]): the signature was over the path as it was sent. Policy lives behind that trait, in its gate.

mod buckets;
mod chunked;
mod convert;
mod integrity;
mod limits;
mod listings;
mod objects;
mod operations;
mod origin;
mod overlooked;
mod refusals;
mod request;
mod rest;
mod settings;
mod tagging;
mod uploads;

pub use chunked::ChunkSigning;
pub use operations::BUILT_OPERATIONS;

use aws::Error;
use aws::s3::{S3, Settings};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use kernel::Caller;
use origin::Page;
use rest::Rest;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3ErrorCode};
use std::io;
use std::sync::Arc;

/// How many operations AWS's model of S3 has (botocore 1.44.0).
pub const MODELLED_OPERATIONS: usize = 116;

/// The body of a reply.
pub type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;

/// Speaks S3's REST API over a gated [`S3`] with its [`Settings`]. Cheap to clone.
#[derive(Clone)]
pub struct Wire {
    service: S3Service,
    settings: Arc<dyn Settings>,
    public_host: Option<Arc<str>>,
    trusting: bool,
}

impl Wire {
    /// The wire over `s3`, for callers whose signatures were verified.
    pub fn new<T: S3 + Settings + 'static>(s3: Arc<T>) -> Self {
        let settings: Arc<dyn Settings> = Arc::clone(&s3) as _;
        let adapter = operations::Adapter { settings: Arc::clone(&settings), s3 };
        Self { service: S3ServiceBuilder::new(adapter).build(), settings, public_host: None, trusting: false }
    }

    /// As [`Wire::new`] for `--auth open`: the signatures of chunks are not verified where the listener could not
    /// derive their key.
    #[must_use]
    pub fn trusting(mut self) -> Self {
        self.trusting = true;
        self
    }

    /// With the host of `--public-url`, below which buckets have hosts of their own.
    #[must_use]
    pub fn public_host(mut self, host: Option<&str>) -> Self {
        self.public_host = host.map(Arc::from);
        self
    }

    /// Brings a request into path style for good. Signature version 2 is over the bucket and not over the host: it must be
    /// verified over the bucket that the request will be answered from.
    pub fn name_bucket_in_path(&self, parts: &mut Parts) {
        parts.uri = request::in_path_style(parts, self.public_host.as_deref());
        parts.extensions.insert(request::InPathStyle);
    }

    /// Answers one request. Its extensions hold the [`Caller`] (else the request is anonymous, which nothing allows) and,
    /// for bodies with signed chunks, [`ChunkSigning`].
    pub async fn serve<B>(&self, request: Request<B>) -> Response<ReplyBody>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut parts, body) = request.into_parts();
        parts.uri = request::in_path_style(&parts, self.public_host.as_deref());
        let (version, rest) = (parts.version, Rest::of(body));
        let page = Page::of(&parts.method, &parts.uri, &parts.headers);
        let request = Request::from_parts(parts, rest.clone());
        let reply = match page {
            Some(page) => self.answer_page(&page, request).await,
            None => self.answer(request).await,
        };
        rest.settle(version, reply).await
    }

    async fn answer_page(&self, page: &Page, request: Request<Rest>) -> Response<ReplyBody> {
        if page.is_preflight() {
            return page.preflight(&*self.settings).await.unwrap_or_else(|error| Self::error(&error, ""));
        }
        let mut reply = self.answer(request).await;
        page.admit(&*self.settings, &mut reply).await;
        reply
    }

    async fn answer(&self, request: Request<Rest>) -> Response<ReplyBody> {
        if let Err(error) = limits::check_form(request.method(), request.headers()) {
            return Self::error(&error, "");
        }
        let Some(caller) = request.extensions().get::<Caller>().cloned() else {
            return Self::error(&request::anonymous(request.headers(), request.uri()), "");
        };
        let headers = request.headers();
        let allowed = limits::check(headers)
            .and_then(|()| limits::check_owner(headers, &caller.account))
            .and_then(|()| limits::check_target(request.method(), request.uri()));
        if let Err(error) = allowed {
            return Self::error(&error, &caller.request_id);
        }
        let prepared = match request::prepare(request, self.trusting).await {
            Ok(prepared) => prepared,
            Err(error) => return Self::error(&error, &caller.request_id),
        };
        match self.service.call(prepared).await {
            Ok(reply) => {
                let reply = reply.map(|body| body.map_err(io::Error::other).boxed_unsync());
                refusals::complete(reply, &caller.request_id).await
            }
            Err(failure) => Self::error(&Error::internal(format!("{failure:?}")), &caller.request_id),
        }
    }

    /// Refuses a request that did not come as far as [`Wire::serve`], and reads what is left of it.
    pub async fn refuse<B>(request: Request<B>, error: &Error, request_id: &str) -> Response<ReplyBody>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let version = request.version();
        Rest::of(request.into_body()).settle(version, Self::error(error, request_id)).await
    }

    /// An error in S3's XML.
    fn error(error: &Error, request_id: &str) -> Response<ReplyBody> {
        match to_s3s(error.clone(), request_id).to_http_response() {
            Ok(reply) => reply.map(|body| body.map_err(io::Error::other).boxed_unsync()),
            Err(failure) => {
                tracing::error!(%failure, "an S3 error could not be written");
                let mut reply = Response::new(Full::default().map_err(|never| match never {}).boxed_unsync());
                *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                reply
            }
        }
    }
}

/// Our error as that of s3s, with S3's word for a failure of the server.
fn to_s3s(error: Error, request_id: &str) -> S3Error {
    let code = if error.is("InternalFailure") { "InternalError" } else { error.code.as_str() };
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut answer = S3Error::with_message(code, error.message.clone());
    if let Ok(status) = StatusCode::from_u16(error.status) {
        answer.set_status_code(status);
    }
    if !request_id.is_empty() {
        answer.set_request_id(request_id);
    }
    answer.set_headers(headers_of(&error));
    answer
}

/// What S3 says of delete markers in headers.
fn headers_of(error: &Error) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if error.members.contains_key("DeleteMarker") {
        headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    }
    let version_id = error.members.get("VersionId").and_then(|id| id.as_str());
    if let Some(value) = version_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert("x-amz-version-id", value);
    }
    headers
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use aws::s3::error;

    async fn text(reply: Response<ReplyBody>) -> String {
        String::from_utf8(reply.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn errors_have_the_shape_and_status_of_s3() {
        let reply = Wire::error(&error::no_such_key("a<b"), "r-1");
        assert_eq!(reply.status(), 404);
        let xml = text(reply).await;
        assert!(
            xml.contains("<Code>NoSuchKey</Code>")
                && xml.contains("a&lt;b")
                && xml.contains("<RequestId>r-1</RequestId>"),
            "{xml}"
        );
        let reply = Wire::error(&Error::modelled("Odd", 418, "m"), "r");
        assert_eq!(reply.status(), 418);
        assert!(text(reply).await.contains("<Code>Odd</Code>"));
        let reply = Wire::error(&Error::internal("secret cause"), "r");
        let xml = text(reply).await;
        assert!(xml.contains("InternalError") && !xml.contains("secret"), "{xml}");
    }

    #[test]
    fn delete_markers_are_told_in_headers() {
        let error = error::no_such_key("k").with("DeleteMarker", true).with("VersionId", "v1");
        let reply = Wire::error(&error, "r");
        assert_eq!(reply.headers()["x-amz-delete-marker"], "true");
        assert_eq!(reply.headers()["x-amz-version-id"], "v1");
    }
}
