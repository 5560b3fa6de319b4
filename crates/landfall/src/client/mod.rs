//! A small AWS client: signed calls in AWS's JSON and query protocols, S3's simplest, and the operator's.
//! The demo and the commands use nothing else, so what they do any SDK can do.

mod connection;
mod error;
mod find;
mod key;
mod patient;
mod reply;

pub(crate) use error::CallError;
pub(crate) use find::{Found, ServerArguments, named, running};
pub(crate) use key::AccessKey;
pub(crate) use patient::Patient;
pub(crate) use reply::{element, part};

use crate::exit::user_error;
use aws::{Model, Protocol};
use bytes::Bytes;
use connection::Http;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kernel::{Clock, SystemClock};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sigv4::{AmzDate, Payload, Signer};
use std::path::Path;
use std::time::Duration;

/// How long a call may take, unless the caller says else.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Speaks to one server with one access key in one region.
#[derive(Clone)]
pub(crate) struct Client {
    http: Http,
    /// `http://host:port`, without a slash at its end.
    endpoint: String,
    /// `host:port`.
    authority: String,
    key: AccessKey,
    region: String,
    timeout: Duration,
}

/// One request, before it is signed.
struct Call<'c> {
    /// `service:Operation`, for errors.
    what: &'c str,
    /// The signing name.
    service: &'c str,
    method: Method,
    path: &'c str,
    headers: &'c [(&'c str, String)],
    body: Bytes,
}

/// `host:port` of a server's URL.
///
/// # Errors
/// It is none; the sentence says how one looks.
fn authority(endpoint: &str) -> anyhow::Result<&str> {
    let url = endpoint.trim_end_matches('/');
    let authority = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    authority
        .filter(|text| !text.is_empty() && !text.contains(['/', '?', '#', '@']))
        .ok_or_else(|| user_error(format!("'{endpoint}' is no server's URL: it must be like http://127.0.0.1:4566")))
}

impl Client {
    /// A client of the server at `endpoint`, e.g. `http://127.0.0.1:4566`; under https `ca_bundle` holds the
    /// certificates to trust, by default the system's.
    ///
    /// # Errors
    /// `endpoint` is no URL of a server, or the bundle cannot be read.
    pub(crate) fn new(endpoint: &str, key: AccessKey, region: &str, ca_bundle: Option<&Path>) -> anyhow::Result<Self> {
        let authority = authority(endpoint)?.to_owned();
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let http = connection::open(ca_bundle)?;
        Ok(Self { http, endpoint, authority, key, region: region.to_owned(), timeout: TIMEOUT })
    }

    /// The same client, whose calls end after `timeout`.
    #[must_use]
    pub(crate) fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Where the server is, e.g. `http://127.0.0.1:4566`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Calls an operation of a JSON service.
    pub(crate) async fn call(&self, model: &Model, operation: &str, input: Value) -> Result<Value, CallError> {
        let what = format!("{}:{operation}", model.id);
        let Protocol::Json { version } = model.protocol else {
            return Err(CallError::Unreadable {
                operation: what,
                reason: "the service does not speak JSON".to_owned(),
            });
        };
        let target = format!("{}.{operation}", model.target_prefix);
        let headers = [("content-type", format!("application/x-amz-json-{version}")), ("x-amz-target", target)];
        self.json(&what, model.signing_name, "/", &headers, &input).await
    }

    /// Asks what only whoever runs the server may ask: `POST /_landfall/operator/OPERATION`.
    pub(crate) async fn operator(&self, operation: &str, input: Value) -> Result<Value, CallError> {
        let what = format!("{}:{operation}", crate::operator::SERVICE);
        let path = format!("{}{operation}", crate::operator::PATH);
        self.json(&what, crate::operator::SERVICE, &path, &[("content-type", "application/json".to_owned())], &input)
            .await
    }

    /// All items of a list, page after page: `list` names the member with the items, `token` the one that `input`
    /// and the reply share, at most `most` items.
    pub(crate) async fn list(
        &self,
        model: &Model,
        operation: &str,
        mut input: Value,
        (list, token): (&str, &str),
        most: usize,
    ) -> Result<Vec<Value>, CallError> {
        let mut items = Vec::new();
        loop {
            let mut page = self.call(model, operation, input.clone()).await?;
            if let Value::Array(more) = part(&mut page, &format!("/{list}")) {
                items.extend(more);
            }
            let next = part(&mut page, &format!("/{token}"));
            if items.len() >= most || next.as_str().is_none_or(str::is_empty) || next == input[token] {
                items.truncate(most);
                return Ok(items);
            }
            input[token] = next;
        }
    }

