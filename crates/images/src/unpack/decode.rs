use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

/// The first bytes of what gzip writes.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// The first bytes of a Zstandard frame.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Reads what is plain, gzip or Zstandard, told by its first bytes: media types say one thing and layers are another,
/// and Docker looks too.
pub fn decode<'r>(reader: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let mut reader = BufReader::with_capacity(128 << 10, reader);
    let begin = reader.fill_buf()?;
    if begin.starts_with(GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(reader)));
    }
    if begin.starts_with(ZSTD) {
        return Ok(Box::new(Frames { reader: Some(reader), frame: None }));
    }
    Ok(Box::new(reader))
}

/// One Zstandard frame after the other: some programs write a layer in several, so that it can be read in parts.
struct Frames<R: BufRead> {
    reader: Option<R>,
    frame: Option<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>,
}

impl<R: BufRead> Frames<R> {
    /// Begins the next frame; `false` where there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while let Some(mut reader) = self.reader.take() {
            let magic = reader.fill_buf()?.first_chunk::<4>().copied();
            if reader.fill_buf()?.is_empty() {
                return Ok(false);
            }
            if magic.is_some_and(|magic| magic[0] & 0xf0 == 0x50 && magic[1..] == [0x2a, 0x4d, 0x18]) {
                skip_frame(&mut reader)?;
                self.reader = Some(reader);
                continue;
            }
            let frame = StreamingDecoder::new(reader).map_err(|error| broken(&error))?;
            self.frame = Some(frame);
            return Ok(true);
        }
        Ok(false)
    }
}

/// A skippable frame: its length stands after its mark.
fn skip_frame(reader: &mut impl BufRead) -> io::Result<()> {
    let mut head = [0; 8];
    reader.read_exact(&mut head)?;
    let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
    let skipped = io::copy(&mut reader.take(length), &mut io::sink())?;
    if skipped == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.frame.is_some() || self.begin()? {
            let Some(frame) = &mut self.frame else { break };
            let read = frame.read(buffer).map_err(|error| broken(&error))?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.reader = self.frame.take().map(StreamingDecoder::into_inner);
        }
        Ok(0)
    }
}

fn broken(error: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("its Zstandard data cannot be read: {error}"))
}

/// Reads at most so much, and then fails instead of ending.
pub(crate) struct Bounded<R> {
    inner: R,
    left: u64,
    /// What is said where there is more.
    too_much: String,
}

impl<R: Read> Bounded<R> {
    pub(crate) fn new(inner: R, most: u64, too_much: impl Into<String>) -> Self {
        Self { inner, left: most, too_much: too_much.into() }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let left = self.left.checked_sub(read as u64);
        self.left = left.ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, self.too_much.clone()))?;
        Ok(read)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;

    use super::*;

    fn decoded(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        decode(bytes)?.read_to_end(&mut all)?;
        Ok(all)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn is_told_by_the_first_bytes_and_may_come_in_pieces() {
        let text = b"hello ".repeat(40_000);
        let (one, two) = text.split_at(100_001);
        let skippable = [&[0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        for bytes in [
            text.clone(),
            gzip(&text),
            [gzip(one), gzip(two)].concat(),
            zstd(&text),
            [zstd(one), skippable, zstd(two)].concat(),
        ] {
            assert!(decoded(&bytes).unwrap() == text);
        }
        assert_eq!(decoded(b"").unwrap(), b"");
    }

    #[test]
    fn cut_or_changed_data_is_an_error() {
        let text = b"hello ".repeat(10_000);
        for bytes in [gzip(&text), zstd(&text)] {
            assert!(decoded(&bytes[..bytes.len() - 5]).is_err());
            assert!(decoded(&[&bytes[..], b"garbage!"].concat()).is_err());
        }
    }

    #[test]
    fn more_than_the_bound_is_an_error_and_no_end() {
        let mut all = Vec::new();
        Bounded::new(&b"hello"[..], 5, "").read_to_end(&mut all).unwrap();
        let error = Bounded::new(&b"hello"[..], 4, "more than 4").read_to_end(&mut all).unwrap_err();
        assert_eq!(error.to_string(), "more than 4");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(kind in 0..3, bytes in proptest::collection::vec(0_u8.., 0..600)) {
            let magic = [&b""[..], GZIP, ZSTD][usize::try_from(kind).unwrap()];
            let bytes = [magic, &bytes].concat();
            let mut reader = decode(&bytes[..])?;
            let _ = io::copy(&mut (&mut reader).take(64 << 20), &mut io::sink());
        }
    }
}
