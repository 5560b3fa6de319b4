//! A client that costs little beside the server: signed requests over connections that are kept.

use std::fmt;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
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

/// The server understood and said no, or that it could not; a broken connection is another error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The reply's status.
    pub status: StatusCode,
    /// Its body.
    pub text: String,
}

impl Refused {
    /// The error's name, as JSON and S3 errors give it; empty where there is none.
    pub fn code(&self) -> &str {
        let between = |begin: &str, end: &str| Some(self.text.split_once(begin)?.1.split_once(end)?.0);
        let code = between("\"__type\":\"", "\"").or_else(|| between("<Code>", "</Code>")).unwrap_or_default();
        code.rsplit_once('#').map_or(code, |(_, name)| name)
    }
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text)
    }
}

/// A good reply.
struct Reply {
    headers: HeaderMap,
    body: Bytes,
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

    /// A URL that any Git takes for some minutes: the signature is the password.
    ///
    /// # Errors
    /// The machine's clock stands before 1970.
    pub fn git_url(&self, repository: &str) -> anyhow::Result<String> {
        let path = format!("/v1/repos/{repository}");
        let (user, password) = sigv4::git::sign(&self.credentials(), REGION, &self.authority, &path, time()?);
        Ok(format!("http://{user}:{password}@{}{path}", self.authority))
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials { access_key_id: &self.key.id, secret_access_key: &self.key.secret, session_token: None }
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
    /// The connection broke, or the reply is no success: then the error is [`Refused`].
    pub async fn json(&mut self, service: &str, target: &str, input: &Value) -> anyhow::Result<Value> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let reply = self.send("POST", "/", service, &headers, input.to_string().into_bytes()).await?.body;
        if reply.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&reply)?) }
    }

    /// An operation of a query service; `fields` is the encoded rest of the form.
    ///
    /// # Errors
    /// As [`Connection::json`].
    pub async fn query(&mut self, service: &str, action: &str, version: &str, fields: &str) -> anyhow::Result<Bytes> {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let form = format!("Action={action}&Version={version}&{fields}");
        Ok(self.send("POST", "/", service, &headers, form.into_bytes()).await?.body)
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
        Ok(self.send(method, target, "s3", &[], body.to_vec()).await?.body)
    }

    /// Puts an object and answers its version's id, if the bucket has versions.
    ///
    /// # Errors
    /// As [`Connection::json`].
    pub async fn put_object(&mut self, target: &str, body: &[u8]) -> anyhow::Result<Option<String>> {
        let reply = self.send("PUT", target, "s3", &[], body.to_vec()).await?;
        let version = reply.headers.get("x-amz-version-id");
        Ok(version.map(|version| version.to_str().map(str::to_owned)).transpose()?)
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        service: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Reply> {
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
        let (parts, body) = reply.into_parts();
        let body = body.collect().await?.to_bytes();
        if !parts.status.is_success() {
            let refused = Refused { status: parts.status, text: String::from_utf8_lossy(&body).into_owned() };
            return Err(anyhow::Error::new(refused).context(format!("{method} {path} of {service} {headers:?}")));
        }
        Ok(Reply { headers: parts.headers, body })
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
        let (credentials, time) = (self.credentials(), time()?);
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

fn time() -> anyhow::Result<AmzDate> {
    Ok(AmzDate::from_epoch_seconds(crate::now()?.as_secs().try_into()?))
}

async fn connect(authority: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(authority).await.with_context(|| authority.to_owned())?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_an_errors_name_by_its_text() {
        for (text, code) in [
            (r#"{"__type":"StageNotFoundException","message":"no"}"#, "StageNotFoundException"),
            (r#"{"__type":"com.amazon#X","message":""}"#, "X"),
            ("<Error><Code>NoSuchKey</Code></Error>", "NoSuchKey"),
            ("bad gateway", ""),
        ] {
            assert_eq!(Refused { status: StatusCode::BAD_REQUEST, text: text.to_owned() }.code(), code, "{text}");
        }
    }
}
