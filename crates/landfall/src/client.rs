//! A small AWS client: signed calls in AWS's JSON and query protocols over plain HTTP.
//! The demo uses nothing else, so what it does any SDK can do.

use anyhow::{Context, bail};
use aws::{Model, Protocol};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kernel::{Clock, SystemClock};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sigv4::{AmzDate, Payload, Signer};

/// An access key.
#[derive(Clone)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// Speaks to one server with one access key in one region.
#[derive(Clone)]
pub(crate) struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    /// `host:port`.
    authority: String,
    key: AccessKey,
    region: String,
}

impl Client {
    /// A client of the server at `endpoint`, e.g. `http://127.0.0.1:4566`.
    pub(crate) fn new(endpoint: &str, key: AccessKey, region: &str) -> Self {
        Self {
            http: Http::builder(TokioExecutor::new()).build_http(),
            authority: endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            key,
            region: region.to_owned(),
        }
    }

    /// Calls an operation of a JSON service.
    pub(crate) async fn call(&self, model: &Model, operation: &str, input: Value) -> anyhow::Result<Value> {
        let Protocol::Json { version } = model.protocol else { bail!("{} does not speak JSON", model.id) };
        let target = format!("{}.{operation}", model.target_prefix);
        let headers = [("content-type", format!("application/x-amz-json-{version}")), ("x-amz-target", target)];
        let what = format!("{}:{operation}", model.id);
        let body = self.send(&what, model.signing_name, Method::POST, "/", &headers, input.to_string().into()).await?;
        if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&body)?) }
    }

    /// Calls an operation of a query service; answers its XML.
    pub(crate) async fn query(
        &self,
        model: &Model,
        operation: &str,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let Protocol::Query { api_version, .. } = model.protocol else { bail!("{} does not speak query", model.id) };
        let all = [&[("Action", operation), ("Version", api_version)], fields].concat();
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let form: Vec<_> = all.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        let what = format!("{}:{operation}", model.id);
        let body = self.send(&what, model.signing_name, Method::POST, "/", &headers, form.join("&").into()).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Makes a bucket.
    pub(crate) async fn create_bucket(&self, name: &str) -> anyhow::Result<()> {
        self.send("s3:CreateBucket", "s3", Method::PUT, &format!("/{name}"), &[], Bytes::new()).await.map(drop)
    }

    async fn send(
        &self,
        what: &str,
        service: &str,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: Bytes,
    ) -> anyhow::Result<Bytes> {
        let mut signed: Vec<(&str, &[u8])> = vec![("host", self.authority.as_bytes())];
        signed.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        let signer = Signer {
            credentials: sigv4::Credentials {
                access_key_id: &self.key.id,
                secret_access_key: &self.key.secret,
                session_token: None,
            },
            region: &self.region,
            service,
            time: AmzDate::from_epoch_seconds(SystemClock.now().seconds()),
        };
        let added = signer.sign_headers(&sigv4::Request::new(method.as_str(), path, &signed), &Payload::of(&body));
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.authority));
        for (name, value) in
            headers.iter().map(|(name, value)| (*name, value)).chain(added.iter().map(|(name, value)| (*name, value)))
        {
            request = request.header(name, value);
        }
        let reply = self.http.request(request.body(Full::new(body))?).await.with_context(|| what.to_owned())?;
        let status = reply.status();
        let body = reply.into_body().collect().await.with_context(|| what.to_owned())?.to_bytes();
        if !status.is_success() {
            bail!("{what} answered {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}

/// The text of the first element `name` of a reply's XML.
pub(crate) fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}