    /// Calls an operation of a query service; answers its XML.
    pub(crate) async fn query(
        &self,
        model: &Model,
        operation: &str,
        fields: &[(&str, &str)],
    ) -> Result<String, CallError> {
        let what = format!("{}:{operation}", model.id);
        let Protocol::Query { api_version, .. } = model.protocol else {
            return Err(CallError::Unreadable {
                operation: what,
                reason: "the service does not speak query".to_owned(),
            });
        };
        let all = [&[("Action", operation), ("Version", api_version)], fields].concat();
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let form: Vec<_> = all.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        let (service, body) = (model.signing_name, form.join("&").into());
        let body =
            self.send(Call { what: &what, service, method: Method::POST, path: "/", headers: &headers, body }).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Makes a bucket.
    pub(crate) async fn create_bucket(&self, name: &str) -> Result<(), CallError> {
        let (what, path) = ("s3:CreateBucket", format!("/{name}"));
        let call = Call { what, service: "s3", method: Method::PUT, path: &path, headers: &[], body: Bytes::new() };
        self.send(call).await.map(drop)
    }

    async fn json(
        &self,
        what: &str,
        service: &str,
        path: &str,
        headers: &[(&str, String)],
        input: &Value,
    ) -> Result<Value, CallError> {
        let call = Call { what, service, method: Method::POST, path, headers, body: input.to_string().into() };
        let body = self.send(call).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        let unreadable =
            |error: serde_json::Error| CallError::Unreadable { operation: what.to_owned(), reason: error.to_string() };
        serde_json::from_slice(&body).map_err(unreadable)
    }

    async fn send(&self, call: Call<'_>) -> Result<Bytes, CallError> {
        let what = call.what;
        match tokio::time::timeout(self.timeout, self.exchange(call)).await {
            Ok(answered) => answered,
            Err(_) => Err(CallError::Timeout {
                operation: what.to_owned(),
                endpoint: self.endpoint.clone(),
                after: self.timeout,
            }),
        }
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Bytes, CallError> {
        let what = call.what;
        let unreachable = |error: &dyn std::error::Error| CallError::unreachable(&self.endpoint, error);
        let request = self.sign(call).map_err(|error| unreachable(&error))?;
        let reply = self.http.request(request).await.map_err(|error| unreachable(&error))?;
        let status = reply.status();
        let body = reply.into_body().collect().await.map_err(|error| unreachable(&error))?.to_bytes();
        if status.is_success() { Ok(body) } else { Err(CallError::refused(what, status.as_u16(), &body)) }
    }

    fn sign(&self, call: Call<'_>) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut signed: Vec<(&str, &[u8])> = vec![("host", self.authority.as_bytes())];
        signed.extend(call.headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        let signer = Signer {
            credentials: sigv4::Credentials {
                access_key_id: &self.key.id,
                secret_access_key: &self.key.secret,
                session_token: self.key.session_token.as_deref(),
            },
            region: &self.region,
            service: call.service,
            time: AmzDate::from_epoch_seconds(SystemClock.now().seconds()),
        };
        let plain = sigv4::Request::new(call.method.as_str(), call.path, &signed);
        let added = signer.sign_headers(&plain, &Payload::of(&call.body));
        let mut request = Request::builder().method(call.method).uri(format!("{}{}", self.endpoint, call.path));
        for (name, value) in call.headers {
            request = request.header(*name, value);
        }
        for (name, value) in &added {
            request = request.header(*name, value);
        }
        request.body(Full::new(call.body))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[test]
    fn an_endpoint_is_the_url_of_a_server() {
        let key = AccessKey::new("id", "secret");
        for endpoint in ["http://127.0.0.1:4566", "http://127.0.0.1:4566/", "https://landfall.example"] {
            assert!(Client::new(endpoint, key.clone(), "us-east-1", None).is_ok(), "{endpoint}");
        }
        for endpoint in ["", "127.0.0.1:4566", "http://", "ftp://x", "http://x/path", "http://user@x"] {
            let Err(error) = Client::new(endpoint, key.clone(), "us-east-1", None) else { unreachable!("{endpoint}") };
            assert!(error.to_string().contains("http://127.0.0.1:4566"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_said_to_be_so() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", port.local_addr().unwrap());
        drop(port);
        let client = Client::new(&endpoint, AccessKey::new("id", "secret"), "us-east-1", None).unwrap();
        let error = client.operator("DescribeServer", Value::Null).await.unwrap_err();
        assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("Connection refused"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_keeps_silent_is_not_waited_for_forever() {
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", port.local_addr().unwrap());
        let client = Client::new(&endpoint, AccessKey::new("id", "secret"), "us-east-1", None).unwrap();
        let error = client.within(Duration::from_millis(50)).operator("DescribeServer", Value::Null).await.unwrap_err();
        assert!(matches!(error, CallError::Timeout { .. }), "{error}");
    }

    /// A server that gives these bodies, one for each call.
    async fn server(bodies: &'static [&'static str]) -> Client {
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", port.local_addr().unwrap());
        tokio::spawn(async move {
            for body in bodies {
                let (mut stream, _) = port.accept().await.unwrap();
                let mut request = [0; 8_192];
                let _ = stream.read(&mut request).await.unwrap();
                let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        Client::new(&endpoint, AccessKey::new("id", "secret"), "us-east-1", None).unwrap()
    }

    async fn listed(bodies: &'static [&'static str], most: usize) -> Result<Vec<Value>, CallError> {
        let client = server(bodies).await;
        client.list(&aws::codebuild::MODEL, "ListBuilds", serde_json::json!({}), ("ids", "nextToken"), most).await
    }

    #[tokio::test]
    async fn a_list_is_read_page_after_page_and_no_further_than_asked() {
        let pages = &[r#"{"ids": [1, 2], "nextToken": "a"}"#, r#"{"ids": [], "nextToken": "b"}"#, r#"{"ids": [3]}"#];
        assert_eq!(listed(pages, 10).await.unwrap(), [1, 2, 3]);
        assert_eq!(listed(pages, 1).await.unwrap(), [1]);
        assert_eq!(listed(&[r#"{"ids": null}"#], 10).await.unwrap(), [0; 0]);
        // A token that does not move would go on for ever.
        assert_eq!(
            listed(&[r#"{"ids": [1], "nextToken": "a"}"#, r#"{"ids": [2], "nextToken": "a"}"#], 9).await.unwrap(),
            [1, 2]
        );
        let error = listed(&["<html>"], 10).await.unwrap_err();
        assert!(matches!(error, CallError::Unreadable { .. }), "{error}");
    }
}
