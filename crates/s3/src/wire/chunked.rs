//! `aws-chunked` bodies (Amazon S3 API Reference, "Signature calculations: transferring payload in multiple chunks").
//!
//! ```text
//! 400;chunk-signature=…\r\n<1,024 bytes>\r\n0;chunk-signature=…\r\nx-amz-checksum-crc32:…\r\nx-amz-trailer-signature:…\r\n\r\n
//! ```

use aws::Error;
use aws::s3::Body;
use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use sha2::{Digest, Sha256};
use sigv4::{CredentialScope, EMPTY_SHA256, SigningKey, sha256_hex};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The longest chunk header in bytes.
const LONGEST_HEADER: usize = 1024;
/// The most bytes of trailers.
const LARGEST_TRAILERS: usize = 16 * 1024;

/// What verifies signed chunks: the listener puts it into a request's extensions.
#[derive(Clone)]
pub struct ChunkSigning {
    /// The key that signed the request's headers.
    pub key: SigningKey,
    /// Its scope.
    pub scope: CredentialScope,
    /// The request's time as it was signed, `YYYYMMDDThhmmssZ`.
    pub time: String,
    /// The signature of the request's headers, in hex: the first chunk signs it.
    pub seed: String,
}

/// The trailers of a body, once it has been read.
#[derive(Clone, Default)]
pub(super) struct Trailers(Arc<Mutex<BTreeMap<String, String>>>);

impl Trailers {
    /// The value of a trailer.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// The content of an `aws-chunked` body of `length` bytes, and its trailers. Chunks are verified where there is a key.
pub(super) fn decode(body: Body, length: Option<u64>, signing: Option<ChunkSigning>) -> (Body, Trailers) {
    let trailers = Trailers::default();
    let decoder = Decoder {
        body,
        buffer: BytesMut::new(),
        place: Place::Header,
        verifier: signing.map(|signing| Verifier { signing, chunk: Sha256::new() }),
        trailers: trailers.clone(),
    };
    let chunks = stream::unfold(Some(decoder), |decoder| async move {
        let mut decoder = decoder?;
        match decoder.next().await {
            Ok(Some(chunk)) => Some((Ok(chunk), Some(decoder))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    (Body::from_stream(chunks, length), trailers)
}

struct Decoder {
    body: Body,
    buffer: BytesMut,
    place: Place,
    verifier: Option<Verifier>,
    trailers: Trailers,
}

/// What comes next in the body.
enum Place {
    Header,
    /// So many bytes of a chunk with that signature.
    Data(u64, Option<String>),
    Trailers,
    End,
}

impl Decoder {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match &mut self.place {
                Place::Header => self.header().await?,
                Place::Data(0, signature) => {
                    let signature = signature.take();
                    self.line(0).await?;
                    self.verify_chunk(signature.as_deref())?;
                    self.place = Place::Header;
                }
                Place::Data(..) => return self.data().await.map(Some),
                Place::Trailers => {
                    self.read_trailers().await?;
                    self.place = Place::End;
                }
                Place::End => return Ok(None),
            }
        }
    }

    async fn header(&mut self) -> io::Result<()> {
        let line = self.line(LONGEST_HEADER).await?;
        let (size, signature) = parse_header(&line).ok_or_else(malformed)?;
        if size > 0 {
            self.place = Place::Data(size, signature);
            return Ok(());
        }
        self.verify_chunk(signature.as_deref())?;
        self.place = Place::Trailers;
        Ok(())
    }

    async fn data(&mut self) -> io::Result<Bytes> {
        if self.buffer.is_empty() && !self.fill().await? {
            return Err(malformed());
        }
        let Place::Data(left, _) = &mut self.place else { return Err(malformed()) };
        let size = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
        *left -= size as u64;
        let data = self.buffer.split_to(size).freeze();
        if let Some(verifier) = &mut self.verifier {
            verifier.chunk.update(&data);
        }
        Ok(data)
    }

    /// Up to the next CRLF, which is taken too; at most `longest` bytes.
    async fn line(&mut self, longest: usize) -> io::Result<Bytes> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                if end > longest {
                    return Err(malformed());
                }
                let line = self.buffer.split_to(end).freeze();
                self.buffer.advance(2);
                return Ok(line);
            }
            if self.buffer.len() > longest + 1 || !self.fill().await? {
                return Err(malformed());
            }
        }
    }

    async fn fill(&mut self) -> io::Result<bool> {
        match self.body.next().await {
            Some(chunk) => {
                self.buffer.extend_from_slice(&chunk?);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Everything behind the last chunk. Some clients end without the empty line.
    async fn read_trailers(&mut self) -> io::Result<()> {
        while self.fill().await? {
            if self.buffer.len() > LARGEST_TRAILERS {
                return Err(malformed());
            }
        }
        let (trailers, signature) = parse_trailers(&self.buffer).ok_or_else(malformed)?;
        if let Some(verifier) = &self.verifier {
            verifier.verify_trailers(&trailers, signature.as_deref())?;
        }
        *self.trailers.0.lock().unwrap_or_else(PoisonError::into_inner) = trailers.into_iter().collect();
        Ok(())
    }

    fn verify_chunk(&mut self, signature: Option<&str>) -> io::Result<()> {
        match &mut self.verifier {
            Some(verifier) => verifier.verify_chunk(signature),
            None => Ok(()),
        }
    }
}

/// `size[;chunk-signature=…]`.
fn parse_header(line: &[u8]) -> Option<(u64, Option<String>)> {
    let line = std::str::from_utf8(line).ok()?;
    let (size, extension) = line.split_once(';').map_or((line, None), |(size, extension)| (size, Some(extension)));
    let signature = extension.and_then(|extension| extension.strip_prefix("chunk-signature=")).map(str::to_owned);
    Some((u64::from_str_radix(size.trim(), 16).ok()?, signature))
}

type Parsed = (Vec<(String, String)>, Option<String>);

/// `name:value` lines in their order, and the signature among them.
fn parse_trailers(bytes: &[u8]) -> Option<Parsed> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut trailers = Vec::new();
    let mut signature = None;
    for line in text.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        match name.as_str() {
            "x-amz-trailer-signature" => signature = Some(value),
            _ => trailers.push((name, value)),
        }
    }
    Some((trailers, signature))
}

/// Follows the chain of signatures: each signs the one before.
struct Verifier {
    signing: ChunkSigning,
    chunk: Sha256,
}

impl Verifier {
    fn verify_chunk(&mut self, signature: Option<&str>) -> io::Result<()> {
        let hash = hex::encode(std::mem::take(&mut self.chunk).finalize());
        let ChunkSigning { scope, time, seed, .. } = &self.signing;
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{time}\n{scope}\n{seed}\n{EMPTY_SHA256}\n{hash}");
        let signature =
            signature.filter(|signature| self.signing.key.matches(&text, signature)).ok_or_else(mismatch)?;
        self.signing.seed = signature.to_owned();
        Ok(())
    }

