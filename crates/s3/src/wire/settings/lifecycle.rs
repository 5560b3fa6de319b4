//! Lifecycle rules on the wire.

use super::{another, tag_set, tags};
use crate::wire::convert::{time, timestamp};
use crate::wire::operations::Adapter;
use aws::Error;
use aws::s3::{
    Lifecycle, LifecycleExpiry, LifecycleFilter, LifecycleRule as Rule, NoncurrentExpiry, Setting, SettingKind, error,
};
use s3s::dto::*;
use s3s::{S3Request, S3Result};

impl Adapter {
    pub(in crate::wire) async fn put_lifecycle(
        &self,
        request: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<PutBucketLifecycleConfigurationOutput> {
        let rules = match &request.input.lifecycle_configuration {
            Some(configuration) => configuration.rules.iter().map(read).collect::<Result<Vec<_>, _>>(),
            None => Err(error::malformed_xml("A lifecycle configuration has at least one rule.")),
        };
        let setting = rules.map(|rules| Setting::Lifecycle(Lifecycle { rules }));
        self.put_setting(&request, &request.input.bucket, setting).await?;
        Ok(PutBucketLifecycleConfigurationOutput::default())
    }

    pub(in crate::wire) async fn get_lifecycle(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<GetBucketLifecycleConfigurationOutput> {
        let setting = self.setting(&request, &request.input.bucket, SettingKind::Lifecycle).await?;
        let Setting::Lifecycle(lifecycle) = setting else { return Err(another(&setting)) };
        let rules = Some(lifecycle.rules.into_iter().map(write).collect());
        Ok(GetBucketLifecycleConfigurationOutput { rules, transition_default_minimum_object_size: None })
    }

    pub(in crate::wire) async fn delete_lifecycle(
        &self,
        request: S3Request<DeleteBucketLifecycleInput>,
    ) -> S3Result<DeleteBucketLifecycleOutput> {
        self.delete_setting(&request, &request.input.bucket, SettingKind::Lifecycle).await?;
        Ok(DeleteBucketLifecycleOutput::default())
    }
}

fn read(rule: &LifecycleRule) -> Result<Rule, Error> {
    let moves = rule.transitions.as_ref().is_some_and(|list| !list.is_empty());
    let moves_old = rule.noncurrent_version_transitions.as_ref().is_some_and(|list| !list.is_empty());
    if moves || moves_old {
        let name = if moves { "Transition" } else { "NoncurrentVersionTransition" };
        return Err(error::not_implemented(&format!("{name} (objects have one storage class, STANDARD)")));
    }
    let enabled = match rule.status.as_str() {
        ExpirationStatus::ENABLED => true,
        ExpirationStatus::DISABLED => false,
        _ => return Err(error::malformed_xml("The Status of a rule is Enabled or Disabled.")),
    };
    if rule.filter.is_some() == rule.prefix.is_some() {
        return Err(error::malformed_xml("A rule has a Filter or, as before 2016, a Prefix of its own."));
    }
    let filter = match &rule.filter {
        Some(filter) => read_filter(filter)?,
        None => LifecycleFilter { prefix: rule.prefix.clone(), ..LifecycleFilter::default() },
    };
    Ok(Rule {
        id: rule.id.clone().unwrap_or_default(),
        enabled,
        filter,
        bare_prefix: rule.prefix.is_some(),
        expiration: rule.expiration.as_ref().map(read_expiration).transpose()?,
        noncurrent: rule.noncurrent_version_expiration.as_ref().map(read_noncurrent),
        abort_uploads_after: rule
            .abort_incomplete_multipart_upload
            .as_ref()
            .map(|abort| days(abort.days_after_initiation)),
    })
}

/// What is absent or negative is 0, which the rules refuse.
fn days(given: Option<i32>) -> u32 {
    given.and_then(|days| u32::try_from(days).ok()).unwrap_or(0)
}

fn read_expiration(expiration: &LifecycleExpiration) -> Result<LifecycleExpiry, Error> {
    match (&expiration.date, expiration.days, expiration.expired_object_delete_marker) {
        (None, Some(given), None) => Ok(LifecycleExpiry::Days(days(Some(given)))),
        (Some(date), None, None) => {
            let date = timestamp(date).ok_or_else(|| error::malformed_xml("The Date of an Expiration is no date."))?;
            Ok(LifecycleExpiry::Date(date))
        }
        (None, None, Some(true)) => Ok(LifecycleExpiry::DeleteMarker),
        (None, None, Some(false)) => Ok(LifecycleExpiry::KeepDeleteMarker),
        _ => Err(error::malformed_xml("An Expiration has one of Date, Days and ExpiredObjectDeleteMarker.")),
    }
}

fn read_noncurrent(expiration: &NoncurrentVersionExpiration) -> NoncurrentExpiry {
    let keep = expiration.newer_noncurrent_versions.map(|keep| u32::try_from(keep).unwrap_or(0));
    NoncurrentExpiry { days: days(expiration.noncurrent_days), keep }
}

fn read_filter(filter: &LifecycleRuleFilter) -> Result<LifecycleFilter, Error> {
    let bytes = |given: Option<i64>| given.map(|size| u64::try_from(size).unwrap_or(0));
    let alone = [
        filter.and.is_some(),
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
    ];
    if alone.into_iter().filter(|given| *given).count() > 1 {
        return Err(error::malformed_xml("A Filter has one condition; And holds several."));
    }
    Ok(match &filter.and {
        Some(and) => LifecycleFilter {
            prefix: and.prefix.clone(),
            tags: tags(and.tags.as_deref().unwrap_or_default())?,
            larger_than: bytes(and.object_size_greater_than),
            smaller_than: bytes(and.object_size_less_than),
            and: true,
        },
        None => LifecycleFilter {
            prefix: filter.prefix.clone(),
            tags: tags(filter.tag.as_slice())?,
            larger_than: bytes(filter.object_size_greater_than),
            smaller_than: bytes(filter.object_size_less_than),
            and: false,
        },
    })
}

fn write(rule: Rule) -> LifecycleRule {
    let (filter, prefix) = match rule.bare_prefix {
        true => (None, rule.filter.prefix),
        false => (Some(write_filter(rule.filter)), None),
    };
    LifecycleRule {
        id: Some(rule.id),
        status: ExpirationStatus::from_static(status(rule.enabled)),
        filter,
        prefix,
        expiration: rule.expiration.map(write_expiration),
        noncurrent_version_expiration: rule.noncurrent.map(write_noncurrent),
        abort_incomplete_multipart_upload: rule
            .abort_uploads_after
            .map(|days| AbortIncompleteMultipartUpload { days_after_initiation: i32::try_from(days).ok() }),
        noncurrent_version_transitions: None,
        transitions: None,
    }
}

fn status(enabled: bool) -> &'static str {
    if enabled { ExpirationStatus::ENABLED } else { ExpirationStatus::DISABLED }
}

fn write_expiration(expiration: LifecycleExpiry) -> LifecycleExpiration {
    let mut output = LifecycleExpiration::default();
    match expiration {
        LifecycleExpiry::Days(days) => output.days = i32::try_from(days).ok(),
        LifecycleExpiry::Date(date) => output.date = Some(time(date)),
        LifecycleExpiry::DeleteMarker => output.expired_object_delete_marker = Some(true),
        LifecycleExpiry::KeepDeleteMarker => output.expired_object_delete_marker = Some(false),
    }
    output
}

fn write_noncurrent(expiry: NoncurrentExpiry) -> NoncurrentVersionExpiration {
    NoncurrentVersionExpiration {
        noncurrent_days: i32::try_from(expiry.days).ok(),
        newer_noncurrent_versions: expiry.keep.and_then(|keep| i32::try_from(keep).ok()),
    }
}

fn write_filter(filter: LifecycleFilter) -> LifecycleRuleFilter {
    let bytes = |given: Option<u64>| given.and_then(|size| i64::try_from(size).ok());
    let (larger, smaller) = (bytes(filter.larger_than), bytes(filter.smaller_than));
    let mut tags = tag_set(filter.tags);
    if filter.and {
        let and = LifecycleRuleAndOperator {
            object_size_greater_than: larger,
            object_size_less_than: smaller,
            prefix: filter.prefix,
            tags: (!tags.is_empty()).then_some(tags),
        };
        return LifecycleRuleFilter { and: Some(and), ..LifecycleRuleFilter::default() };
    }
    LifecycleRuleFilter {
        object_size_greater_than: larger,
        object_size_less_than: smaller,
        prefix: filter.prefix,
        tag: tags.pop(),
        ..LifecycleRuleFilter::default()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn tag(key: &str) -> Tag {
        Tag { key: Some(key.to_owned()), value: Some("v".to_owned()) }
    }

    fn expiring(expiration: LifecycleExpiration) -> LifecycleRule {
        LifecycleRule {
            abort_incomplete_multipart_upload: None,
            expiration: Some(expiration),
            filter: Some(LifecycleRuleFilter::default()),
            id: Some("r".to_owned()),
            noncurrent_version_expiration: None,
            noncurrent_version_transitions: None,
            prefix: None,
            status: ExpirationStatus::from_static(ExpirationStatus::ENABLED),
            transitions: None,
        }
    }

    fn in_days(days: i32) -> LifecycleRule {
        expiring(LifecycleExpiration { days: Some(days), ..LifecycleExpiration::default() })
    }

    fn filtered(filter: LifecycleRuleFilter) -> LifecycleRule {
        LifecycleRule { filter: Some(filter), ..in_days(1) }
    }

    #[test]
    fn rules_come_back_as_they_were_put() {
        let and = LifecycleRuleAndOperator {
            prefix: Some("p".to_owned()),
            tags: Some(vec![tag("a"), tag("b")]),
            object_size_greater_than: Some(5),
            object_size_less_than: None,
        };
        let date = time(kernel::Timestamp::from_seconds(86_400));
        let table = [
            in_days(3),
            expiring(LifecycleExpiration { date: Some(date), ..LifecycleExpiration::default() }),
            expiring(LifecycleExpiration {
                expired_object_delete_marker: Some(true),
                ..LifecycleExpiration::default()
            }),
            LifecycleRule { filter: None, prefix: Some("old/".to_owned()), ..in_days(1) },
            filtered(LifecycleRuleFilter { tag: Some(tag("a")), ..LifecycleRuleFilter::default() }),
            filtered(LifecycleRuleFilter { and: Some(and), ..LifecycleRuleFilter::default() }),
            LifecycleRule {
                status: ExpirationStatus::from_static(ExpirationStatus::DISABLED),
                noncurrent_version_expiration: Some(NoncurrentVersionExpiration {
                    noncurrent_days: Some(3),
                    newer_noncurrent_versions: Some(2),
                }),
                abort_incomplete_multipart_upload: Some(AbortIncompleteMultipartUpload {
                    days_after_initiation: Some(7),
                }),
                ..in_days(1)
            },
        ];
        for rule in table {
            assert_eq!(write(read(&rule).unwrap()), rule);
        }
    }

    #[test]
    fn rules_that_say_too_little_or_too_much_are_refused() {
        let two =
            LifecycleRuleFilter { prefix: Some(String::new()), tag: Some(tag("a")), ..LifecycleRuleFilter::default() };
        let moving = Transition { days: Some(1), date: None, storage_class: None };
        let table = [
            (LifecycleRule { filter: None, ..in_days(1) }, "MalformedXML"),
            (LifecycleRule { prefix: Some(String::new()), ..in_days(1) }, "MalformedXML"),
            (LifecycleRule { status: ExpirationStatus::from_static("On"), ..in_days(1) }, "MalformedXML"),
            (expiring(LifecycleExpiration::default()), "MalformedXML"),
            (filtered(two), "MalformedXML"),
            (LifecycleRule { transitions: Some(vec![moving]), ..in_days(1) }, "NotImplemented"),
        ];
        for (rule, expected) in table {
            assert!(read(&rule).unwrap_err().is(expected), "{rule:?}");
        }
    }
}
