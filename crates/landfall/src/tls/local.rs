//! Certificates by the local authority: issued when a client first needs one, renewed at half of their time.

use super::authority::Authority;
use super::kept::Kept;
use super::names::{Names, is_local};
use kernel::Clock;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Issues this server's certificates.
pub(crate) struct LocalCertificates {
    /// By the name on demand; "" is the one with all of `names`.
    kept: Kept,
    names: Mutex<Names>,
}

impl fmt::Debug for LocalCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCertificates").finish_non_exhaustive()
    }
}

impl LocalCertificates {
    /// Certificates for `names` by `authority`.
    pub(crate) fn new(authority: Authority, names: Names, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { kept: Kept::new(authority, clock), names: Mutex::new(names) })
    }

    /// Takes in an address of this machine by which a client came, so that the certificate names it.
    pub(super) fn include(&self, address: IpAddr) {
        if self.names().add(&address.to_canonical().to_string()) {
            self.kept.forget("");
        }
    }

    fn certificate(&self, asked: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let name = asked.map(str::to_lowercase).filter(|name| is_local(name)).unwrap_or_default();
        let all = || if name.is_empty() { self.names().all().to_vec() } else { vec![name.clone()] };
        self.kept.certificate(&name, all)
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for LocalCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate(hello.server_name())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::kept::{KEPT, RENEW_AFTER};
    use super::*;
    use kernel::{ManualClock, Timestamp};
    use std::time::Duration;

    fn certificates() -> (tempfile::TempDir, ManualClock, Arc<LocalCertificates>) {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_790_000_000));
        let authority = Authority::in_folder(folder.path(), clock.now()).unwrap();
        let names = Names::new(IpAddr::from([127, 0, 0, 1]), None, None);
        (folder, clock.clone(), LocalCertificates::new(authority, names, Arc::new(clock)))
    }

    /// The end of a certificate's DER differs with each issue.
    fn shown(certificates: &LocalCertificates, asked: Option<&str>) -> Vec<u8> {
        certificates.certificate(asked).unwrap().cert[0].to_vec()
    }

    #[test]
    fn a_certificate_is_kept_until_half_of_its_time_is_over() {
        let (_folder, clock, certificates) = certificates();
        let first = shown(&certificates, None);
        assert_eq!(shown(&certificates, Some("localhost")), first);
        clock.advance(RENEW_AFTER - Duration::from_secs(1));
        assert_eq!(shown(&certificates, None), first);
        clock.advance(Duration::from_secs(1));
        assert_ne!(shown(&certificates, None), first);
    }

    #[test]
    fn a_new_address_gets_a_new_certificate_and_a_known_one_does_not() {
        let (_folder, _clock, certificates) = certificates();
        let first = shown(&certificates, None);
        certificates.include(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(shown(&certificates, None), first);
        certificates.include("::ffff:10.0.0.7".parse().unwrap());
        let second = shown(&certificates, None);
        assert_ne!(second, first);
        assert!(second.windows(4).any(|bytes| bytes == [10, 0, 0, 7]));
    }

    #[test]
    fn names_under_localhost_have_their_own_and_are_bounded() {
        let (_folder, _clock, certificates) = certificates();
        let (whole, bucket) = (shown(&certificates, None), shown(&certificates, Some("Bucket.localhost")));
        assert_ne!(bucket, whole);
        assert_eq!(shown(&certificates, Some("bucket.localhost")), bucket);
        assert_eq!(shown(&certificates, Some("evil.example")), whole);
        for n in 0..2 * KEPT {
            shown(&certificates, Some(&format!("b{n}.localhost")));
        }
        assert!(certificates.kept.count() <= KEPT);
    }
}
