//! `SignedData` with embedded content and certificate (RFC 5652, in its PKCS#7 form).

use super::certificate::name;
use super::der::{self, SEQUENCE, SET, constructed, context, element, oid, unsigned};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Builds the DER of a `SignedData` by one signer, without signed attributes: `signature` is over
/// the content itself.
pub(super) fn signed_data(content: &[u8], certificate: &[u8], serial: &[u8], signature: &[u8]) -> Vec<u8> {
    let version_1 = unsigned(&[1]);
    let sha256 = der::algorithm(oid::SHA256);
    let embedded = constructed(context(0), &[&element(der::OCTET_STRING, content)]);
    let content_info = constructed(SEQUENCE, &[&element(der::OID, oid::DATA), &embedded]);
    let signer_id = constructed(SEQUENCE, &[&name(), &unsigned(serial)]);
    let signer_info = constructed(
        SEQUENCE,
        &[
            &version_1,
            &signer_id,
            &sha256,
            &der::algorithm(oid::ECDSA_WITH_SHA256),
            &element(der::OCTET_STRING, signature),
        ],
    );
    let signed = constructed(
        SEQUENCE,
        &[
            &version_1,
            &constructed(SET, &[&sha256]),
            &content_info,
            &constructed(context(0), &[certificate]),
            &constructed(SET, &[&signer_info]),
        ],
    );
    constructed(SEQUENCE, &[&element(der::OID, oid::SIGNED_DATA), &constructed(context(0), &[&signed])])
}

/// Wraps DER in the PEM label that every agent version accepts.
pub(super) fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PKCS7-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str("-----END PKCS7-----\n");
    pem
}
