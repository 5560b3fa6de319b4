//! Which parts make an object (Amazon S3 API Reference, CompleteMultipartUpload).

use crate::model::UploadedPart;
use aws::Error;
use aws::s3::{CompletedPart, error};

/// The least bytes of each part but the last.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
/// The highest part number.
const HIGHEST: u32 = 10_000;

/// Whether a part may have that number.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn check_number(number: u32) -> Result<(), Error> {
    if (1..=HIGHEST).contains(&number) {
        return Ok(());
    }
    Err(error::invalid_argument("Part number must be an integer between 1 and 10000, inclusive."))
}

/// The uploaded parts that the client named, in its order. `find` looks one up by number.
///
/// # Errors
/// `MalformedXML` for an empty list, `InvalidPartOrder`, `InvalidPart`, `EntityTooSmall`.
pub(crate) fn select<'p>(
    named: &[CompletedPart],
    find: impl Fn(u32) -> Option<&'p UploadedPart>,
) -> Result<Vec<&'p UploadedPart>, Error> {
    if named.is_empty() {
        return Err(Error::new("MalformedXML", "You must specify at least one part."));
    }
    if !named.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(error::invalid_part_order());
    }
    let found = named.iter().map(|part| confirm(part, find(part.part_number)));
    let parts = found.collect::<Result<Vec<_>, _>>()?;
    let small = parts.iter().rev().skip(1).find(|part| part.content.size < SMALLEST_PART);
    match small {
        Some(part) => Err(error::entity_too_small(part.number, part.content.size)),
        None => Ok(parts),
    }
}

/// The uploaded part, if it is the one that the client means.
fn confirm<'p>(named: &CompletedPart, found: Option<&'p UploadedPart>) -> Result<&'p UploadedPart, Error> {
    found
        .filter(|part| part.etag == named.etag.trim_matches('"'))
        .filter(|part| match (&named.checksum, &part.checksum) {
            // A checksum of another algorithm was verified when the part came.
            (Some((algorithm, value)), Some(stored)) => *algorithm != stored.algorithm || *value == stored.value,
            _ => true,
        })
        .ok_or_else(|| error::invalid_part(named.part_number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Content;

    fn uploaded(number: u32, size: u64) -> UploadedPart {
        UploadedPart {
            number,
            etag: format!("tag{number}"),
            content: Content { size, ..Content::default() },
            ..UploadedPart::default()
        }
    }

    fn named(number: u32, etag: &str) -> CompletedPart {
        CompletedPart { part_number: number, etag: etag.to_owned(), checksum: None }
    }

    #[test]
    fn parts_ascend_exist_and_are_large_enough() {
        let stored = [uploaded(1, SMALLEST_PART), uploaded(2, 10), uploaded(7, 10)];
        let one = named(1, "tag1");
        let table = [
            (vec![one.clone(), named(2, "\"tag2\"")], "ok"),
            (vec![one.clone(), named(7, "tag7")], "ok"),
            (vec![named(7, "tag7")], "ok"),
            (vec![], "MalformedXML"),
            (vec![named(2, "tag2"), one.clone()], "InvalidPartOrder"),
            (vec![one.clone(), one.clone()], "InvalidPartOrder"),
            (vec![one.clone(), named(2, "other")], "InvalidPart"),
            (vec![one, named(3, "tag3")], "InvalidPart"),
            (vec![named(2, "tag2"), named(7, "tag7")], "EntityTooSmall"),
        ];
        for (list, expected) in table {
            let result = select(&list, |number| stored.iter().find(|part| part.number == number));
            assert_eq!(result.err().map_or_else(|| "ok".to_owned(), |error| error.code), expected, "{list:?}");
        }
    }

    #[test]
    fn numbers_have_bounds() {
        assert!(check_number(1).is_ok() && check_number(10_000).is_ok());
        assert!(check_number(0).is_err() && check_number(10_001).is_err());
    }
}
