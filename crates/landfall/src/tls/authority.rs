//! The local certificate authorities, made on first use, each a `ca.key` (mode 0600) and a `ca.pem`: the one of the
//! server's own names in `DIR/tls`, and the one that builds trust in `DIR/tls/builds`. The second is good for AWS's names
//! alone (RFC 5280, 4.2.1.10): whoever got its key could not pretend to be anybody else.

use crate::exit::user_error;
use anyhow::Context as _;
use kernel::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::CertificateError::{Expired, ExpiredContext};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long the authority's own certificate is good: clients trust it by hand, so not for a short time.
const AUTHORITY_DAYS: u32 = 3650;
/// How long a server's certificate is good; it is renewed at half of that.
pub(super) const SERVER_DAYS: u32 = 90;

/// Whose names an authority certifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// This server's own, whatever its operator calls it.
    Server,
    /// AWS's, inside of builds.
    Builds,
}

impl Purpose {
    fn folder(self, data_dir: &Path) -> PathBuf {
        match self {
            Self::Server => data_dir.join("tls"),
            Self::Builds => data_dir.join("tls/builds"),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Server => "Landfall local CA",
            Self::Builds => "Landfall builds CA",
        }
    }

    /// A name that it must be good for.
    fn example(self) -> &'static str {
        match self {
            Self::Server => "localhost",
            Self::Builds => "sts.amazonaws.com",
        }
    }

    fn constraints(self) -> Option<NameConstraints> {
        let domains = agent::names::DOMAINS.iter().map(|domain| GeneralSubtree::DnsName((*domain).to_owned()));
        let addresses = [CidrSubnet::V4([0; 4], [0; 4]), CidrSubnet::V6([0; 16], [0; 16])];
        (self == Self::Builds).then(|| NameConstraints {
            permitted_subtrees: domains.collect(),
            excluded_subtrees: addresses.map(GeneralSubtree::IpAddress).to_vec(),
        })
    }
}

/// A certificate authority.
pub(crate) struct Authority {
    purpose: Purpose,
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// The authority of the server's own names in `data_dir`, made where there is none yet. Two programs that make it at the
    /// same time get the same.
    ///
    /// # Errors
    /// A user's error where its files cannot be read, written or used.
    pub(crate) fn in_folder(data_dir: &Path, now: Timestamp) -> anyhow::Result<Self> {
        Self::open(Purpose::Server, data_dir, now)
    }

    /// The one that builds trust.
    ///
    /// # Errors
    /// As of [`Authority::in_folder`].
    pub(super) fn of_builds(data_dir: &Path, now: Timestamp) -> anyhow::Result<Self> {
        Self::open(Purpose::Builds, data_dir, now)
    }

    fn open(purpose: Purpose, data_dir: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let folder = purpose.folder(data_dir);
        let (key_file, certificate_file) = (folder.join("ca.key"), folder.join("ca.pem"));
        let refused = |file: &Path, error: &dyn std::fmt::Display| {
            user_error(format!("{}: {error}; remove {} to have a new authority made", file.display(), folder.display()))
        };
        if certificate_file.exists() && !key_file.exists() {
            return Err(refused(&key_file, &"the authority's certificate is there and its key is not"));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| user_error(format!("{}: {error}", folder.display())))?;
        let key = keep(&key_file, 0o600, || Ok(KeyPair::generate()?.serialize_pem()))?;
        let key = KeyPair::from_pem(&key).map_err(|error| refused(&key_file, &error))?;
        let params = authority_params(purpose, &key, now);
        let pem = keep(&certificate_file, 0o644, || Ok(params.self_signed(&key)?.pem()))?;
        let authority = Self { purpose, folder: folder.clone(), issuer: Issuer::new(params, key), pem };
        authority.check(now).map_err(|error| refused(&certificate_file, &error))?;
        Ok(authority)
    }

    /// Its certificate, for clients to trust.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Where its certificate is.
    pub(crate) fn certificate_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A server certificate for these names, with a key of its own.
    pub(super) fn issue(&self, names: &[String], now: Timestamp) -> anyhow::Result<CertifiedKey> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "Landfall server");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        limit(&mut params, now, SERVER_DAYS);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let authority = CertificateDer::from_pem_slice(self.pem.as_bytes())?;
        Ok(CertifiedKey::new(vec![certificate.der().clone(), authority], ring::sign::any_ecdsa_type(&key)?))
    }

    /// Whether clients that trust the certificate will trust what the key signs: both files fit, and are in date.
    fn check(&self, now: Timestamp) -> anyhow::Result<()> {
        let example = self.purpose.example();
        let issued = self.issue(&[example.to_owned()], now)?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes())?)?;
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.seconds().unsigned_abs()));
        let name = example.try_into()?;
        let [server, own] = &issued.cert[..] else { anyhow::bail!("no chain of two certificates") };
        // The dates of what is trusted are not looked at, but those of what a server shows are.
        match verifier.verify_server_cert(own, &[], &name, &[], now) {
            Err(rustls::Error::InvalidCertificate(over @ (Expired | ExpiredContext { .. }))) => {
                Err(rustls::Error::from(over).into())
            }
            _ => Ok(verifier.verify_server_cert(server, &[], &name, &[], now).map(drop)?),
        }
    }
}

