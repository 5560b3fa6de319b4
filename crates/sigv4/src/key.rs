//! Credential scope, string to sign, and the signing key that is derived for one scope.

use crate::{AmzDate, sha256_hex};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;

/// The algorithm's name, first word of every header signature.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Day, region and service that a signing key is good for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CredentialScope {
    /// `YYYYMMDD`.
    pub day: String,
    /// For example `eu-west-1`.
    pub region: String,
    /// The service's signing name, for example `codebuild`.
    pub service: String,
}

impl CredentialScope {
    /// The scope of a time, region and service.
    #[must_use]
    pub fn new(time: AmzDate, region: &str, service: &str) -> Self {
        Self { day: time.day(), region: region.to_owned(), service: service.to_owned() }
    }
}

impl fmt::Display for CredentialScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }
}

/// The string to sign over a canonical request. `time` stands as text since CodeCommit writes it without the `Z`.
#[must_use]
pub fn string_to_sign(time: &str, scope: &CredentialScope, canonical_request: &str) -> String {
    format!("{ALGORITHM}\n{time}\n{scope}\n{}", sha256_hex(canonical_request.as_bytes()))
}

/// A key derived from a secret for one scope. Never printed.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// Derives the key: HMAC of day, region, service and `aws4_request` in turn, from `AWS4` + secret.
    #[must_use]
    pub fn derive(secret_access_key: &str, scope: &CredentialScope) -> Self {
        let start = format!("AWS4{secret_access_key}");
        let day = hmac(start.as_bytes(), scope.day.as_bytes());
        let region = hmac(&day, scope.region.as_bytes());
        let service = hmac(&region, scope.service.as_bytes());
        Self(hmac(&service, b"aws4_request"))
    }

    /// The signature of a string to sign, in lower-case hex.
    #[must_use]
    pub fn sign(&self, string_to_sign: &str) -> String {
        hex::encode(hmac(&self.0, string_to_sign.as_bytes()))
    }

    /// Whether `signature` (hex, either case) is that of `string_to_sign`; takes the same time wherever they differ.
    #[must_use]
    pub fn matches(&self, string_to_sign: &str, signature: &str) -> bool {
        let mut given = [0_u8; 32];
        hex::decode_to_slice(signature, &mut given).is_ok()
            && bool::from(hmac(&self.0, string_to_sign.as_bytes()).ct_eq(&given))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> CredentialScope {
        CredentialScope::new(AmzDate::from_epoch_seconds(1_440_938_160), "us-east-1", "iam")
    }

    #[test]
    fn derives_the_key_of_the_documentation() {
        // "Examples of how to derive a signing key", AWS General Reference.
        let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &scope());
        assert_eq!(hex::encode(key.0), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
        assert_eq!(format!("{key:?}"), "SigningKey(…)");
    }

    #[test]
    fn matches_only_the_very_signature() {
        let key = SigningKey::derive("secret", &scope());
        let signature = key.sign("text");
        assert!(key.matches("text", &signature));
        assert!(key.matches("text", &signature.to_uppercase()));
        for wrong in ["", "zz", &signature[2..], &format!("{signature}00"), &key.sign("texu")] {
            assert!(!key.matches("text", wrong), "{wrong}");
        }
    }
}
