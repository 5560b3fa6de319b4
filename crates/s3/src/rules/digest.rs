//! Hashes of content: the entity tag, and the additional checksums that SDKs send.

use aws::Error;
use aws::s3::{Checksum, ChecksumAlgorithm, ChecksumKind, error};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};
use std::collections::BTreeMap;

/// Hashes a content as it streams by, each algorithm once.
pub(crate) struct Hasher {
    md5: Md5,
    running: Vec<(ChecksumAlgorithm, Running)>,
    size: u64,
}

enum Running {
    Crc(crc_fast::Digest),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
}

/// The hashes of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digests {
    /// MD5 in hex: the entity tag.
    pub(crate) md5: String,
    /// Checksums in base64.
    pub(crate) checksums: BTreeMap<ChecksumAlgorithm, String>,
    /// Bytes hashed.
    pub(crate) size: u64,
}

impl Hasher {
    pub(crate) fn new(algorithms: impl IntoIterator<Item = ChecksumAlgorithm>) -> Self {
        let running = algorithms.into_iter().map(|algorithm| (algorithm, Running::new(algorithm))).collect();
        Self { md5: Md5::new(), running, size: 0 }
    }

    pub(crate) fn update(&mut self, chunk: &[u8]) {
        self.size += chunk.len() as u64;
        self.md5.update(chunk);
        for (_, running) in &mut self.running {
            running.update(chunk);
        }
    }

    /// Bytes hashed so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn finish(self) -> Digests {
        let checksums = self.running.into_iter().map(|(algorithm, running)| (algorithm, running.finish(algorithm)));
        Digests { md5: hex::encode(self.md5.finalize()), checksums: checksums.collect(), size: self.size }
    }
}

impl Running {
    fn new(algorithm: ChecksumAlgorithm) -> Self {
        match crc_of(algorithm) {
            Some(crc) => Self::Crc(crc_fast::Digest::new(crc)),
            None if algorithm == ChecksumAlgorithm::Sha1 => Self::Sha1(sha1::Sha1::new()),
            None => Self::Sha256(sha2::Sha256::new()),
        }
    }

    fn update(&mut self, chunk: &[u8]) {
        match self {
            Self::Crc(crc) => crc.update(chunk),
            Self::Sha1(sha) => sha.update(chunk),
            Self::Sha256(sha) => sha.update(chunk),
        }
    }

    fn finish(self, algorithm: ChecksumAlgorithm) -> String {
        match self {
            Self::Crc(crc) => encode_crc(algorithm, crc.finalize()),
            Self::Sha1(sha) => BASE64.encode(sha.finalize()),
            Self::Sha256(sha) => BASE64.encode(sha.finalize()),
        }
    }
}

const fn crc_of(algorithm: ChecksumAlgorithm) -> Option<CrcAlgorithm> {
    match algorithm {
        ChecksumAlgorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        ChecksumAlgorithm::Crc32C => Some(CrcAlgorithm::Crc32Iscsi),
        ChecksumAlgorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => None,
    }
}

/// The length of a checksum in bytes.
const fn width(algorithm: ChecksumAlgorithm) -> usize {
    match algorithm {
        ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32C => 4,
        ChecksumAlgorithm::Crc64Nvme => 8,
        ChecksumAlgorithm::Sha1 => 20,
        ChecksumAlgorithm::Sha256 => 32,
    }
}

/// Big-endian, cut to the algorithm's width.
fn encode_crc(algorithm: ChecksumAlgorithm, value: u64) -> String {
    BASE64.encode(&value.to_be_bytes()[8 - width(algorithm)..])
}

fn decode_crc(algorithm: ChecksumAlgorithm, value: &str) -> Option<u64> {
    let bytes = BASE64.decode(value).ok().filter(|bytes| bytes.len() == width(algorithm))?;
    Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// Whether the content has the checksum that the client gave.
///
/// # Errors
/// `InvalidRequest` where the value is no such checksum, `BadDigest` where it is another content's.
pub(crate) fn verify_checksum(digests: &Digests, algorithm: ChecksumAlgorithm, given: &str) -> Result<(), Error> {
    let header = algorithm.header();
    if BASE64.decode(given).ok().is_none_or(|bytes| bytes.len() != width(algorithm)) {
        return Err(error::invalid_request(format!("Value for {header} header is invalid.")));
    }
    match digests.checksums.get(&algorithm) {
        Some(computed) if computed == given => Ok(()),
        Some(computed) => Err(error::bad_digest(header, given, computed)),
        None => Err(error::invalid_request(format!("{header} was not announced before the body."))),
    }
}

/// Whether the content has the MD5 that the client gave.
///
/// # Errors
/// `InvalidDigest` where the value is no MD5, `BadDigest` where it is another content's.
pub(crate) fn verify_md5(digests: &Digests, given: &str) -> Result<(), Error> {
    let bytes = BASE64.decode(given).ok().filter(|bytes| bytes.len() == 16);
    let bytes = bytes.ok_or_else(|| error::invalid_digest("Content-MD5"))?;
    let given = hex::encode(bytes);
    if given == digests.md5 { Ok(()) } else { Err(error::bad_digest("Content-MD5", &given, &digests.md5)) }
}

/// The entity tag of an object uploaded in parts: the MD5 of the parts' MD5s, and how many there are.
pub(crate) fn multipart_etag<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = etags.len();
    let mut whole = Md5::new();
    for etag in etags {
        // A stored part's entity tag is the hex of an MD5; were one damaged, the tag would only differ.
        whole.update(hex::decode(etag).unwrap_or_default());
    }
    format!("{}-{count}", hex::encode(whole.finalize()))
}

