//! What lifecycle rules do to which object (Amazon S3 User Guide, "Lifecycle configuration elements").
//!
//! A day is over at midnight UTC: what is to go after N days goes at the first midnight that is N days or more after.
//! The walk that carries this out runs at each midnight and whenever rules are put.

use aws::s3::{LifecycleExpiry, LifecycleFilter, LifecycleRule, Tags};
use kernel::Timestamp;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A version as rules see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) key: &'a str,
    pub(crate) size: u64,
    pub(crate) tags: &'a Tags,
    /// When it was written.
    pub(crate) written: Timestamp,
}

/// How a version came to be no longer current.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replaced {
    /// When the version after it was written.
    pub(crate) at: Timestamp,
    /// How many versions that are not current are newer.
    pub(crate) newer: u32,
}

/// The first midnight UTC after `now`.
pub(crate) fn next_midnight(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.millis().div_euclid(DAY) + 1) * DAY)
}

/// Whether that is a midnight UTC.
pub(crate) fn is_midnight(time: Timestamp) -> bool {
    time.millis().rem_euclid(DAY) == 0
}

/// Whether the current version goes.
pub(crate) fn expires(rules: &[LifecycleRule], object: Seen<'_>, now: Timestamp) -> bool {
    let by = |rule: &LifecycleRule| match rule.expiration {
        Some(LifecycleExpiry::Days(days)) => now >= after(object.written, days),
        Some(LifecycleExpiry::Date(date)) => now >= date,
        Some(LifecycleExpiry::DeleteMarker | LifecycleExpiry::KeepDeleteMarker) | None => false,
    };
    in_force(rules).any(|rule| applies(&rule.filter, object) && by(rule))
}

/// Whether a version that is no longer current goes.
pub(crate) fn noncurrent_expires(
    rules: &[LifecycleRule],
    object: Seen<'_>,
    replaced: Replaced,
    now: Timestamp,
) -> bool {
    in_force(rules).any(|rule| {
        let due = rule
            .noncurrent
            .is_some_and(|expiry| now >= after(replaced.at, expiry.days) && replaced.newer >= expiry.keep.unwrap_or(0));
        due && applies(&rule.filter, object)
    })
}

/// Whether a delete marker goes that hides nothing any more. A rule on sizes or tags is not about markers.
pub(crate) fn marker_expires(rules: &[LifecycleRule], key: &str, written: Timestamp, now: Timestamp) -> bool {
    let by = |rule: &LifecycleRule| match rule.expiration {
        Some(LifecycleExpiry::DeleteMarker) => true,
        Some(LifecycleExpiry::Days(days)) => now >= after(written, days),
        Some(LifecycleExpiry::Date(date)) => now >= date,
        Some(LifecycleExpiry::KeepDeleteMarker) | None => false,
    };
    in_force(rules).any(|rule| is_of_keys(&rule.filter) && begins(&rule.filter, key) && by(rule))
}

/// Whether an upload that was not completed goes.
pub(crate) fn upload_expires(rules: &[LifecycleRule], key: &str, initiated: Timestamp, now: Timestamp) -> bool {
    in_force(rules).any(|rule| {
        let due = rule.abort_uploads_after.is_some_and(|days| now >= after(initiated, days));
        due && is_of_keys(&rule.filter) && begins(&rule.filter, key)
    })
}

fn in_force(rules: &[LifecycleRule]) -> impl Iterator<Item = &LifecycleRule> {
    rules.iter().filter(|rule| rule.enabled)
}

/// The first midnight that is so many days after `time`, or later.
fn after(time: Timestamp, days: u32) -> Timestamp {
    let whole = Timestamp::from_millis(time.millis().saturating_add(i64::from(days) * DAY));
    if is_midnight(whole) { whole } else { next_midnight(whole) }
}

fn applies(filter: &LifecycleFilter, object: Seen<'_>) -> bool {
    begins(filter, object.key)
        && filter.tags.iter().all(|(key, value)| object.tags.get(key) == Some(value))
        && filter.larger_than.is_none_or(|size| object.size > size)
        && filter.smaller_than.is_none_or(|size| object.size < size)
}

fn begins(filter: &LifecycleFilter, key: &str) -> bool {
    filter.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_str()))
}

