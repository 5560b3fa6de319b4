//! Which lifecycle rules a bucket may have.

use crate::rules::lifecycle::is_midnight;
use aws::Error;
use aws::s3::{Lifecycle, LifecycleExpiry, LifecycleRule, error};
use std::collections::BTreeSet;

/// The most rules of a bucket.
const MOST: usize = 1_000;

/// Whether these may be a bucket's rules.
pub(super) fn check(lifecycle: &Lifecycle) -> Result<(), Error> {
    if lifecycle.rules.is_empty() || lifecycle.rules.len() > MOST {
        return Err(error::malformed_xml("A lifecycle configuration has 1 to 1000 rules."));
    }
    let ids: BTreeSet<&str> = lifecycle.rules.iter().map(|rule| rule.id.as_str()).collect();
    if ids.len() < lifecycle.rules.len() {
        return Err(error::invalid_argument("Rule ID must be unique. Found same ID for more than one rule"));
    }
    lifecycle.rules.iter().try_for_each(check_rule)
}

fn check_rule(rule: &LifecycleRule) -> Result<(), Error> {
    if rule.id.len() > 255 {
        return Err(error::invalid_argument("ID length should not exceed allowed limit of 255"));
    }
    if rule.expiration.is_none() && rule.noncurrent.is_none() && rule.abort_uploads_after.is_none() {
        return Err(error::invalid_request("At least one action needs to be specified in a rule"));
    }
    check_filter(rule)?;
    check_times(rule)
}

fn check_times(rule: &LifecycleRule) -> Result<(), Error> {
    let wrong = match (rule.expiration, rule.noncurrent, rule.abort_uploads_after) {
        (Some(LifecycleExpiry::Days(0)), ..) => "'Days' for Expiration action must be a positive integer",
        (Some(LifecycleExpiry::Date(date)), ..) if !is_midnight(date) => "'Date' must be at midnight GMT",
        (_, Some(expiry), _) if expiry.days == 0 => {
            "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer"
        }
        (_, Some(expiry), _) if expiry.keep.is_some_and(|keep| !(1..=100).contains(&keep)) => {
            "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be between 1 and 100"
        }
        (.., Some(0)) => "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
        _ => return Ok(()),
    };
    Err(error::invalid_argument(wrong))
}

fn check_filter(rule: &LifecycleRule) -> Result<(), Error> {
    let filter = &rule.filter;
    crate::rules::tags::check_tags(&filter.tags)?;
    if filter.prefix.as_ref().is_some_and(|prefix| prefix.len() > 1024) {
        return Err(error::invalid_request("The maximum size of a prefix is 1024."));
    }
    let sized = filter.larger_than.is_some() || filter.smaller_than.is_some();
    if let (Some(least), Some(most)) = (filter.larger_than, filter.smaller_than)
        && least >= most
    {
        return Err(error::invalid_request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        ));
    }
    let narrowed = if !filter.tags.is_empty() { Some("Tag") } else { sized.then_some("Object Size") };
    let Some(narrowed) = narrowed else { return Ok(()) };
    if rule.expiration == Some(LifecycleExpiry::DeleteMarker) {
        let message = format!("ExpiredObjectDeleteMarker cannot be specified with {narrowed} based filter");
        return Err(error::invalid_request(message));
    }
    if rule.abort_uploads_after.is_some() {
        let message = format!("AbortIncompleteMultipartUpload cannot be specified with {narrowed} based filter");
        return Err(error::invalid_request(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::s3::{LifecycleFilter, NoncurrentExpiry, Tags};
    use kernel::Timestamp;

    fn rule() -> LifecycleRule {
        LifecycleRule {
            id: "r".to_owned(),
            enabled: true,
            expiration: Some(LifecycleExpiry::Days(1)),
            ..LifecycleRule::default()
        }
    }

    fn code(rules: Vec<LifecycleRule>) -> String {
        check(&Lifecycle { rules }).err().map_or_else(|| "ok".to_owned(), |error| error.code)
    }

    #[test]
    fn rules_are_within_bounds() {
        let expiring = |expiration| LifecycleRule { expiration: Some(expiration), ..rule() };
        let noncurrent = |days, keep| LifecycleRule { noncurrent: Some(NoncurrentExpiry { days, keep }), ..rule() };
        let filtered = |filter| LifecycleRule { filter, ..rule() };
        let tagged = LifecycleFilter { tags: Tags::from([("a".to_owned(), "b".to_owned())]), ..Default::default() };
        let sized = |larger, smaller| LifecycleFilter {
            larger_than: Some(larger),
            smaller_than: Some(smaller),
            ..Default::default()
        };
        let table = [
            (rule(), "ok"),
            (LifecycleRule { id: "r".repeat(256), ..rule() }, "InvalidArgument"),
            (LifecycleRule { expiration: None, ..rule() }, "InvalidRequest"),
            (expiring(LifecycleExpiry::Days(0)), "InvalidArgument"),
            (expiring(LifecycleExpiry::Date(Timestamp::from_seconds(86_400))), "ok"),
            (expiring(LifecycleExpiry::Date(Timestamp::from_seconds(86_401))), "InvalidArgument"),
            (noncurrent(1, Some(100)), "ok"),
            (noncurrent(0, None), "InvalidArgument"),
            (noncurrent(1, Some(0)), "InvalidArgument"),
            (noncurrent(1, Some(101)), "InvalidArgument"),
            (LifecycleRule { abort_uploads_after: Some(0), ..rule() }, "InvalidArgument"),
            (LifecycleRule { abort_uploads_after: Some(7), expiration: None, ..rule() }, "ok"),
            (filtered(tagged.clone()), "ok"),
            (LifecycleRule { filter: tagged.clone(), ..expiring(LifecycleExpiry::DeleteMarker) }, "InvalidRequest"),
            (LifecycleRule { abort_uploads_after: Some(7), ..filtered(tagged) }, "InvalidRequest"),
            (filtered(sized(1, 2)), "ok"),
            (filtered(sized(2, 2)), "InvalidRequest"),
            (filtered(LifecycleFilter { prefix: Some("p".repeat(1025)), ..Default::default() }), "InvalidRequest"),
        ];
        for (rule, expected) in table {
            assert_eq!(code(vec![rule.clone()]), expected, "{rule:?}");
        }
        assert_eq!(code(vec![]), "MalformedXML");
        assert_eq!(code(vec![rule(), rule()]), "InvalidArgument");
    }
}
