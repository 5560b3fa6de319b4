//! Which bytes a range means (RFC 9110, section 14; S3 serves one range).

use aws::Error;
use aws::s3::{ByteRange, error};

/// First and last byte of `range` in a content of `size` bytes.
///
/// # Errors
/// `InvalidRange` where none of it is in the content.
pub(crate) fn resolve(range: ByteRange, size: u64) -> Result<(u64, u64), Error> {
    let found = match range {
        ByteRange::From(first) => span(first, size.checked_sub(1), size),
        ByteRange::Between(first, last) => span(first, Some(last), size),
        ByteRange::Last(0) => None,
        ByteRange::Last(count) => span(size.saturating_sub(count), size.checked_sub(1), size),
    };
    found.ok_or_else(|| error::invalid_range(size))
}

fn span(first: u64, last: Option<u64>, size: u64) -> Option<(u64, u64)> {
    let last = last?.min(size.checked_sub(1)?);
    (first <= last).then_some((first, last))
}

/// A stretch of one blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Which extent.
    pub(crate) extent: usize,
    /// The first byte in it.
    pub(crate) start: u64,
    /// The byte behind the last in it.
    pub(crate) end: u64,
}

/// The stretches of consecutive extents of these sizes that make up `first..=last`.
pub(crate) fn slices(sizes: impl IntoIterator<Item = u64>, first: u64, last: u64) -> Vec<Slice> {
    let mut offset = 0;
    let mut slices = Vec::new();
    for (extent, size) in sizes.into_iter().enumerate() {
        let start = first.max(offset);
        let end = last.saturating_add(1).min(offset + size);
        if start < end {
            slices.push(Slice { extent, start: start - offset, end: end - offset });
        }
        offset += size;
    }
    slices
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_cut_to_the_content() {
        let table = [
            (ByteRange::From(0), 10, Some((0, 9))),
            (ByteRange::From(9), 10, Some((9, 9))),
            (ByteRange::From(10), 10, None),
            (ByteRange::Between(2, 5), 10, Some((2, 5))),
            (ByteRange::Between(2, 500), 10, Some((2, 9))),
            (ByteRange::Between(10, 12), 10, None),
            (ByteRange::Last(3), 10, Some((7, 9))),
            (ByteRange::Last(30), 10, Some((0, 9))),
            (ByteRange::Last(0), 10, None),
            (ByteRange::From(0), 0, None),
            (ByteRange::Last(1), 0, None),
        ];
        for (range, size, expected) in table {
            assert_eq!(resolve(range, size).ok(), expected, "{range:?} of {size}");
        }
        assert!(resolve(ByteRange::From(1), 1).unwrap_err().is("InvalidRange"));
    }

    proptest! {
        /// Reading slices is the same as cutting the whole.
        #[test]
        fn slices_are_a_cut(sizes in prop::collection::vec(0u64..20, 1..8), a in 0u64..100, b in 0u64..100) {
            let extents: Vec<Vec<u64>> = sizes.iter().scan(0, |next, size| {
                let extent = (*next..*next + size).collect();
                *next += size;
                Some(extent)
            }).collect();
            let whole: Vec<u64> = extents.concat();
            prop_assume!(!whole.is_empty());
            let first = a.min(b).min(whole.len() as u64 - 1);
            let last = a.max(b).min(whole.len() as u64 - 1);
            let read: Vec<u64> = slices(sizes, first, last).into_iter().flat_map(|slice| {
                extents[slice.extent][usize::try_from(slice.start).unwrap()..usize::try_from(slice.end).unwrap()].to_vec()
            }).collect();
            prop_assert_eq!(read, (first..=last).collect::<Vec<_>>());
        }
    }
}
