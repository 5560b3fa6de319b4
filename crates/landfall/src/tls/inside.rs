//! HTTPS inside of builds: whoever asks for one of AWS's names that lead to Landfall there gets a certificate for it, by an
//! authority that builds trust and nobody else does.

use super::accept::{HANDSHAKE, acceptor};
use super::authority::Authority;
use super::kept::Kept;
use agent::names::is_served;
use kernel::Clock;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The names' authority and its handshakes, made at the first need.
pub(crate) struct Inside {
    data_dir: PathBuf,
    clock: Arc<dyn Clock>,
    made: OnceLock<Made>,
}

struct Made {
    acceptor: TlsAcceptor,
    pem: String,
}

impl Inside {
    /// With its files in `data_dir`; nothing is made yet.
    pub(crate) fn new(data_dir: &Path, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { data_dir: data_dir.to_path_buf(), clock, made: OnceLock::new() })
    }

    /// The certificate (PEM) of the authority.
    ///
    /// # Errors
    /// Where its files cannot be read, made or used.
    pub(crate) fn authority(&self) -> io::Result<&str> {
        self.made().map(|made| made.pem.as_str())
    }

    /// Speaks the handshake.
    ///
    /// # Errors
    /// Too late, broken off, no handshake that both sides can speak, or for a name that is not Landfall's.
    pub(crate) async fn accept(&self, stream: UnixStream) -> io::Result<TlsStream<UnixStream>> {
        let handshake = self.made()?.acceptor.accept(stream);
        timeout(HANDSHAKE, handshake).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    fn made(&self) -> io::Result<&Made> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let made = self.make().map_err(|error| io::Error::other(format!("{error:#}")))?;
        // Two that make it at the same time read the same files.
        Ok(self.made.get_or_init(|| made))
    }

    fn make(&self) -> anyhow::Result<Made> {
        let authority = Authority::of_builds(&self.data_dir, self.clock.now())?;
        let pem = authority.pem().to_owned();
        let certificates = AwsCertificates(Kept::new(authority, Arc::clone(&self.clock)));
        Ok(Made { acceptor: acceptor(Arc::new(certificates))?, pem })
    }
}

/// A certificate for each name that is served.
struct AwsCertificates(Kept);

impl fmt::Debug for AwsCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCertificates").finish_non_exhaustive()
    }
}

impl AwsCertificates {
    fn certificate(&self, asked: &str) -> Option<Arc<CertifiedKey>> {
        let name = asked.to_ascii_lowercase();
        is_served(&name).then(|| self.0.certificate(&name, || vec![name.clone()])).flatten()
    }
}

impl ResolvesServerCert for AwsCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate(hello.server_name()?)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use kernel::{ManualClock, SystemClock, Timestamp};
    use rustls::crypto::ring;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::{ClientConfig, RootCertStore};
    use tokio_rustls::TlsConnector;

    #[test]
    fn only_names_that_are_served_are_certified() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_790_000_000));
        let authority = Authority::of_builds(folder.path(), clock.now()).unwrap();
        let certificates = AwsCertificates(Kept::new(authority, Arc::new(clock)));
        for (name, certified) in [
            ("sts.amazonaws.com", true),
            ("Bucket.S3.us-east-1.amazonaws.com", true),
            ("dynamodb.us-east-1.amazonaws.com", false),
            ("localhost", false),
            ("evil.example", false),
        ] {
            assert_eq!(certificates.certificate(name).is_some(), certified, "{name}");
        }
        assert_eq!(certificates.0.count(), 2);
    }

    #[tokio::test]
    async fn a_client_that_trusts_the_authority_shakes_hands_by_an_aws_name() {
        let folder = tempfile::tempdir().unwrap();
        let inside = Inside::new(folder.path(), Arc::new(SystemClock));
        assert!(!folder.path().join("tls").exists(), "nothing is made before it is needed");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(inside.authority().unwrap().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
        for (name, accepted) in [("git-codecommit.us-east-1.amazonaws.com", true), ("example.org", false)] {
            let (client, server) = UnixStream::pair().unwrap();
            let connecting = connector.connect(name.try_into().unwrap(), client);
            let (client, server) = tokio::join!(connecting, inside.accept(server));
            assert_eq!((client.is_ok(), server.is_ok()), (accepted, accepted), "{name}");
        }
    }
}
