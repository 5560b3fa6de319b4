//! The name under which OpenSSL looks for an authority in a folder of certificates: `openssl x509 -subject_hash`.
//!
//! It is the first four bytes, the last one first, of the SHA-1 of the subject in OpenSSL's canonical form: every text
//! as UTF-8, in small letters, with single spaces, and without the SEQUENCE around it (`x509_name_canon`, x_name.c).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::der::{Elements, INTEGER, OID, SEQUENCE, SET, context, element};

const UTF8: u8 = 0x0c;
/// UTF8String, PrintableString, IA5String: the types of our own certificates' texts.
const TEXTS: [u8; 3] = [UTF8, 0x13, 0x16];

/// The hash of a certificate's subject, in hexadecimal digits; `None` where it is no certificate with a plain subject.
pub(super) fn subject_hash(pem: &str) -> Option<String> {
    let canonical = canonical(subject(&der(pem)?)?)?;
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &canonical);
    let start: [u8; 4] = digest.as_ref().get(..4)?.try_into().ok()?;
    Some(format!("{:08x}", u32::from_le_bytes(start)))
}

/// The bytes of the first certificate of a PEM text.
pub(super) fn der(pem: &str) -> Option<Vec<u8>> {
    let body = pem.split_once("-----BEGIN CERTIFICATE-----")?.1.split_once("-----END CERTIFICATE-----")?.0;
    STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()
}

/// The subject's parts (RFC 5280, 4.1).
fn subject(certificate: &[u8]) -> Option<Elements<'_>> {
    let mut fields = Elements(certificate).enter(SEQUENCE)?.enter(SEQUENCE)?;
    // Version, serial number, algorithm, issuer and validity come before it; only the first may be left out.
    let _ = fields.take(context(0));
    fields.take(INTEGER)?;
    for _ in 0..3 {
        fields.take(SEQUENCE)?;
    }
    fields.enter(SEQUENCE)
}

fn canonical(mut subject: Elements<'_>) -> Option<Vec<u8>> {
    let mut canonical = vec![];
    while !subject.0.is_empty() {
        let mut set = subject.enter(SET)?;
        let mut attribute = set.enter(SEQUENCE)?;
        let (oid, (tag, text, _)) = (attribute.take(OID)?, attribute.any()?);
        if !set.0.is_empty() || !TEXTS.contains(&tag) {
            return None;
        }
        let words: Vec<_> =
            std::str::from_utf8(text).ok()?.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
        let attribute = [element(OID, oid), element(UTF8, words.join(" ").as_bytes())].concat();
        canonical.extend(element(SET, &element(SEQUENCE, &attribute)));
    }
    Some(canonical)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;

    /// Made by OpenSSL 3.0: `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj '/O=Landfall/CN=Landfall  builds CA 01'`.
    pub(in super::super) const PEM: &str = include_str!("authority.pem");

    #[test]
    fn openssl_says_the_same() {
        assert_eq!(subject_hash(PEM).as_deref(), Some("06f8c824"));
    }

    #[test]
    fn what_is_no_certificate_has_none() {
        for text in
            ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n!"]
        {
            assert_eq!(subject_hash(text), None, "{text}");
        }
        let der = der(PEM).unwrap();
        for length in 0..der.len() {
            let cut = STANDARD.encode(&der[..length]);
            assert_eq!(subject_hash(&format!("-----BEGIN CERTIFICATE-----\n{cut}\n-----END CERTIFICATE-----")), None);
        }
    }
}
