//! The key that signs deployment specifications.

use super::{certificate, signed_data};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// Why a signing key could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The system gave no randomness, or signing failed for want of it.
    #[error("the system's random number generator failed")]
    Randomness,
    /// The stored key is not a P-256 key in PKCS#8.
    #[error("the stored signing key cannot be read: {0}")]
    Key(String),
}

/// A P-256 key with its self-signed certificate. Its `Debug` shows neither.
pub struct Identity {
    key: EcdsaKeyPair,
    serial: Vec<u8>,
    certificate: Vec<u8>,
    random: SystemRandom,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// Makes a new key; returns it in PKCS#8 with the serial of its certificate, for safe keeping.
    pub fn generate() -> Result<(Vec<u8>, Vec<u8>), SigningError> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| SigningError::Randomness)?;
        let mut serial = [0u8; 16];
        random.fill(&mut serial).map_err(|_| SigningError::Randomness)?;
        serial[0] = serial[0] & 0x7f | 0x40; // Positive, and never with a leading zero.
        Ok((key.as_ref().to_vec(), serial.to_vec()))
    }

    /// Restores an identity from what [`Identity::generate`] returned. The certificate is signed
    /// anew each time; agents compare it with nothing.
    pub fn restore(pkcs8: &[u8], serial: &[u8]) -> Result<Self, SigningError> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &random)
            .map_err(|rejected| SigningError::Key(rejected.to_string()))?;
        let to_be_signed = certificate::to_be_signed(serial, key.public_key().as_ref());
        let signature = key.sign(&random, &to_be_signed).map_err(|_| SigningError::Randomness)?;
        let certificate = certificate::certificate(&to_be_signed, signature.as_ref());
        Ok(Self { key, serial: serial.to_vec(), certificate, random })
    }

    /// Signs `content` into a PEM block `PKCS7`.
    pub fn sign(&self, content: &[u8]) -> Result<String, SigningError> {
        let signature = self.key.sign(&self.random, content).map_err(|_| SigningError::Randomness)?;
        let der = signed_data::signed_data(content, &self.certificate, &self.serial, signature.as_ref());
        Ok(signed_data::pem(&der))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn identity() -> Identity {
        let (key, serial) = Identity::generate().unwrap();
        Identity::restore(&key, &serial).unwrap()
    }

    /// Runs openssl on `input`; `Ok` with what it writes to stdout.
    fn openssl(arguments: &[&str], input: &str) -> Result<Vec<u8>, String> {
        let mut child = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    const CMS: [&str; 6] = ["cms", "-verify", "-noverify", "-binary", "-inform", "PEM"];
    const SMIME: [&str; 6] = ["smime", "-verify", "-noverify", "-binary", "-inform", "PEM"];

    #[test]
    fn openssl_verifies_the_signature_and_returns_the_content() {
        for size in [0, 1, 100, 5_000, 100_000] {
            let content: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let pem = identity().sign(&content).unwrap();
            assert_eq!(openssl(&CMS, &pem).unwrap(), content, "cms, {size} bytes");
            assert_eq!(openssl(&SMIME, &pem).unwrap(), content, "smime, {size} bytes");
        }
    }

    #[test]
    fn openssl_refuses_content_that_was_changed() {
        let (key, serial) = Identity::generate().unwrap();
        let identity = Identity::restore(&key, &serial).unwrap();
        let signature = identity.key.sign(&identity.random, b"revision one").unwrap();
        let der = signed_data::signed_data(b"revision two", &identity.certificate, &serial, signature.as_ref());
        assert!(openssl(&CMS, &signed_data::pem(&der)).is_err());
    }

    #[test]
    fn the_certificate_is_self_signed_and_readable() {
        let pem = identity().sign(b"{}").unwrap();
        let certificates = openssl(&["pkcs7", "-print_certs"], &pem).unwrap();
        let text = openssl(&["x509", "-noout", "-text"], &String::from_utf8(certificates.clone()).unwrap()).unwrap();
        let text = String::from_utf8(text).unwrap();
        for expected in ["Version: 3", "prime256v1", "Digital Signature", "Dec 31 23:59:59 9999"] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signer.pem");
        std::fs::write(&file, &certificates).unwrap();
        let file = file.to_str().unwrap();
        openssl(&["verify", "-check_ss_sig", "-CAfile", file, file], "").unwrap();
    }

    #[test]
    fn a_restored_identity_keeps_its_key() {
        let (key, serial) = Identity::generate().unwrap();
        let one = Identity::restore(&key, &serial).unwrap();
        let two = Identity::restore(&key, &serial).unwrap();
        assert_eq!(one.key.public_key().as_ref(), two.key.public_key().as_ref());
        assert!(Identity::restore(b"not a key", &serial).is_err());
    }

    #[test]
    fn debug_output_shows_no_key() {
        assert_eq!(format!("{:?}", identity()), "Identity { .. }");
    }
}