/// Whether a filter asks for nothing but keys.
fn is_of_keys(filter: &LifecycleFilter) -> bool {
    filter.tags.is_empty() && filter.larger_than.is_none() && filter.smaller_than.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::s3::NoncurrentExpiry;
    use proptest::prelude::*;

    /// So many days and hours after the epoch.
    fn at(days: i64, hours: i64) -> Timestamp {
        Timestamp::from_millis(days * DAY + hours * DAY / 24)
    }

    fn rule(expiration: LifecycleExpiry) -> LifecycleRule {
        LifecycleRule { enabled: true, expiration: Some(expiration), ..LifecycleRule::default() }
    }

    fn object(tags: &Tags) -> Seen<'_> {
        Seen { key: "logs/a", size: 100, tags, written: at(10, 6) }
    }

    #[test]
    fn days_end_at_midnight() {
        let none = Tags::new();
        let rules = [rule(LifecycleExpiry::Days(1))];
        assert!(!expires(&rules, object(&none), at(11, 6)));
        assert!(!expires(&rules, object(&none), at(11, 23)));
        assert!(expires(&rules, object(&none), at(12, 0)));
        let sharp = Seen { written: at(10, 0), ..object(&none) };
        assert!(expires(&rules, sharp, at(11, 0)));
        let dated = [rule(LifecycleExpiry::Date(at(20, 0)))];
        assert!(!expires(&dated, object(&none), at(19, 23)) && expires(&dated, object(&none), at(20, 0)));
        let off = [LifecycleRule { enabled: false, ..rule(LifecycleExpiry::Days(1)) }];
        assert!(!expires(&off, object(&none), at(99, 0)));
    }

    #[test]
    fn filters_narrow() {
        let tags = Tags::from([("keep".to_owned(), "no".to_owned()), ("x".to_owned(), "y".to_owned())]);
        let filter = LifecycleFilter::default;
        let tag = |value: &str| Tags::from([("keep".to_owned(), value.to_owned())]);
        let table = [
            (filter(), true),
            (LifecycleFilter { prefix: Some("logs/".to_owned()), ..filter() }, true),
            (LifecycleFilter { prefix: Some("other/".to_owned()), ..filter() }, false),
            (LifecycleFilter { tags: tag("no"), ..filter() }, true),
            (LifecycleFilter { tags: tag("yes"), ..filter() }, false),
            (LifecycleFilter { larger_than: Some(99), ..filter() }, true),
            (LifecycleFilter { larger_than: Some(100), ..filter() }, false),
            (LifecycleFilter { smaller_than: Some(101), ..filter() }, true),
            (LifecycleFilter { smaller_than: Some(100), ..filter() }, false),
        ];
        for (filter, expected) in table {
            let of_keys = is_of_keys(&filter);
            let rules = [LifecycleRule { filter, ..rule(LifecycleExpiry::Days(1)) }];
            assert_eq!(expires(&rules, object(&tags), at(99, 0)), expected, "{rules:?}");
            let marker = marker_expires(&rules, "logs/a", at(1, 0), at(99, 0));
            assert_eq!(marker, expected && of_keys, "{rules:?}");
        }
    }

    #[test]
    fn what_is_not_current_goes_by_the_time_of_its_successor() {
        let none = Tags::new();
        let with = |keep| {
            let noncurrent = Some(NoncurrentExpiry { days: 3, keep });
            [LifecycleRule { enabled: true, noncurrent, ..LifecycleRule::default() }]
        };
        let goes =
            |keep, newer, now| noncurrent_expires(&with(keep), object(&none), Replaced { at: at(20, 1), newer }, now);
        assert!(!goes(None, 0, at(23, 23)));
        assert!(goes(None, 0, at(24, 0)));
        assert!(!goes(Some(2), 1, at(99, 0)));
        assert!(goes(Some(2), 2, at(99, 0)));
        assert!(!expires(&with(None), object(&none), at(99, 0)));
    }

    #[test]
    fn markers_and_uploads_go_too() {
        let marker = |expiration, now| marker_expires(&[rule(expiration)], "k", at(10, 6), now);
        assert!(marker(LifecycleExpiry::DeleteMarker, at(10, 7)));
        assert!(!marker(LifecycleExpiry::KeepDeleteMarker, at(99, 0)));
        assert!(!marker(LifecycleExpiry::Days(5), at(15, 23)) && marker(LifecycleExpiry::Days(5), at(16, 0)));
        let rules = [LifecycleRule { enabled: true, abort_uploads_after: Some(7), ..LifecycleRule::default() }];
        assert!(!upload_expires(&rules, "k", at(10, 6), at(17, 23)));
        assert!(upload_expires(&rules, "k", at(10, 6), at(18, 0)));
    }

    proptest! {
        /// An object is never younger than its rule says when it goes, and less than a day older when it may.
        #[test]
        fn nothing_goes_early_and_nothing_stays_a_day_longer(written in 0i64..50 * DAY, days in 1u32..30, wait in 0i64..90 * DAY) {
            let none = Tags::new();
            let object = Seen { written: Timestamp::from_millis(written), ..object(&none) };
            let gone = expires(&[rule(LifecycleExpiry::Days(days))], object, Timestamp::from_millis(written + wait));
            let span = i64::from(days) * DAY;
            prop_assert!(!gone || wait >= span);
            prop_assert!(gone || wait < span + DAY);
        }

        /// The next midnight is one, and within a day.
        #[test]
        fn midnights_are_a_day_apart(now in -DAY..100 * DAY) {
            let next = next_midnight(Timestamp::from_millis(now));
            prop_assert!(is_midnight(next) && next.millis() > now && next.millis() - now <= DAY);
        }
    }
}
