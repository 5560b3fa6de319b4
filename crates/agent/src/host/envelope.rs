//! Opens a signed envelope (`PKCS7/JSON`): PKCS#7 `SignedData` with embedded content and certificate.
//!
//! The signature is checked against the embedded certificate, whose chain nobody checks: AWS's own agents do
//! no more, so what makes a specification trustworthy is the signed, authenticated way that it comes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use ring::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::commands::Envelope;
use crate::der::{BIT_STRING, Elements, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, context, oid};

const FORMAT: &str = "PKCS7/JSON";
const BEGIN: &str = "-----BEGIN PKCS7-----";
const END: &str = "-----END PKCS7-----";

/// Why an envelope cannot be trusted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum EnvelopeError {
    #[error("unsupported deployment specification format {0}; only {FORMAT} is taken")]
    Format(String),
    #[error("the deployment specification is not PEM with the label PKCS7")]
    Pem,
    #[error("the deployment specification is not PKCS#7 SignedData: its {0} cannot be read")]
    Structure(&'static str),
    #[error("the deployment specification's {0} is of a kind that is not supported")]
    Algorithm(&'static str),
    #[error("the deployment specification's signature is wrong")]
    Signature,
}

use EnvelopeError::{Algorithm, Signature, Structure};

/// The content of an envelope whose signature is right.
pub(super) fn open(envelope: &Envelope) -> Result<Vec<u8>, EnvelopeError> {
    if envelope.format != FORMAT {
        return Err(EnvelopeError::Format(envelope.format.clone()));
    }
    let der = decode_pem(&envelope.payload).ok_or(EnvelopeError::Pem)?;
    let signed = SignedData::read(&der)?;
    signed.verify()?;
    Ok(signed.content.to_vec())
}

fn decode_pem(text: &str) -> Option<Vec<u8>> {
    let inner = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let base64: String = inner.split_ascii_whitespace().collect();
    STANDARD.decode(base64).ok()
}

struct SignedData<'a> {
    content: &'a [u8],
    certificate: Elements<'a>,
    signer: Elements<'a>,
}

impl<'a> SignedData<'a> {
    fn read(der: &'a [u8]) -> Result<Self, EnvelopeError> {
        let mut signed = signed_data(der).ok_or(Structure("outside"))?;
        let content = content(&mut signed).ok_or(Structure("embedded content"))?;
        let certificate = signed.enter(context(0)).and_then(|mut all| all.enter(SEQUENCE));
        let certificate = certificate.ok_or(Structure("embedded certificate"))?;
        // Revocation lists, which nobody sends.
        signed.take(context(1));
        let signer = signed.enter(SET).and_then(|mut all| all.enter(SEQUENCE)).ok_or(Structure("signer"))?;
        Ok(Self { content, certificate, signer })
    }

    fn verify(&self) -> Result<(), EnvelopeError> {
        let mut signer = self.signer;
        signer.take(INTEGER).ok_or(Structure("signer's version"))?;
        // Its issuer and serial number: there is one certificate, so it is that one.
        signer.any().ok_or(Structure("signer's name"))?;
        let digest = signer.enter(SEQUENCE).and_then(|mut algorithm| algorithm.take(OID));
        if digest != Some(oid::SHA256) {
            return Err(Algorithm("digest"));
        }
        let mut ahead = signer;
        let attributes = ahead.any().filter(|(tag, ..)| *tag == context(0));
        if attributes.is_some() {
            signer = ahead;
        }
        signer.take(SEQUENCE).ok_or(Structure("signature algorithm"))?;
        let signature = signer.take(OCTET_STRING).ok_or(Structure("signature"))?;
        match attributes {
            None => self.check(self.content, signature),
            Some((_, content, whole)) => {
                self.check_digest(Elements(content))?;
                // What is signed is a SET OF attributes, not the tagged form that travels (RFC 5652, 5.4).
                self.check(&[&[SET], &whole[1..]].concat(), signature)
            }
        }
    }

    fn check_digest(&self, mut attributes: Elements<'_>) -> Result<(), EnvelopeError> {
        while let Some(mut attribute) = attributes.enter(SEQUENCE) {
            if attribute.take(OID) == Some(oid::MESSAGE_DIGEST) {
                let value = attribute.enter(SET).and_then(|mut values| values.take(OCTET_STRING));
                let content = digest::digest(&digest::SHA256, self.content);
                return if value == Some(content.as_ref()) { Ok(()) } else { Err(Signature) };
            }
        }
        Err(Structure("message digest"))
    }

    fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), EnvelopeError> {
        let (algorithm, key) = public_key(self.certificate).ok_or(Structure("certificate's key"))?;
        let verified = match algorithm {
            Key::P256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, signature),
            Key::Rsa => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(message, signature),
            Key::Other => return Err(Algorithm("key")),
        };
        verified.map_err(|_| Signature)
    }
}

fn signed_data(der: &[u8]) -> Option<Elements<'_>> {
    let mut outside = Elements(der).enter(SEQUENCE)?;
    if outside.take(OID)? != oid::SIGNED_DATA {
        return None;
    }
    let mut signed = outside.enter(context(0))?.enter(SEQUENCE)?;
    signed.take(INTEGER)?;
    signed.take(SET)?;
    Some(signed)
}

fn content<'a>(signed: &mut Elements<'a>) -> Option<&'a [u8]> {
    let mut info = signed.enter(SEQUENCE)?;
    if info.take(OID)? != oid::DATA {
        return None;
    }
    info.enter(context(0))?.take(OCTET_STRING)
}

enum Key {
    P256,
    Rsa,
    Other,
}

/// The subject's public key of a certificate (RFC 5280, 4.1).
fn public_key(mut certificate: Elements<'_>) -> Option<(Key, &[u8])> {
    let mut to_be_signed = certificate.enter(SEQUENCE)?;
    // The version, which a version 1 certificate leaves out.
    to_be_signed.take(context(0));
    to_be_signed.take(INTEGER)?;
    // Signature algorithm, issuer, validity, subject.
    for _ in 0..4 {
        to_be_signed.take(SEQUENCE)?;
    }
    let mut info = to_be_signed.enter(SEQUENCE)?;
    let mut algorithm = info.enter(SEQUENCE)?;
    let key = match (algorithm.take(OID)?, algorithm.take(OID)) {
        (oid::EC_PUBLIC_KEY, Some(oid::PRIME256V1)) => Key::P256,
        (oid::RSA, None) => Key::Rsa,
        _ => Key::Other,
    };
    // The first byte of a bit string counts its unused bits.
    let bits = info.take(BIT_STRING)?.split_first().filter(|(unused, _)| **unused == 0)?.1;
    Some((key, bits))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Made by `tests/fixtures/make-envelopes`, with OpenSSL.
    const P256: &str = include_str!("../../tests/fixtures/envelope-p256.pem");
    const P256_ATTRIBUTES: &str = include_str!("../../tests/fixtures/envelope-p256-attributes.pem");
    const RSA: &str = include_str!("../../tests/fixtures/envelope-rsa-attributes.pem");

    fn envelope(payload: &str) -> Envelope {
        Envelope { format: FORMAT.into(), payload: payload.into() }
    }

    #[test]
    fn what_openssl_signs_is_opened() {
        for payload in [P256, P256_ATTRIBUTES, RSA] {
            let content = open(&envelope(payload)).unwrap();
            assert_eq!(content, br#"{"DeploymentId":"d-EXAMPLE"}"#);
        }
    }

    #[test]
    fn tampering_is_seen() {
        for payload in [P256, P256_ATTRIBUTES, RSA] {
            let mut der = decode_pem(payload).unwrap();
            let at = der.windows(9).position(|window| window == b"d-EXAMPLE").unwrap();
            der[at] = b'e';
            let changed = format!("{BEGIN}\n{}\n{END}", STANDARD.encode(&der));
            assert_eq!(open(&envelope(&changed)), Err(Signature));
        }
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        let text = Envelope { format: "TEXT/JSON".into(), payload: "{}".into() };
        assert_eq!(open(&text), Err(EnvelopeError::Format("TEXT/JSON".into())));
        assert_eq!(open(&envelope("{}")), Err(EnvelopeError::Pem));
        assert_eq!(open(&envelope(&P256.replace("PKCS7", "CMS"))), Err(EnvelopeError::Pem));
    }

    #[test]
    fn a_cut_envelope_never_panics() {
        let der = decode_pem(RSA).unwrap();
        for length in 0..der.len() {
            let cut = format!("{BEGIN}\n{}\n{END}", STANDARD.encode(&der[..length]));
            assert!(open(&envelope(&cut)).is_err());
        }
    }
}