/// The composite checksum of parts: the checksum of their checksums, and how many there are.
pub(crate) fn composite<'a>(algorithm: ChecksumAlgorithm, parts: impl ExactSizeIterator<Item = &'a str>) -> Checksum {
    let count = parts.len();
    let mut whole = Running::new(algorithm);
    for part in parts {
        whole.update(&BASE64.decode(part).unwrap_or_default());
    }
    Checksum { algorithm, value: format!("{}-{count}", whole.finish(algorithm)), kind: ChecksumKind::Composite }
}

/// The checksum of the whole content from those of its parts (value, size in bytes); `None` where the algorithm has no
/// such rule or a value is damaged.
pub(crate) fn combine<'a>(
    algorithm: ChecksumAlgorithm,
    parts: impl IntoIterator<Item = (&'a str, u64)>,
) -> Option<Checksum> {
    let crc = crc_of(algorithm)?;
    let mut whole = crc_fast::Digest::new(crc).finalize();
    for (value, size) in parts {
        whole = crc_fast::checksum_combine(crc, whole, decode_crc(algorithm, value)?, size);
    }
    Some(Checksum { algorithm, value: encode_crc(algorithm, whole), kind: ChecksumKind::FullObject })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digests(content: &[u8]) -> Digests {
        let mut hasher = Hasher::new(ChecksumAlgorithm::ALL);
        content.chunks(3).for_each(|chunk| hasher.update(chunk));
        hasher.finish()
    }

    /// The check values of the CRC catalogue and of RFC 1321, FIPS 180.
    #[test]
    fn algorithms_are_those_of_the_standards() {
        let digests = digests(b"123456789");
        let expected = [
            (ChecksumAlgorithm::Crc32, "cbf43926"),
            (ChecksumAlgorithm::Crc32C, "e3069283"),
            (ChecksumAlgorithm::Crc64Nvme, "ae8b14860a799888"),
            (ChecksumAlgorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (ChecksumAlgorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ];
        for (algorithm, hex) in expected {
            assert_eq!(hex::encode(BASE64.decode(&digests.checksums[&algorithm]).unwrap()), hex, "{algorithm}");
        }
        assert_eq!(digests.md5, "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(digests.size, 9);
    }

    #[test]
    fn verification_tells_nonsense_from_another_content() {
        let digests = digests(b"landfall");
        let crc = digests.checksums[&ChecksumAlgorithm::Crc32].clone();
        assert!(verify_checksum(&digests, ChecksumAlgorithm::Crc32, &crc).is_ok());
        let other = verify_checksum(&digests, ChecksumAlgorithm::Crc32, "AAAAAA==");
        assert!(other.unwrap_err().is("BadDigest"));
        let nonsense = verify_checksum(&digests, ChecksumAlgorithm::Crc32, "zzz");
        assert!(nonsense.unwrap_err().is("InvalidRequest"));
        assert!(verify_md5(&digests, "AAAA").unwrap_err().is("InvalidDigest"));
        assert!(verify_md5(&digests, "AAAAAAAAAAAAAAAAAAAAAA==").unwrap_err().is("BadDigest"));
        assert!(verify_md5(&digests, &BASE64.encode(hex::decode(&digests.md5).unwrap())).is_ok());
    }

    /// The entity tag that S3 gives two parts of `a` and `b`, by hand: md5(md5("a") md5("b")).
    #[test]
    fn multipart_tags_hash_the_hashes() {
        let tags = [digests(b"a").md5, digests(b"b").md5];
        let tag = multipart_etag(tags.iter().map(String::as_str));
        let concatenated = hex::decode(tags.concat()).unwrap();
        assert_eq!(tag, format!("{}-2", digests(&concatenated).md5));
        let one = digests(b"a").checksums[&ChecksumAlgorithm::Sha256].clone();
        let checksum = composite(ChecksumAlgorithm::Sha256, [one.as_str()].into_iter());
        assert!(checksum.value.ends_with("-1"));
        assert_eq!(checksum.kind, ChecksumKind::Composite);
    }

    #[test]
    fn hashes_do_not_combine() {
        assert_eq!(combine(ChecksumAlgorithm::Sha1, []), None);
    }

    proptest! {
        /// Combining the checksums of parts gives the checksum of the whole.
        #[test]
        fn crcs_combine(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..5)) {
            let whole = digests(&parts.concat());
            for algorithm in ChecksumAlgorithm::ALL.into_iter().filter(|algorithm| algorithm.combines()) {
                let of_parts: Vec<_> = parts.iter().map(|part| digests(part)).collect();
                let values = of_parts.iter().map(|part| (part.checksums[&algorithm].as_str(), part.size));
                prop_assert_eq!(&combine(algorithm, values).unwrap().value, &whole.checksums[&algorithm]);
            }
        }
    }
}
