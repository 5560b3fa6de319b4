use std::io;

use super::broken;

/// Everything in an archive comes in blocks of so many bytes.
pub(super) const BLOCK: usize = 512;

/// A header block, as it is written.
pub(super) struct Header<'b>(pub(super) &'b [u8; BLOCK]);

impl Header<'_> {
    /// The end of an archive is blocks of zeros.
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// Compares the checksum: the sum of all bytes, with its own field as spaces. Old programs took bytes as signed.
    pub(super) fn check(&self) -> io::Result<()> {
        let written = number(&self.0[148..156])?;
        let field = 148..156;
        let byte = |(at, byte): (usize, &u8)| if field.contains(&at) { b' ' } else { *byte };
        let bytes: Vec<u8> = self.0.iter().enumerate().map(byte).collect();
        let unsigned: i64 = bytes.iter().map(|byte| i64::from(*byte)).sum();
        let signed: i64 = bytes.iter().map(|byte| i64::from(byte.cast_signed())).sum();
        let written = i64::try_from(written).unwrap_or(i64::MAX);
        if written == unsigned || written == signed {
            return Ok(());
        }
        Err(broken("a header of the archive has a wrong checksum"))
    }

    /// The name with ustar's prefix before it. GNU's own format has other things in the prefix's place.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = text(&self.0[345..500]);
        if &self.0[257..263] != b"ustar\0" || prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }

    pub(super) fn mode(&self) -> io::Result<u32> {
        Ok(u32::try_from(number(&self.0[100..108])? & 0o7777).unwrap_or_default())
    }

    pub(super) fn uid(&self) -> io::Result<u64> {
        number(&self.0[108..116])
    }

    pub(super) fn gid(&self) -> io::Result<u64> {
        number(&self.0[116..124])
    }

    pub(super) fn size(&self) -> io::Result<u64> {
        number(&self.0[124..136])
    }

    /// Seconds since 1970; those before are taken as 1970.
    pub(super) fn mtime(&self) -> i64 {
        number(&self.0[136..148]).ok().and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0)
    }
}

/// A text field ends at its first zero byte.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number is written in octal digits, or as GNU writes large ones, in binary with the highest bit set.
fn number(field: &[u8]) -> io::Result<u64> {
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_at(field.len() - 8);
        let Some((mark, high)) = high.split_first() else {
            // Owners' fields are eight bytes: the first is the mark.
            return Ok(low[1..].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
        };
        if *mark != 0x80 || high.iter().any(|byte| *byte != 0) {
            return Err(broken("a header of the archive has a number that is too large"));
        }
        return Ok(low.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    }
    let digits = text(field).trim_ascii();
    digits
        .iter()
        .try_fold(0_u64, |sum, digit| match digit {
            b'0'..=b'7' => sum.checked_mul(8).and_then(|sum| sum.checked_add(u64::from(digit - b'0'))),
            _ => None,
        })
        .ok_or_else(|| broken("a header of the archive has something else in the place of a number"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary() {
        let mut large = [0_u8; 12];
        large[0] = 0x80;
        large[4..].copy_from_slice(&(9_u64 << 30).to_be_bytes());
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"    644 ", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (&large, Some(9 << 30)),
            (b"\x80\0\0\0\0\x12\x34\x56", Some(0x0012_3456)),
            (b"0000689\0", None),
            (b"-1\0\0\0\0\0\0", None),
            (&[0xff; 12], None),
        ] {
            assert_eq!(number(field).ok(), expected, "{field:?}");
        }
    }

    #[test]
    fn the_prefix_is_ustars_alone() {
        let mut block = [0_u8; BLOCK];
        block[..4].copy_from_slice(b"name");
        block[345..351].copy_from_slice(b"prefix");
        assert_eq!(Header(&block).path(), b"name");
        block[257..263].copy_from_slice(b"ustar\0");
        assert_eq!(Header(&block).path(), b"prefix/name");
    }

    #[test]
    fn a_changed_header_is_noticed() {
        let mut block = [0_u8; BLOCK];
        block[..4].copy_from_slice(b"name");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        Header(&block).check().unwrap();
        block[1] = b'x';
        assert!(Header(&block).check().is_err());
    }
}
