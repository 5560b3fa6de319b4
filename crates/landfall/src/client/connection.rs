//! The connection: plain HTTP, or TLS that trusts the server's own CA.

use crate::exit::user_error;
use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A machine on this network answers a connection sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Where Linux systems keep the certificates that they trust.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// An HTTP client.
pub(super) type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client of plain HTTP and, with the certificates of `ca_bundle` or else the system's, of HTTPS.
///
/// # Errors
/// The bundle was named and cannot be read.
pub(super) fn open(ca_bundle: Option<&Path>) -> anyhow::Result<Http> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca_bundle)?)
        .with_no_client_auth();
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

fn roots(ca_bundle: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let system = || SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file());
    let Some(bundle) = ca_bundle.map(Path::to_owned).or_else(system) else { return Ok(roots) };
    let named = |error: &dyn std::fmt::Display| user_error(format!("the CA bundle {}: {error}", bundle.display()));
    let certificates = CertificateDer::pem_file_iter(&bundle).map_err(|error| named(&error))?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|error| named(&error))?;
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 && ca_bundle.is_some() {
        return Err(named(&"no certificate is in it"));
    }
    Ok(roots)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_was_named_must_have_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        for bundle in [empty, folder.path().join("absent.pem")] {
            let error = roots(Some(&bundle)).unwrap_err().to_string();
            assert!(error.contains(&bundle.display().to_string()), "{error}");
        }
        assert!(roots(None).is_ok());
    }
}
