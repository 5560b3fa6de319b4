//! Which notifications a bucket may have (Amazon S3 User Guide, "Amazon S3 Event Notifications").
//!
//! EventBridge hears everything. Queues, topics and functions are asked by AWS when they are put, and refused where
//! they do not answer. Here none can answer yet, so they are refused in the same words, unless the client asks to skip
//! that (`x-amz-skip-destination-validation`): then they are kept and returned, and nothing is sent to them.

use aws::Error;
use aws::s3::{NotificationTarget, Notifications, error};
use std::collections::BTreeSet;

/// The most targets of a bucket.
const MOST: usize = 100;

/// Families of events, each with its members.
const EVENTS: &[(&str, &[&str])] = &[
    ("ObjectCreated", &["*", "Put", "Post", "Copy", "CompleteMultipartUpload"]),
    ("ObjectRemoved", &["*", "Delete", "DeleteMarkerCreated"]),
    ("ObjectRestore", &["*", "Post", "Completed", "Delete"]),
    ("ObjectTagging", &["*", "Put", "Delete"]),
    ("LifecycleExpiration", &["*", "Delete", "DeleteMarkerCreated"]),
    (
        "Replication",
        &[
            "*",
            "OperationFailedReplication",
            "OperationMissedThreshold",
            "OperationReplicatedAfterThreshold",
            "OperationNotTracked",
        ],
    ),
];
/// Events without a family.
const SINGLE: &[&str] =
    &["s3:ReducedRedundancyLostObject", "s3:ObjectAcl:Put", "s3:LifecycleTransition", "s3:IntelligentTiering"];

/// Whether these may be a bucket's notifications.
pub(super) fn check(notifications: &Notifications) -> Result<(), Error> {
    let targets = &notifications.targets;
    if targets.len() > MOST {
        return Err(error::invalid_argument("The number of notification configurations is at most 100."));
    }
    let ids: BTreeSet<&str> = targets.iter().map(|target| target.id.as_str()).collect();
    if ids.len() < targets.len() {
        return Err(error::invalid_argument("Same ID used for multiple configurations. IDs must be unique"));
    }
    targets.iter().try_for_each(check_target)?;
    match targets.first() {
        Some(target) if !notifications.unchecked => Err(unreachable(target)),
        _ => Ok(()),
    }
}

fn check_target(target: &NotificationTarget) -> Result<(), Error> {
    if target.id.len() > 255 {
        return Err(error::invalid_argument("The ID of a notification configuration has at most 255 characters."));
    }
    if target.events.is_empty() {
        return Err(error::malformed_xml("A notification configuration names at least one event."));
    }
    if let Some(event) = target.events.iter().find(|event| !is_event(event)) {
        return Err(error::invalid_argument(format!("A specified event is not supported for notifications: {event}")));
    }
    if !is_arn_of(&target.arn, target.kind.service()) {
        return Err(error::invalid_argument(format!("The ARN could not be parsed: {}", target.arn)));
    }
    let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > 1024);
    if long(&target.prefix) || long(&target.suffix) {
        return Err(error::invalid_argument("Size of filter rule value cannot exceed 1024 bytes in UTF-8"));
    }
    Ok(())
}

fn is_event(event: &str) -> bool {
    let known = |(family, members): &(&str, &[&str])| {
        let member = event.strip_prefix("s3:").and_then(|rest| rest.strip_prefix(family));
        member.and_then(|rest| rest.strip_prefix(':')).is_some_and(|member| members.contains(&member))
    };
    SINGLE.contains(&event) || EVENTS.iter().any(known)
}

fn is_arn_of(arn: &str, service: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts[..], ["arn", partition, of, region, account, name]
        if of == service && ![partition, region, account, name].contains(&""))
}

fn unreachable(target: &NotificationTarget) -> Error {
    error::invalid_argument(format!(
        "Unable to validate the following destination configurations: {} (nothing delivers to it yet; EventBridge is \
         told, or send x-amz-skip-destination-validation to keep it for later).",
        target.arn
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::s3::TargetKind;

    fn target(id: &str) -> NotificationTarget {
        NotificationTarget {
            id: id.to_owned(),
            kind: TargetKind::Queue,
            arn: "arn:aws:sqs:us-east-1:111111111111:q".to_owned(),
            events: vec!["s3:ObjectCreated:*".to_owned()],
            prefix: None,
            suffix: None,
        }
    }

    fn code(targets: Vec<NotificationTarget>) -> String {
        let notifications = Notifications { targets, unchecked: true, ..Notifications::default() };
        check(&notifications).err().map_or_else(|| "ok".to_owned(), |error| error.code)
    }

    #[test]
    fn targets_are_within_bounds() {
        let events = |events: &[&str]| NotificationTarget {
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            ..target("t")
        };
        let arn = |arn: &str| NotificationTarget { arn: arn.to_owned(), ..target("t") };
        let table = [
            (target("t"), "ok"),
            (events(&["s3:ObjectTagging:Put", "s3:IntelligentTiering"]), "ok"),
            (events(&[]), "MalformedXML"),
            (events(&["s3:ObjectCreated"]), "InvalidArgument"),
            (events(&["s3:ObjectCreated:Delete"]), "InvalidArgument"),
            (events(&["ObjectCreated:*"]), "InvalidArgument"),
            (arn("arn:aws:sns:us-east-1:111111111111:t"), "InvalidArgument"),
            (arn("q"), "InvalidArgument"),
            (arn("arn:aws:sqs::111111111111:q"), "InvalidArgument"),
            (NotificationTarget { prefix: Some("p".repeat(1025)), ..target("t") }, "InvalidArgument"),
            (target(&"t".repeat(256)), "InvalidArgument"),
        ];
        for (target, expected) in table {
            assert_eq!(code(vec![target.clone()]), expected, "{target:?}");
        }
        assert_eq!(code(vec![target("t"), target("t")]), "InvalidArgument");
        assert_eq!(code((0..101).map(|n| target(&n.to_string())).collect()), "InvalidArgument");
    }

    #[test]
    fn a_target_that_cannot_answer_is_refused_unless_it_need_not() {
        let asked = Notifications { targets: vec![target("t")], ..Notifications::default() };
        assert!(check(&asked).is_err_and(|error| error.message.starts_with("Unable to validate")));
        assert!(check(&Notifications { unchecked: true, ..asked }).is_ok());
        assert!(check(&Notifications { eventbridge: true, ..Notifications::default() }).is_ok());
    }
}
