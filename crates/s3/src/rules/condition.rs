//! Conditional requests (RFC 9110, section 13.2.2; Amazon S3 User Guide, "Conditional requests").

use aws::Error;
use aws::s3::{ReadCondition, WriteCondition, error};
use kernel::Timestamp;

/// An object's validators.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validators<'a> {
    pub(crate) etag: &'a str,
    pub(crate) last_modified: Timestamp,
}

/// Whether a read goes ahead. A match on the entity tag makes the dates moot.
///
/// # Errors
/// `PreconditionFailed` or `NotModified`.
pub(crate) fn check_read(condition: &ReadCondition, object: Validators<'_>) -> Result<(), Error> {
    match &condition.if_match {
        Some(tag) if !matches(tag, object.etag) => return Err(error::precondition_failed("If-Match")),
        Some(_) => {}
        None if condition.if_unmodified_since.is_some_and(|since| changed(object, since)) => {
            return Err(error::precondition_failed("If-Unmodified-Since"));
        }
        None => {}
    }
    match &condition.if_none_match {
        Some(tag) if matches(tag, object.etag) => Err(error::not_modified()),
        Some(_) => Ok(()),
        None if condition.if_modified_since.is_some_and(|since| !changed(object, since)) => Err(error::not_modified()),
        None => Ok(()),
    }
}

/// As [`check_read`] for the source of a copy, where each failure is a failed precondition.
///
/// # Errors
/// `PreconditionFailed`.
pub(crate) fn check_source(condition: &ReadCondition, object: Validators<'_>) -> Result<(), Error> {
    check_read(condition, object).map_err(|error| {
        if error.is("NotModified") {
            error::precondition_failed("x-amz-copy-source-if-none-match or -if-modified-since")
        } else {
            error
        }
    })
}

/// Whether a write goes ahead, given the entity tag of the current object.
///
/// # Errors
/// `PreconditionFailed`, or `NoSuchKey` where `If-Match` meets no object.
pub(crate) fn check_write(condition: &WriteCondition, key: &str, current: Option<&str>) -> Result<(), Error> {
    if condition.if_absent && current.is_some() {
        return Err(error::precondition_failed("If-None-Match"));
    }
    match (&condition.if_match, current) {
        (Some(_), None) => Err(error::no_such_key(key)),
        (Some(tag), Some(etag)) if !matches(tag, etag) => Err(error::precondition_failed("If-Match")),
        _ => Ok(()),
    }
}

/// HTTP dates have whole seconds, so the object's time is cut to them.
fn changed(object: Validators<'_>, since: Timestamp) -> bool {
    object.last_modified.millis().div_euclid(1000) > since.millis().div_euclid(1000)
}

/// Whether a condition's tag is the object's: bare, quoted, weak, one of a list, or `*`.
fn matches(condition: &str, etag: &str) -> bool {
    condition.split(',').map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.trim_matches('"') == etag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Validators<'static> {
        Validators { etag: "abc", last_modified: Timestamp::from_millis(10_500) }
    }

    fn code(result: Result<(), Error>) -> String {
        result.err().map_or_else(|| "ok".to_owned(), |error| error.code)
    }

    fn at(second: i64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(second * 1000))
    }

    #[test]
    fn reads_follow_the_precedence_of_the_rfc() {
        let tag = |tag: &str| Some(tag.to_owned());
        let none = ReadCondition::default;
        let table = [
            (none(), "ok"),
            (ReadCondition { if_match: tag("\"abc\""), ..none() }, "ok"),
            (ReadCondition { if_match: tag("x, abc"), ..none() }, "ok"),
            (ReadCondition { if_match: tag("x"), ..none() }, "PreconditionFailed"),
            (ReadCondition { if_match: tag("abc"), if_unmodified_since: at(1), ..none() }, "ok"),
            (ReadCondition { if_unmodified_since: at(9), ..none() }, "PreconditionFailed"),
            (ReadCondition { if_unmodified_since: at(10), ..none() }, "ok"),
            (ReadCondition { if_none_match: tag("W/\"abc\""), ..none() }, "NotModified"),
            (ReadCondition { if_none_match: tag("*"), ..none() }, "NotModified"),
            (ReadCondition { if_none_match: tag("x"), if_modified_since: at(99), ..none() }, "ok"),
            (ReadCondition { if_modified_since: at(10), ..none() }, "NotModified"),
            (ReadCondition { if_modified_since: at(9), ..none() }, "ok"),
        ];
        for (condition, expected) in table {
            assert_eq!(code(check_read(&condition, object())), expected, "{condition:?}");
        }
        let condition = ReadCondition { if_none_match: tag("abc"), ..none() };
        assert_eq!(code(check_source(&condition, object())), "PreconditionFailed");
    }

    #[test]
    fn writes_compare_with_the_current_object() {
        let absent = WriteCondition { if_absent: true, if_match: None };
        let same = WriteCondition { if_absent: false, if_match: Some("abc".to_owned()) };
        let table = [
            (&absent, None, "ok"),
            (&absent, Some("abc"), "PreconditionFailed"),
            (&same, Some("abc"), "ok"),
            (&same, Some("x"), "PreconditionFailed"),
            (&same, None, "NoSuchKey"),
        ];
        for (condition, current, expected) in table {
            assert_eq!(code(check_write(condition, "k", current)), expected, "{condition:?} {current:?}");
        }
    }
}