    fn verify_trailers(&self, trailers: &[(String, String)], signature: Option<&str>) -> io::Result<()> {
        if trailers.is_empty() && signature.is_none() {
            return Ok(());
        }
        let canonical: String = trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let ChunkSigning { scope, time, seed, key } = &self.signing;
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{time}\n{scope}\n{seed}\n{}", sha256_hex(canonical.as_bytes()));
        let matches = signature.is_some_and(|signature| key.matches(&text, signature));
        matches.then_some(()).ok_or_else(mismatch)
    }
}

fn malformed() -> io::Error {
    io::Error::other(Error::new("IncompleteBody", "The request body ended early or is not in aws-chunked framing."))
}

fn mismatch() -> io::Error {
    let message = "The signature of a chunk does not match; check the secret access key and the signing method.";
    io::Error::other(Error::modelled("SignatureDoesNotMatch", 403, message))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(bytes: &[u8], at_once: usize) -> Body {
        let chunks: Vec<io::Result<Bytes>> =
            bytes.chunks(at_once).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        Body::from_stream(stream::iter(chunks), None)
    }

    async fn decoded(bytes: &[u8], at_once: usize, signing: Option<ChunkSigning>) -> (Result<Bytes, String>, Trailers) {
        let (content, trailers) = decode(body(bytes, at_once), None, signing);
        let content = content.collect(1 << 20).await.map_err(|error| error.to_string());
        (content, trailers)
    }

    #[tokio::test]
    async fn chunks_and_trailers_are_taken_apart() {
        let framed = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        for at_once in [1, 2, 7, 1000] {
            let (content, trailers) = decoded(framed, at_once, None).await;
            assert_eq!(content.unwrap(), "hello world");
            assert_eq!(trailers.get("x-amz-checksum-crc32").as_deref(), Some("DUoRhQ=="));
        }
    }

    #[tokio::test]
    async fn what_is_cut_short_or_garbled_is_refused() {
        for framed in
            [&b"5\r\nhel"[..], b"", b"5\r\nhello", b"zz\r\n", b"5\r\nhelloxx0\r\n\r\n", &[b'1'; 5000], b"0\r\nno colon"]
        {
            let (content, _) = decoded(framed, 100, None).await;
            assert!(content.is_err_and(|error| error.starts_with("IncompleteBody")));
        }
    }

    /// The example of the Amazon S3 API Reference: 65 KiB of `a` in chunks of 64 KiB, and its secret.
    #[tokio::test]
    async fn signatures_are_those_of_the_documented_example() {
        let scope = CredentialScope { day: "20130524".into(), region: "us-east-1".into(), service: "s3".into() };
        let signing = ChunkSigning {
            key: SigningKey::derive("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &scope),
            scope,
            time: "20130524T000000Z".to_owned(),
            seed: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9".to_owned(),
        };
        let chunks = [
            (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
            (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
            (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        ];
        let framed: String = chunks
            .iter()
            .map(|(size, signature)| format!("{size:x};chunk-signature={signature}\r\n{}\r\n", "a".repeat(*size)))
            .collect();
        let (content, _) = decoded(framed.as_bytes(), 1000, Some(signing.clone())).await;
        assert_eq!(content.unwrap().len(), 66560);
        let (content, _) = decoded(framed.replacen('a', "b", 100).as_bytes(), 1000, Some(signing.clone())).await;
        assert!(content.is_err_and(|error| error.starts_with("SignatureDoesNotMatch")));
        let (content, _) = decoded(b"1\r\na\r\n0\r\n\r\n", 1000, Some(signing)).await;
        assert!(content.is_err_and(|error| error.starts_with("SignatureDoesNotMatch")));
    }

    proptest! {
        /// However the bytes fall into pieces, the content is the same; and nothing panics.
        #[test]
        fn any_split_decodes(parts in prop::collection::vec("[a-z]{1,40}", 0..5), at_once in 1usize..20) {
            let framed: String = parts.iter().map(|part| format!("{:x}\r\n{part}\r\n", part.len())).collect();
            let framed = format!("{framed}0\r\n\r\n");
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (content, _) = runtime.block_on(decoded(framed.as_bytes(), at_once, None));
            prop_assert_eq!(content.unwrap(), parts.concat());
        }

        #[test]
        fn garbage_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _ = runtime.block_on(decoded(&bytes, 7, None));
        }
    }
}