/// What the authority's certificate says. Its name carries a part of its key, so that two are told apart where both are
/// trusted.
fn authority_params(purpose: Purpose, key: &KeyPair, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    let digest = hex::encode(Sha256::digest(key.public_key_raw()));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Landfall");
    params.distinguished_name.push(DnType::CommonName, format!("{} {}", purpose.title(), &digest[..8]));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.name_constraints = purpose.constraints();
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    limit(&mut params, now, AUTHORITY_DAYS);
    params
}

/// Good from yesterday on, since clocks differ, for so many days.
fn limit(params: &mut CertificateParams, now: Timestamp, days: u32) {
    let (from, until) = (date(now - DAY), date(now + DAY * days));
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
}

/// Year, month and day.
fn date(time: Timestamp) -> (i32, u8, u8) {
    let digits = time.basic_date();
    let number = |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse::<u16>().ok());
    let small = |range| number(range).and_then(|number| u8::try_from(number).ok()).unwrap_or(1);
    (number(0..4).map_or(1970, i32::from), small(4..6), small(6..8))
}

/// The text of a file, which is made first where there is none; never half of it, and never over another's.
fn keep(file: &Path, mode: u32, make: impl Fn() -> anyhow::Result<String>) -> anyhow::Result<String> {
    if !file.exists() {
        let folder = file.parent().context("a file in a folder")?;
        let mut new =
            tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(mode)).tempfile_in(folder)?;
        new.write_all(make()?.as_bytes())?;
        new.as_file().sync_all()?;
        if let Err(lost) = new.persist_noclobber(file)
            && lost.error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(user_error(format!("{}: {}", file.display(), lost.error)));
        }
    }
    std::fs::read_to_string(file).map_err(|error| user_error(format!("{}: {error}", file.display())))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_790_000_000)
    }

    #[test]
    fn the_authority_is_made_once_and_its_key_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Authority::in_folder(folder.path(), now()).unwrap();
        let again = Authority::in_folder(folder.path(), now() + DAY).unwrap();
        assert_eq!(first.pem(), again.pem());
        assert_eq!(first.pem(), std::fs::read_to_string(first.certificate_file()).unwrap());
        let mode = |file: &str| std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("tls"), mode("tls/ca.key"), mode("tls/ca.pem")), (0o700, 0o600, 0o644));
        assert!(!first.pem().contains("PRIVATE"));
    }

    #[test]
    fn the_builds_authority_is_another_and_good_for_the_names_of_aws_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (server, builds) = (Authority::in_folder(folder.path(), now()), Authority::of_builds(folder.path(), now()));
        let (server, builds) = (server.unwrap(), builds.unwrap());
        assert_ne!(server.pem(), builds.pem());
        assert_eq!(builds.certificate_file(), folder.path().join("tls/builds/ca.pem"));
        let mode = std::fs::metadata(folder.path().join("tls/builds/ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(builds.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(now().seconds().unsigned_abs()));
        for (name, good) in [
            ("sts.amazonaws.com", true),
            ("b.s3.cn-north-1.amazonaws.com.cn", true),
            ("ecr.us-east-1.api.aws", true),
            ("1.dkr-ecr.us-east-1.on.aws", true),
            ("github.com", false),
            ("amazonaws.com.evil.example", false),
            ("10.0.0.1", false),
        ] {
            let issued = builds.issue(&[name.to_owned()], now()).unwrap();
            let verified = verifier.verify_server_cert(&issued.cert[0], &[], &name.try_into().unwrap(), &[], at);
            assert_eq!(verified.is_ok(), good, "{name}: {verified:?}");
        }
    }

    #[test]
    fn an_authority_that_nobody_would_trust_is_refused() {
        let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Authority::in_folder(ours.path(), now()).unwrap();
        Authority::in_folder(other.path(), now()).unwrap();
        let refused = |now| Authority::in_folder(ours.path(), now).err().map(|error| error.to_string()).unwrap();
        assert!(refused(now() + DAY * (AUTHORITY_DAYS + 1)).contains("to have a new authority made"));
        std::fs::copy(other.path().join("tls/ca.pem"), ours.path().join("tls/ca.pem")).unwrap();
        assert!(refused(now()).contains("ca.pem"));
        std::fs::write(ours.path().join("tls/ca.key"), "no key").unwrap();
        assert!(refused(now()).contains("ca.key"));
        std::fs::remove_file(ours.path().join("tls/ca.key")).unwrap();
        assert!(refused(now()).contains("its key is not"));
    }

    #[test]
    fn a_crash_between_key_and_certificate_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let first = Authority::in_folder(folder.path(), now()).unwrap();
        std::fs::remove_file(first.certificate_file()).unwrap();
        Authority::in_folder(folder.path(), now()).unwrap();
    }
}
