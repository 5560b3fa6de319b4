//! DER (X.690), as far as a `SignedData`, a certificate and a key store need it.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The tag of a constructed element `[number]`.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// Object identifiers, encoded.
pub(crate) mod oid {
    pub(crate) const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
    pub(crate) const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
    pub(crate) const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
    pub(crate) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    pub(crate) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    pub(crate) const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    pub(crate) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
}

/// Elements one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elements<'a>(pub(crate) &'a [u8]);

impl<'a> Elements<'a> {
    /// The next element, whatever its tag: tag, content, and the whole of it.
    pub(crate) fn any(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = length(first, rest)?;
        let (content, after) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some((tag, content, whole))
    }

    /// The next element's content, if it has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (found, content, _) = ahead.any()?;
        (found == tag).then(|| {
            *self = ahead;
            content
        })
    }

    /// The next element's parts, if it has this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }
}

/// Definite lengths of at most four bytes.
fn length(first: u8, rest: &[u8]) -> Option<(usize, &[u8])> {
    match first {
        0..=0x7f => Some((first.into(), rest)),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked((first & 0x7f).into())?;
            Some((bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest))
        }
        _ => None,
    }
}

/// An element of this tag, for [`Elements`] to read.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let bytes = content.len().to_be_bytes();
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    let digits = &bytes[start..];
    let head = match digits {
        [short @ 0..=0x7f] => vec![tag, *short],
        // A length has eight bytes at most.
        long => [&[tag, 0x80 | long.len() as u8], long].concat(),
    };
    [&head[..], content].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_are_read_in_turn() {
        let mut elements = Elements(&[SEQUENCE, 3, INTEGER, 1, 5, OCTET_STRING, 0x81, 1, 7]);
        assert_eq!(elements.take(INTEGER), None);
        assert_eq!(elements.enter(SEQUENCE).and_then(|mut inner| inner.take(INTEGER)), Some(&[5][..]));
        assert_eq!(elements.any(), Some((OCTET_STRING, &[7][..], &[OCTET_STRING, 0x81, 1, 7][..])));
        assert_eq!(elements.any(), None);
    }

    #[test]
    fn lengths_beyond_the_end_and_indefinite_ones_are_refused() {
        for bytes in
            [&[SEQUENCE, 5, 0][..], &[SEQUENCE, 0x80, 0, 0], &[SEQUENCE, 0x84, 255, 255, 255, 255], &[SEQUENCE]]
        {
            assert_eq!(Elements(bytes).any(), None, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1_0000] {
            let (content, mut elements) = (vec![7; length], element(SET, &vec![7; length]));
            elements.push(9);
            let mut read = Elements(&elements);
            assert_eq!((read.take(SET), read.0), (Some(&content[..]), &[9][..]), "{length}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>()) {
            let mut elements = Elements(&bytes);
            while elements.any().is_some() {}
        }
    }
}
