//! Signed requests to one endpoint over HTTP/1.1.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sigv4::{AmzDate, Credentials, Payload, Signer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::config::Config;

const CONNECT: Duration = Duration::from_secs(10);
/// Longer than a long poll lasts.
const ANSWER: Duration = Duration::from_secs(80);
/// Longest answer that is not streamed, in bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Why a request has no good answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("{endpoint} cannot be reached: {error}")]
    Connect { endpoint: String, error: io::Error },
    #[error("{0} did not answer in time")]
    Late(String),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Request(#[from] hyper::http::Error),
    #[error("the answer is unusable: {0}")]
    Answer(String),
    /// The server says no.
    #[error("HTTP {status}: {text}")]
    Refused { status: StatusCode, text: String },
}

impl ClientError {
    /// True where the server has understood and would say the same again. A wrong signature may be the clock's.
    pub(super) fn is_final(&self) -> bool {
        let Self::Refused { status, text } = self else { return false };
        let passing = ["Throttl", "Signature", "RequestTimeTooSkewed"].iter().any(|word| text.contains(word));
        status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS && !passing
    }
}

/// What is to be sent; `host` and the signature's headers are added.
pub(super) struct Call<'a> {
    pub(super) service: &'a str,
    pub(super) method: &'a str,
    /// Path and query, already encoded.
    pub(super) target: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: Bytes,
}

/// Sends as one host.
#[derive(Debug, Clone)]
pub(super) struct AwsClient {
    config: Config,
    /// Host and port, as in the URL.
    authority: String,
}

impl AwsClient {
    /// A client for the configuration's endpoint.
    ///
    /// # Errors
    /// A sentence about an endpoint that cannot be used.
    pub(super) fn new(config: Config) -> Result<Self, String> {
        let authority = authority(&config.endpoint)?;
        Ok(Self { config, authority })
    }

    /// Sends and waits for the head of the answer, whatever its status.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Response<Incoming>, ClientError> {
        let request = self.signed(call)?;
        let stream = timeout(CONNECT, self.connect()).await.map_err(|_| self.late())??;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer; its error is the body's error.
        tokio::spawn(connection);
        Ok(timeout(ANSWER, sender.send_request(request)).await.map_err(|_| self.late())??)
    }

    /// Sends and reads a short answer.
    pub(super) async fn fetch(&self, call: Call<'_>) -> Result<Bytes, ClientError> {
        let answer = self.send(call).await?;
        let status = answer.status();
        let body = body(answer).await?;
        if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        let connected = TcpStream::connect(&self.authority).await;
        connected.map_err(|error| ClientError::Connect { endpoint: self.config.endpoint.clone(), error })
    }

    fn signed(&self, call: Call<'_>) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut headers = vec![("host", self.authority.as_bytes())];
        headers.extend(call.headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        let to_sign = sigv4::Request::new(call.method, call.target, &headers);
        let added = self.signer(call.service).sign_headers(&to_sign, &Payload::of(&call.body));
        let mut request = Request::builder().method(call.method).uri(call.target);
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        for (name, value) in added {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(call.body))?)
    }

    fn signer<'a>(&'a self, service: &'a str) -> Signer<'a> {
        let seconds = i64::try_from(crate::time::since_epoch().as_secs()).unwrap_or(i64::MAX);
        let config = &self.config;
        Signer {
            credentials: Credentials {
                access_key_id: &config.aws_access_key_id,
                secret_access_key: &config.aws_secret_access_key,
                session_token: config.aws_session_token.as_deref(),
            },
            region: &config.region,
            service,
            time: AmzDate::from_epoch_seconds(seconds),
        }
    }

    fn late(&self) -> ClientError {
        ClientError::Late(self.config.endpoint.clone())
    }
}

/// Reads a bounded body.
pub(super) async fn body(answer: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect();
    let body = timeout(ANSWER, body).await.map_err(|_| ClientError::Answer("it stopped half-way".into()))?;
    Ok(body.map_err(|error| ClientError::Answer(error.to_string()))?.to_bytes())
}

/// The error for a status that is no success: the beginning of what the server said.
pub(super) fn refused(status: StatusCode, body: &[u8]) -> ClientError {
    let text = String::from_utf8_lossy(&body[..body.len().min(500)]).trim().to_owned();
    ClientError::Refused { status, text }
}

fn authority(endpoint: &str) -> Result<String, String> {
    if endpoint.starts_with("https://") {
        return Err(format!(
            "endpoint {endpoint}: this agent speaks plain HTTP only; use the server's mounted socket, or a tunnel of \
             your own, and its http:// address"
        ));
    }
    let rest = endpoint.strip_prefix("http://").ok_or_else(|| format!("endpoint {endpoint}: must begin http://"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.is_empty() || authority.contains('@') || !path.is_empty() {
        return Err(format!("endpoint {endpoint}: must be http://HOST:PORT and nothing more"));
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port { authority.to_owned() } else { format!("{authority}:80") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let table = [
            ("http://127.0.0.1:4566", Some("127.0.0.1:4566")),
            ("http://127.0.0.1:4566/", Some("127.0.0.1:4566")),
            ("http://server", Some("server:80")),
            ("http://[::1]:80", Some("[::1]:80")),
            ("https://server", None),
            ("http://user@server", None),
            ("http://server/path", None),
            ("server:80", None),
        ];
        for (endpoint, expected) in table {
            assert_eq!(authority(endpoint).ok().as_deref(), expected, "{endpoint}");
        }
    }

    #[test]
    fn a_refusal_is_shown_but_not_whole() {
        let error = refused(StatusCode::FORBIDDEN, &[b'x'; 10_000]).to_string();
        assert!(error.starts_with("HTTP 403") && error.len() < 600);
    }

    #[test]
    fn which_refusals_are_final() {
        let table = [
            (400, "{\"__type\":\"ClientException\"}", true),
            (400, "InvalidSignatureException", false),
            (400, "ThrottlingException", false),
            (429, "", false),
            (500, "ServerException", false),
        ];
        for (status, text, is_final) in table {
            let error = refused(StatusCode::from_u16(status).unwrap_or_default(), text.as_bytes());
            assert_eq!(error.is_final(), is_final, "{error}");
        }
        assert!(!ClientError::Late("x".into()).is_final());
    }
}
