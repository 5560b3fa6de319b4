use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};

use super::{Fault, Patience};
use crate::ImageError;
use crate::registries::is_loopback;

/// Where Linux systems keep the certificates that they trust.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// How often one request is sent on.
const REDIRECTS: usize = 5;

/// The most that is read of an answer that says what went wrong.
const ERROR_BYTES: u64 = 64 << 10;

/// Connections to registries; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    pub(crate) patience: Patience,
}

impl Connection {
    /// Trusts the system's certificates and those in `certificates`.
    pub(crate) fn new(certificates: &[PathBuf], patience: Patience) -> Result<Self, ImageError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(patience.connect));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ImageError::Setting(format!("TLS cannot be used: {error}")))?
            .with_root_certificates(roots(certificates)?)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), patience })
    }

    /// Asks, and goes where the answer sends on. Who asks is told to no other host than the first, and nothing is asked
    /// in clear that was first asked under TLS.
    pub(crate) async fn ask(
        &self,
        method: &Method,
        url: &Uri,
        headers: &HeaderMap,
    ) -> Result<Response<Incoming>, Fault> {
        let (mut url, mut headers) = (url.clone(), headers.clone());
        for _ in 0..=REDIRECTS {
            let response = self.ask_once(method, &url, &headers).await?;
            let next = match (response.status().is_redirection(), response.headers().get(LOCATION)) {
                (true, Some(location)) => next(&url, location)?,
                _ => return Ok(response),
            };
            if next.authority() != url.authority() || next.scheme() != url.scheme() {
                headers.remove(AUTHORIZATION);
            }
            url = next;
        }
        Err(Fault::Lasting(format!("{} sends on and on", host(&url))))
    }

    async fn ask_once(&self, method: &Method, url: &Uri, headers: &HeaderMap) -> Result<Response<Incoming>, Fault> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = method.clone();
        *request.uri_mut() = url.clone();
        *request.headers_mut() = headers.clone();
        let agent = HeaderValue::from_static(concat!("landfall/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        match tokio::time::timeout(self.patience.answer, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => Err(no_connection(url, &error)),
            Ok(Err(error)) => Err(Fault::Passing(format!("{}: {}", host(url), innermost(&error)))),
            Err(_) => Err(Fault::Passing(format!("{} does not answer", host(url)))),
        }
    }

    /// The whole of a small answer.
    pub(crate) async fn body(&self, response: Response<Incoming>, most: u64) -> Result<Bytes, Fault> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let collected = http_body_util::Limited::new(response.into_body(), most).collect();
        match tokio::time::timeout(self.patience.answer, collected).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Fault::Lasting(format!("the answer is longer than {most} bytes")))
            }
            Ok(Err(error)) => Err(Fault::Passing(format!("the answer broke off: {error}"))),
            Err(_) => Err(Fault::Passing("the answer came too slowly".to_owned())),
        }
    }

    /// What an answer that is no success says.
    pub(crate) async fn fault(&self, response: Response<Incoming>) -> Fault {
        let status = response.status();
        let body = self.body(response, ERROR_BYTES).await.unwrap_or_default();
        super::fault::of(status, &body)
    }
}

/// Where a redirect leads.
fn next(from: &Uri, location: &HeaderValue) -> Result<Uri, Fault> {
    let wrong = || Fault::Lasting(format!("{} sends on to an address that cannot be read", host(from)));
    let location: Uri = location.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    let mut parts = location.into_parts();
    if parts.authority.is_none() {
        parts.authority = from.authority().cloned();
        parts.scheme = from.scheme().cloned();
    }
    let next = Uri::from_parts(parts).map_err(|_| wrong())?;
    match (from.scheme_str(), next.scheme_str()) {
        (_, Some("https")) | (Some("http"), Some("http")) => Ok(next),
        _ => Err(Fault::Lasting(format!("{} sends on to {}, which is not under TLS", host(from), host(&next)))),
    }
}

pub(crate) fn host(url: &Uri) -> &str {
    url.authority().map_or("", |authority| authority.as_str())
}

/// Which step of connecting failed, in words that say what to do.
fn no_connection(url: &Uri, error: &hyper_util::client::legacy::Error) -> Fault {
    let reason = innermost(error);
    let host = host(url);
    let name = url.host().unwrap_or_default();
    let resolves = name.parse::<std::net::IpAddr>().is_ok() || is_loopback(name);
    let mut chain: Option<&dyn std::error::Error> = error.source();
    let mut dns = false;
    while let Some(cause) = chain {
        dns |= cause.to_string().contains("dns error");
        chain = cause.source();
    }
    if let Some(why) = reason.strip_prefix("invalid peer certificate: ") {
        return Fault::Lasting(format!("{host} shows a certificate that is not taken: {}", certificate(why)));
    }
    Fault::NoConnection(if dns && !resolves {
        format!("no such host {name}")
    } else {
        format!("{host} cannot be reached: {reason}")
    })
}

/// What is wrong with a certificate, in rustls' words, and what would do.
fn certificate(why: &str) -> String {
    let known = [
        ("UnknownIssuer", "it is signed by nobody known here; give its authority's certificate with --registry-ca"),
        ("CaUsedAsEndEntity", "it is an authority's own; the registry needs one that an authority has signed"),
    ];
    let told = known.iter().find(|(name, _)| why.contains(name)).map(|(_, told)| (*told).to_owned());
    told.unwrap_or_else(|| why.to_owned())
}

/// What was at the bottom of it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    super::fault::plain(&last.to_string())
}

fn roots(certificates: &[PathBuf]) -> Result<RootCertStore, ImageError> {
    let mut roots = RootCertStore::empty();
    let system = SYSTEM_BUNDLES.iter().map(Path::new).find(|path| path.is_file());
    for file in system.into_iter().chain(certificates.iter().map(PathBuf::as_path)) {
        let named = |error: &dyn std::fmt::Display| {
            ImageError::Setting(format!("the certificates in {}: {error}", file.display()))
        };
        let found = CertificateDer::pem_file_iter(file).map_err(|error| named(&error))?;
        let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| named(&error))?;
        let (added, _) = roots.add_parsable_certificates(found);
        if added == 0 && Some(file) != system {
            return Err(named(&"there are none"));
        }
    }
    Ok(roots)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn redirects_never_leave_tls() {
        let go = |from: &str, to: &str| {
            let next = next(&from.parse().unwrap(), &HeaderValue::from_str(to).unwrap());
            next.map(|url| url.to_string()).ok()
        };
        for (from, to, expected) in [
            ("https://a/v2/x", "https://b/y?s=1", Some("https://b/y?s=1")),
            ("https://a:5000/v2/x", "/y", Some("https://a:5000/y")),
            ("http://127.0.0.1:1/x", "http://127.0.0.1:2/y", Some("http://127.0.0.1:2/y")),
            ("http://a/x", "https://b/y", Some("https://b/y")),
            ("https://a/x", "http://b/y", None),
            ("https://a/x", "ftp://b/y", None),
            ("https://a/x", "", None),
        ] {
            assert_eq!(go(from, to).as_deref(), expected, "{from} to {to}");
        }
    }

    #[test]
    fn files_of_certificates_must_have_some() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        for file in [empty, folder.path().join("absent.pem")] {
            let error = roots(std::slice::from_ref(&file)).unwrap_err().to_string();
            assert!(error.contains(&file.display().to_string()), "{error}");
        }
        assert!(roots(&[]).is_ok());
    }
}
