//! The signer's self-signed certificate (RFC 5280).

use super::der::{self, SEQUENCE, SET, bits, constructed, context, element, oid, unsigned};

/// From before any clock this runs under to RFC 5280's "no well-defined expiration date": agents do
/// not check it, and a certificate that expires would only stop deployments some day.
const NOT_BEFORE: &[u8] = b"200101000000Z";
const NOT_AFTER: &[u8] = b"99991231235959Z";

/// `KeyUsage ::= digitalSignature`.
const DIGITAL_SIGNATURE: &[u8] = &[0x03, 0x02, 0x07, 0x80];

/// The name of issuer and subject, encoded.
pub(super) fn name() -> Vec<u8> {
    let common_name = element(der::UTF8_STRING, b"Landfall CodeDeploy deployment specification signer");
    let attribute = constructed(SEQUENCE, &[&element(der::OID, oid::COMMON_NAME), &common_name]);
    constructed(SEQUENCE, &[&constructed(SET, &[&attribute])])
}

/// The part of the certificate that is signed, for an uncompressed P-256 point.
pub(super) fn to_be_signed(serial: &[u8], point: &[u8]) -> Vec<u8> {
    let version_3 = constructed(context(0), &[&unsigned(&[2])]);
    let validity =
        constructed(SEQUENCE, &[&element(der::UTC_TIME, NOT_BEFORE), &element(der::GENERALIZED_TIME, NOT_AFTER)]);
    let key_type =
        constructed(SEQUENCE, &[&element(der::OID, oid::EC_PUBLIC_KEY), &element(der::OID, oid::PRIME256V1)]);
    let key = constructed(SEQUENCE, &[&key_type, &bits(point)]);
    let algorithm = der::algorithm(oid::ECDSA_WITH_SHA256);
    constructed(
        SEQUENCE,
        &[&version_3, &unsigned(serial), &algorithm, &name(), &validity, &name(), &key, &extensions()],
    )
}

fn extensions() -> Vec<u8> {
    let critical = element(0x01, &[0xff]);
    let usage = element(der::OCTET_STRING, DIGITAL_SIGNATURE);
    let key_usage = constructed(SEQUENCE, &[&element(der::OID, oid::KEY_USAGE), &critical, &usage]);
    constructed(context(3), &[&constructed(SEQUENCE, &[&key_usage])])
}

/// The certificate from its signed part and the signature over it.
pub(super) fn certificate(to_be_signed: &[u8], signature: &[u8]) -> Vec<u8> {
    constructed(SEQUENCE, &[to_be_signed, &der::algorithm(oid::ECDSA_WITH_SHA256), &bits(signature)])
}
