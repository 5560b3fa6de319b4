//! What the Bus hears of objects (Amazon S3 User Guide, "EventBridge event message structure").
//!
//! Every change is told. Where the bucket's notifications have EventBridge, its source is `aws.s3`, for everybody's
//! rules; else it is [`UNANNOUNCED`], with the same detail, for Landfall's own reconcilers to wake up by.

use crate::model::{BucketRecord, Version};
use kernel::{Caller, Event, Ids, Principal, Timestamp};
use serde_json::{Value, json};

/// The source of events that AWS would not send.
pub(crate) const UNANNOUNCED: &str = "landfall.s3";
/// The source of events of buckets that tell EventBridge.
const ANNOUNCED: &str = "aws.s3";
/// S3 itself, when it carries out lifecycle rules.
pub(crate) const ITSELF: &str = "s3.amazonaws.com";
/// The entity tag that AWS tells of a delete marker: the MD5 of nothing.
const OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    /// By `PutObject`, `POST Object`, `CopyObject` or `CompleteMultipartUpload`: AWS's `reason`.
    Created(&'static str),
    /// A delete marker was put on it.
    Hidden,
    /// A version is gone for good.
    Removed,
    /// It got tags.
    Tagged,
    /// Its tags were taken away.
    Untagged,
}

impl Happened {
    fn detail_type(self) -> &'static str {
        match self {
            Self::Created(_) => "Object Created",
            Self::Hidden | Self::Removed => "Object Deleted",
            Self::Tagged => "Object Tags Added",
            Self::Untagged => "Object Tags Deleted",
        }
    }

    fn deletion(self) -> Option<&'static str> {
        match self {
            Self::Hidden => Some("Delete Marker Created"),
            Self::Removed => Some("Permanently Deleted"),
            Self::Created(_) | Self::Tagged | Self::Untagged => None,
        }
    }

    fn reason(self, by_itself: bool) -> Option<&'static str> {
        match self {
            Self::Created(reason) => Some(reason),
            Self::Hidden | Self::Removed if by_itself => Some("Lifecycle Expiration"),
            Self::Hidden | Self::Removed => Some("DeleteObject"),
            Self::Tagged | Self::Untagged => None,
        }
    }
}

/// The event of a change to `version` of `key`.
pub(crate) fn event(
    (ids, now): (&dyn Ids, Timestamp),
    caller: &Caller,
    bucket: &BucketRecord,
    key: &str,
    version: &Version,
    happened: Happened,
) -> Event {
    let source = if bucket.eventbridge { ANNOUNCED } else { UNANNOUNCED };
    Event {
        id: ids.uuid(),
        source: source.to_owned(),
        detail_type: happened.detail_type().to_owned(),
        account: bucket.account.clone(),
        region: bucket.region.clone(),
        time: now,
        resources: vec![format!("arn:{}:s3:::{}", caller.partition, bucket.name)],
        detail: detail(caller, &bucket.name, object(key, version, happened), happened),
    }
}

/// A member that is nothing is left out.
fn detail(caller: &Caller, bucket: &str, object: Value, happened: Happened) -> Value {
    let requester = match &caller.principal {
        Principal::Service(name) => name,
        _ => &caller.account,
    };
    let request_id = Some(caller.request_id.as_str()).filter(|id| !id.is_empty());
    let members = [
        ("version", json!("0")),
        ("bucket", json!({ "name": bucket })),
        ("object", object),
        ("request-id", json!(request_id)),
        ("requester", json!(requester)),
        ("source-ip-address", json!(caller.source_ip)),
        ("reason", json!(happened.reason(requester == ITSELF))),
        ("deletion-type", json!(happened.deletion())),
    ];
    members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn object(key: &str, version: &Version, happened: Happened) -> Value {
    let mut object = json!({ "key": key });
    if let Happened::Created(_) = happened {
        object["size"] = json!(version.content.size);
    }
    if happened != Happened::Removed {
        object["etag"] = json!(if version.delete_marker { OF_NOTHING } else { &version.etag });
    }
    if let Some(id) = &version.id {
        object["version-id"] = json!(id);
    }
    if !matches!(happened, Happened::Tagged | Happened::Untagged) {
        object["sequencer"] = json!(format!("{:016X}", version.sequence));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Scope;

    /// The members of a detail, by name.
    fn names(caller: &Caller, happened: Happened) -> Vec<String> {
        let version = Version { etag: "e".to_owned(), ..Version::default() };
        let told = detail(caller, "b", object("k", &version, happened), happened);
        let object = told["object"].as_object().into_iter().flatten().map(|(name, _)| format!("object.{name}"));
        told.as_object().into_iter().flatten().map(|(name, _)| name.clone()).chain(object).collect()
    }

    #[test]
    fn each_detail_has_the_members_that_aws_documents() {
        let scope = Scope::new("111111111111", "eu-west-1");
        let mut caller = Caller::root(&scope, "r");
        caller.source_ip = Some("10.0.0.1".to_owned());
        let outside = ["bucket", "object", "request-id", "requester", "source-ip-address", "version"];
        let table = [
            (
                Happened::Created("PutObject"),
                vec!["reason", "object.key", "object.etag", "object.sequencer", "object.size"],
            ),
            (Happened::Hidden, vec!["reason", "deletion-type", "object.key", "object.etag", "object.sequencer"]),
            (Happened::Removed, vec!["reason", "deletion-type", "object.key", "object.sequencer"]),
            (Happened::Tagged, vec!["object.key", "object.etag"]),
        ];
        for (happened, members) in table {
            let mut found = names(&caller, happened);
            let mut expected: Vec<String> = outside.iter().chain(&members).map(|name| (*name).to_owned()).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{happened:?}");
        }
    }

    #[test]
    fn s3_itself_says_that_it_was_the_lifecycle() {
        let caller = Caller::service(&Scope::new("111111111111", "eu-west-1"), ITSELF);
        let told = detail(&caller, "b", json!({}), Happened::Removed);
        assert_eq!((told["reason"].as_str(), told["requester"].as_str()), (Some("Lifecycle Expiration"), Some(ITSELF)));
        assert!(told.get("request-id").is_none() && told.get("source-ip-address").is_none());
    }
}
