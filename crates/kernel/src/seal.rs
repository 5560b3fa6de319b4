//! Secrets at rest: sealed by the data folder's master key.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// The length of the master key.
const KEY_LENGTH: usize = 32;

/// What each sealed text begins with; another algorithm will have another.
const MARK: &str = "v1.";

/// Seals and opens secrets by AES-256-GCM with the key in `DIR/master.key` (mode 0600).
pub struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

/// Why something cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file cannot be read or made.
    #[error("cannot use master.key: {0}")]
    KeyFile(#[from] io::Error),
    /// The key file has another length than 32 bytes.
    #[error("master.key must hold exactly 32 bytes; restore it from the backup")]
    KeyLength,
    /// Changed, made for another context, or sealed with another master key.
    #[error("a sealed value cannot be opened: it was changed, or sealed with another master key")]
    Broken,
}

impl Seal {
    /// The seal of the data folder; makes its key at the first start.
    pub fn in_folder(data_dir: &Path) -> Result<Self, SealError> {
        let file = data_dir.join("master.key");
        let key = match read_key(&file) {
            Err(SealError::KeyFile(error)) if error.kind() == io::ErrorKind::NotFound => make_key(data_dir, &file)?,
            other => other?,
        };
        Self::with_key(key)
    }

    fn with_key(key: [u8; KEY_LENGTH]) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| SealError::KeyLength)?;
        Ok(Self { key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    /// Seals `secret` for `context`, a text that must be the same at opening, such as `iam.access-key/AKIA1`:
    /// so a sealed value cannot be put in the place of another.
    #[must_use]
    pub fn seal(&self, context: &str, secret: &[u8]) -> String {
        let mut nonce = [0; NONCE_LEN];
        self.fill(&mut nonce);
        let mut sealed = secret.to_vec();
        let aad = Aad::from(context.as_bytes());
        #[expect(clippy::expect_used, reason = "fails only for more than 64 GiB")]
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).expect("short secret");
        format!("{MARK}{}", URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    fn fill(&self, bytes: &mut [u8]) {
        #[expect(
            clippy::expect_used,
            reason = "getrandom does not fail once the machine is up; without it no secret is safe"
        )]
        self.random.fill(bytes).expect("the machine's random source");
    }

    /// Opens what [`Seal::seal`] gave for the same context.
    pub fn open(&self, context: &str, sealed: &str) -> Result<Vec<u8>, SealError> {
        let encoded = sealed.strip_prefix(MARK).ok_or(SealError::Broken)?;
        let mut bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| SealError::Broken)?;
        if bytes.len() < NONCE_LEN {
            return Err(SealError::Broken);
        }
        let mut secret = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| SealError::Broken)?;
        let aad = Aad::from(context.as_bytes());
        let opened = self.key.open_in_place(nonce, aad, &mut secret).map_err(|_| SealError::Broken)?;
        Ok(opened.to_vec())
    }
}

fn read_key(file: &Path) -> Result<[u8; KEY_LENGTH], SealError> {
    let mut key = Vec::new();
    File::open(file)?.take(KEY_LENGTH as u64 + 1).read_to_end(&mut key)?;
    key.try_into().map_err(|_| SealError::KeyLength)
}

/// Writes the new key beside its place and renames it, so that no crash leaves half a key.
fn make_key(dir: &Path, file: &Path) -> Result<[u8; KEY_LENGTH], SealError> {
    let mut key = [0; KEY_LENGTH];
    SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("no random numbers"))?;
    let temporary = dir.join("master.key.new");
    let mut options = OpenOptions::new();
    let mut written = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    written.write_all(&key)?;
    written.sync_all()?;
    crash_point::crash_point!("seal_before_key");
    std::fs::rename(&temporary, file)?;
    File::open(dir)?.sync_all()?;
    Ok(key)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_opens_after_a_restart_and_only_in_its_context() {
        let dir = tempfile::tempdir().unwrap();
        let sealed = Seal::in_folder(dir.path()).unwrap().seal("key/1", b"hush");
        assert!(!sealed.contains("hush"));
        let again = Seal::in_folder(dir.path()).unwrap();
        assert_eq!(again.open("key/1", &sealed).unwrap(), b"hush");
        assert!(again.open("key/2", &sealed).is_err());
        let mode = std::fs::metadata(dir.path().join("master.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_was_changed_or_sealed_elsewhere_does_not_open() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let seal = Seal::in_folder(here.path()).unwrap();
        let foreign = Seal::in_folder(there.path()).unwrap().seal("c", b"x");
        let good = seal.seal("c", b"x");
        let cut = &good[..good.len() - 2];
        for text in ["", "v1.", "v1.AAAA", "v2.AAAA", "v1.!", cut, &foreign] {
            assert!(matches!(seal.open("c", text), Err(SealError::Broken)), "{text}");
        }
    }

    #[test]
    fn a_damaged_key_is_refused_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("master.key"), "short").unwrap();
        assert!(matches!(Seal::in_folder(dir.path()), Err(SealError::KeyLength)));
        assert_eq!(std::fs::read(dir.path().join("master.key")).unwrap(), b"short");
    }
}
