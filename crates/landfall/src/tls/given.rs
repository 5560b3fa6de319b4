//! Certificate and key from files that somebody else renews: read again when they have changed.

use crate::exit::user_error;
use kernel::{Clock, Timestamp};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The files are looked at so often, at most.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What `--tls-cert` and `--tls-key` name.
pub(crate) struct GivenCertificate {
    certificate: PathBuf,
    key: PathBuf,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    current: Arc<CertifiedKey>,
    /// Of the files that were read last, also where they were not taken.
    stamps: [Stamp; 2],
    looked: Timestamp,
}

/// Tells one content of a file from another: inode, size, and time of change in nanoseconds.
type Stamp = (u64, u64, i64, i64);

impl fmt::Debug for GivenCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GivenCertificate").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl GivenCertificate {
    /// Reads both files.
    ///
    /// # Errors
    /// A user's error that names the file.
    pub(crate) fn open(certificate: &Path, key: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<Self>> {
        let stamps = [stamp(certificate)?, stamp(key)?];
        let state = State { current: Arc::new(read(certificate, key)?), stamps, looked: clock.now() };
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Ok(Arc::new(Self { certificate, key, clock, state: Mutex::new(state) }))
    }

    /// The pair that is in the files now, or the last one that was good.
    fn current(&self) -> Arc<CertifiedKey> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(state.looked) >= LOOK_EVERY {
            state.looked = now;
            self.look(&mut state);
        }
        Arc::clone(&state.current)
    }

    fn look(&self, state: &mut State) {
        let read_again = || -> anyhow::Result<_> {
            let stamps = [stamp(&self.certificate)?, stamp(&self.key)?];
            let changed = (stamps != state.stamps).then(|| read(&self.certificate, &self.key));
            Ok((stamps, changed))
        };
        match read_again() {
            Ok((_, None)) => {}
            Ok((stamps, Some(Ok(pair)))) => {
                tracing::info!(file = %self.certificate.display(), "took a new certificate");
                (state.stamps, state.current) = (stamps, Arc::new(pair));
            }
            // Half of a pair may be new already: the next look finds the other half.
            Ok((_, Some(Err(error)))) | Err(error) => {
                tracing::warn!(%error, "the files of the certificate have changed and cannot be used; the last one stays");
            }
        }
    }
}

impl ResolvesServerCert for GivenCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn stamp(file: &Path) -> anyhow::Result<Stamp> {
    let found = std::fs::metadata(file).map_err(|error| user_error(format!("{}: {error}", file.display())))?;
    Ok((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

fn read(certificate: &Path, key: &Path) -> anyhow::Result<CertifiedKey> {
    let wrong = |file: &Path, error: &dyn fmt::Display| user_error(format!("{}: {error}", file.display()));
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificate).map_err(|error| wrong(certificate, &error))?.collect();
    let chain = chain.map_err(|error| wrong(certificate, &error))?;
    if chain.is_empty() {
        return Err(wrong(certificate, &"no certificate in PEM is in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let private = ring::sign::any_supported_type(&private).map_err(|error| wrong(key, &error))?;
    let pair = CertifiedKey::new(chain, private);
    let fits = pair.keys_match();
    fits.map_err(|error| wrong(key, &format!("it is not the key of {}: {error}", certificate.display())))?;
    Ok(pair)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use kernel::ManualClock;
    use rcgen::{CertificateParams, KeyPair};

    /// Writes a new pair and answers its certificate.
    fn write(folder: &Path) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["ci.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        certificate.der().to_vec()
    }

    fn open(folder: &Path, clock: &ManualClock) -> anyhow::Result<Arc<GivenCertificate>> {
        GivenCertificate::open(&folder.join("cert.pem"), &folder.join("key.pem"), Arc::new(clock.clone()))
    }

    #[test]
    fn changed_files_are_taken_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_790_000_000));
        let first = write(folder.path());
        let given = open(folder.path(), &clock).unwrap();
        let shown = || {
            clock.advance(LOOK_EVERY);
            given.current().cert[0].to_vec()
        };
        assert_eq!(shown(), first);
        let second = write(folder.path());
        assert_eq!(given.current().cert[0].to_vec(), first, "not at each handshake");
        assert_eq!(shown(), second);
        std::fs::write(folder.path().join("cert.pem"), "half a fil").unwrap();
        assert_eq!(shown(), second);
        let third = write(folder.path());
        assert_eq!(shown(), third);
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_790_000_000));
        let refused = || open(folder.path(), &clock).err().map(|error| error.to_string()).unwrap();
        assert!(refused().contains("cert.pem"));
        write(folder.path());
        let other = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("key.pem"), other.serialize_pem()).unwrap();
        assert!(refused().contains("it is not the key of"));
        std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
        assert!(refused().contains("key.pem"));
        std::fs::write(folder.path().join("cert.pem"), "").unwrap();
        assert!(refused().contains("no certificate in PEM"));
    }
}
