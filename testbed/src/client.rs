//! A client that costs little beside the server: signed requests over connections that are kept.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sigv4::{AmzDate, Credentials, Payload, Signer};
use tokio::net::TcpStream;

/// The region of every request.
pub const REGION: &str = "us-east-1";

/// An access key.
#[derive(Clone)]
pub struct Key {
    /// `AKIA…`
    pub id: String,
    /// The secret access key.
    pub secret: String,
}

impl Key {
    /// For servers that take any.
    pub fn any() -> Self {
        Self { id: "test".to_owned(), secret: "test".to_owned() }
    }
}

/// Where to ask, and as whom.
#[derive(Clone)]
pub struct Client {
    /// `HOST:PORT`
    pub authority: String,
    key: Key,
}

impl Client {
    /// A client of the server at `authority`.
    pub fn new(authority: &str, key: Key) -> Self {
        Self { authority: authority.to_owned(), key }
    }

    /// A connection of its own, made with the first call.
    pub fn connection(&self) -> Connection {
        Connection { client: self.clone(), sender: None }
    }
}

/// One connection, kept for as long as the server keeps it.
pub struct Connection {
    client: Client,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// An operation of a JSON service; `target` is `Prefix.Operation`.
    ///
    /// # Errors
    /// The connection broke, or the reply is no success: then its status and body are in the text.
    pub async fn json(&mut self, service: &str, target: &str, input: &Value) -> anyhow::Result<Value> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let reply = self.send("POST", "/", service, &headers, input.to_string().into_bytes()).await?;
        if reply.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&reply)?) }
    }

    /// An operation of a query service; `fields` is the encoded rest of the form.
    ///
    /// # Errors
    /// As [`Connection::json`].
    pub async fn query(&mut self, service: &str, action: &str, version: &str, fields: &str) -> anyhow::Result<Bytes> {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let form = format!("Action={action}&Version={version}&{fields}");
        self.send("POST", "/", service, &headers, form.into_bytes()).await
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// As [`Connection::json`].
    pub async fn bucket(&mut self, name: &str) -> anyhow::Result<()> {
        self.s3("PUT", &format!("/{name}"), b"").await.map(drop)
    }

    /// A request of S3's: `PUT /bucket/key` puts the body there.
    ///
    /// # Errors
    /// As [`Connection::json`].
    pub async fn s3(&mut self, method: &str, target: &str, body: &[u8]) -> anyhow::Result<Bytes> {
        self.send(method, target, "s3", &[], body.to_vec()).await
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        service: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Bytes> {
        let request = self.client.sign(method, path, service, headers, body)?;
        let kept = match self.sender.take() {
            Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
            None => None,
        };
        let sender = match kept {
            Some(sender) => self.sender.insert(sender),
            None => self.sender.insert(connect(&self.client.authority).await?),
        };
        let reply = sender.send_request(request).await?;
        let status = reply.status();
        let body = reply.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{method} {path} of {service} {headers:?}: {status} {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}

impl Client {
    fn sign(
        &self,
        method: &str,
        path: &str,
        service: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let credentials =
            Credentials { access_key_id: &self.key.id, secret_access_key: &self.key.secret, session_token: None };
        let time = AmzDate::from_epoch_seconds(crate::now()?.as_secs().try_into()?);
        let mut signed: Vec<(&str, &[u8])> = vec![("host", self.authority.as_bytes())];
        signed.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        let added = Signer { credentials, region: REGION, service, time }
            .sign_headers(&sigv4::Request::new(method, path, &signed), &Payload::of(&body));
        let mut request = Request::builder().method(method).uri(path).header("host", &self.authority);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in added {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(body.into()))?)
    }
}

async fn connect(authority: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(authority).await.with_context(|| authority.to_owned())?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
