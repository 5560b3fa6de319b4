//! The handshake, and what a client is told that does not begin with one.

use super::{GivenCertificate, LocalCertificates};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::ResolvesServerCert;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A client has this long for its handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);
/// The first byte of a TLS record that holds a handshake.
const HANDSHAKE_RECORD: u8 = 0x16;

/// Makes TLS connections.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    /// Where certificates are of our own making, and so can name the address that a client came by.
    local: Option<Arc<LocalCertificates>>,
}

/// How a connection began.
pub(crate) enum Accepted {
    /// As it should.
    Tls(Box<TlsStream<TcpStream>>),
    /// With something else; it was answered and is over.
    NotTls,
}

impl Tls {
    /// With certificates by the local authority.
    pub(crate) fn local(certificates: Arc<LocalCertificates>) -> anyhow::Result<Self> {
        Ok(Self { acceptor: acceptor(Arc::clone(&certificates) as _)?, local: Some(certificates) })
    }

    /// With a certificate from files.
    pub(crate) fn given(certificate: Arc<GivenCertificate>) -> anyhow::Result<Self> {
        Ok(Self { acceptor: acceptor(certificate)?, local: None })
    }

    /// Speaks the handshake; tells a client that speaks plain HTTP that this port does not.
    ///
    /// # Errors
    /// Too late, broken off, or no handshake that both sides can speak.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Accepted> {
        let begun = async {
            let mut first = [0];
            let length = stream.peek(&mut first).await?;
            if length == 1 && first[0] != HANDSHAKE_RECORD {
                return answer_plainly(stream).await.map(|()| Accepted::NotTls);
            }
            if let (Some(local), Ok(address)) = (&self.local, stream.local_addr()) {
                local.include(address.ip());
            }
            self.acceptor.accept(stream).await.map(|stream| Accepted::Tls(Box::new(stream)))
        };
        timeout(HANDSHAKE, begun).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// What speaks the server's side of handshakes with these certificates.
pub(super) fn acceptor(certificates: Arc<dyn ResolvesServerCert>) -> anyhow::Result<TlsAcceptor> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn answer_plainly(mut stream: TcpStream) -> io::Result<()> {
    let text = "This port speaks HTTPS, and the request came by plain HTTP: use https:// in its URL.\n";
    let reply = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    // What was sent must be read, else closing resets the connection before the answer is.
    let mut sent = [0; 4096];
    let _ = stream.try_read(&mut sent);
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await
}
