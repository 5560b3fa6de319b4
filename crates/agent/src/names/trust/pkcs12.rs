//! Java's authorities in PKCS #12 stores without a password, which JDKs from 18 on come with (RFC 7292; JDK-8275252).
//!
//! A store is a sequence of safes, each with bags. One more safe is put at its end. A store with a MAC is left alone: its
//! password is its owner's.

use crate::der::{Elements, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, context, element, oid};

const BMP_STRING: u8 = 0x1e;
/// pkcs-12-certBag, x509Certificate, friendlyName; Java's trustedKeyUsage and anyExtendedKeyUsage, by which it knows a
/// certificate for an authority.
const CERT_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x03];
const X509: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01];
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x14];
const TRUSTED_KEY_USAGE: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 0x01, 0x01];
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];

/// The store with one more authority; `None` where it has that already, or is none without a password.
pub(super) fn with(store: &[u8], alias: &str, certificate: &[u8]) -> Option<Vec<u8>> {
    let safes = safes(store)?;
    let safe = safe(alias, certificate);
    if safes.ends_with(&safe) {
        return None;
    }
    let safes = element(SEQUENCE, &[safes, &safe].concat());
    Some(element(SEQUENCE, &[element(INTEGER, &[3]), data(&safes)].concat()))
}

/// The safes of a store without a MAC.
fn safes(store: &[u8]) -> Option<&[u8]> {
    let mut whole = Elements(store);
    let mut pfx = whole.enter(SEQUENCE)?;
    let version = pfx.take(INTEGER)?;
    let mut content = pfx.enter(SEQUENCE)?;
    if version != [3] || content.take(OID)? != oid::DATA || !pfx.0.is_empty() || !whole.0.is_empty() {
        return None;
    }
    Elements(content.enter(context(0))?.take(OCTET_STRING)?).take(SEQUENCE)
}

/// A `ContentInfo` of plain data.
fn data(content: &[u8]) -> Vec<u8> {
    let content = element(context(0), &element(OCTET_STRING, content));
    element(SEQUENCE, &[element(OID, oid::DATA), content].concat())
}

fn safe(alias: &str, certificate: &[u8]) -> Vec<u8> {
    let certificate = element(context(0), &element(OCTET_STRING, certificate));
    let certificate = element(SEQUENCE, &[element(OID, X509), certificate].concat());
    let name: Vec<u8> = alias.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let attributes =
        [attribute(FRIENDLY_NAME, &element(BMP_STRING, &name)), attribute(TRUSTED_KEY_USAGE, &element(OID, ANY_USAGE))];
    let bag = [element(OID, CERT_BAG), element(context(0), &certificate), element(SET, &attributes.concat())];
    data(&element(SEQUENCE, &element(SEQUENCE, &bag.concat())))
}

fn attribute(name: &[u8], value: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[element(OID, name), element(SET, value)].concat())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::super::subject_hash::{der, tests::PEM};
    use super::*;

    fn empty() -> Vec<u8> {
        element(SEQUENCE, &[element(INTEGER, &[3]), data(&element(SEQUENCE, &[]))].concat())
    }

    #[test]
    fn a_store_has_the_authority_once() {
        let first = with(&empty(), "landfall", &der(PEM).unwrap()).unwrap();
        assert_eq!(with(&first, "landfall", &der(PEM).unwrap()), None);
        let second = with(&first, "other", b"another").unwrap();
        assert!(second.len() > first.len());
    }

    #[test]
    fn a_store_with_a_password_or_of_another_kind_is_left_alone() {
        let content = [element(INTEGER, &[3]), data(&element(SEQUENCE, &[]))].concat();
        let sealed = element(SEQUENCE, &[&content[..], &element(SEQUENCE, b"mac")].concat());
        let longer = [empty(), vec![0]].concat();
        for store in [&sealed[..], &longer, b"", b"\xfe\xed\xfe\xed", &empty()[..9]] {
            assert_eq!(with(store, "a", b"c"), None);
        }
    }

    /// A store as new JDKs have it, by the JDK that is here, if any.
    #[test]
    fn keytool_reads_what_it_had_and_what_came() {
        let folder = tempfile::tempdir().unwrap();
        let (pem, store) = (folder.path().join("a.pem"), folder.path().join("cacerts"));
        std::fs::write(&pem, PEM).unwrap();
        let keytool = |arguments: &[&str]| {
            let without_password =
                ["-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE", "-J-Dkeystore.pkcs12.macAlgorithm=NONE"];
            let done =
                Command::new("keytool").args(without_password).args(arguments).arg("-keystore").arg(&store).output();
            done.ok().map(|done| String::from_utf8_lossy(&done.stdout).into_owned())
        };
        let import =
            ["-importcert", "-noprompt", "-storetype", "PKCS12", "-storepass", "changeit", "-alias", "before", "-file"];
        let Some(_) = keytool(&[&import[..], &[pem.to_str().unwrap()]].concat()) else { return };
        // The same certificate by another name will do.
        let changed = with(&std::fs::read(&store).unwrap(), "landfall-build", &der(PEM).unwrap()).unwrap();
        std::fs::write(&store, changed).unwrap();
        let listed = keytool(&["-list"]).unwrap();
        for alias in ["before", "landfall-build"] {
            assert!(
                listed.lines().any(|line| line.starts_with(alias) && line.contains("trustedCertEntry")),
                "{listed}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_file_is_judged(store in any::<Vec<u8>>()) {
            let _ = with(&store, "a", b"c");
        }
    }
}
