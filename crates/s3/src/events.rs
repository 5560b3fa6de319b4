//! What the Bus hears of objects (Amazon S3 User Guide, "EventBridge event message structure").

use crate::model::Version;
use aws::s3::Bucket;
use kernel::{Caller, Event, Ids, Timestamp};
use serde_json::{Value, json};

/// What happened to an object, with AWS's `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    /// `PutObject`, `CopyObject` or `CompleteMultipartUpload`.
    Created(&'static str),
    /// A delete marker was put on it.
    Hidden,
    /// A version is gone for good.
    Removed,
}

impl Happened {
    fn detail_type(self) -> &'static str {
        match self {
            Self::Created(_) => "Object Created",
            Self::Hidden | Self::Removed => "Object Deleted",
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Created(reason) => reason,
            Self::Hidden | Self::Removed => "DeleteObject",
        }
    }
}

/// The event of a change to `version` of `key`.
pub(crate) fn event(
    (ids, now): (&dyn Ids, Timestamp),
    caller: &Caller,
    bucket: &Bucket,
    key: &str,
    version: &Version,
    happened: Happened,
) -> Event {
    let mut detail = json!({
        "version": "0",
        "bucket": { "name": bucket.name },
        "object": object(key, version, happened),
        "request-id": caller.request_id,
        "requester": caller.account,
        "reason": happened.reason(),
    });
    if let Some(address) = &caller.source_ip {
        detail["source-ip-address"] = json!(address);
    }
    match happened {
        Happened::Created(_) => {}
        Happened::Hidden => detail["deletion-type"] = json!("Delete Marker Created"),
        Happened::Removed => detail["deletion-type"] = json!("Permanently Deleted"),
    }
    Event {
        id: ids.uuid(),
        source: "aws.s3".to_owned(),
        detail_type: happened.detail_type().to_owned(),
        account: bucket.account.clone(),
        region: bucket.region.clone(),
        time: now,
        resources: vec![format!("arn:{}:s3:::{}", caller.partition, bucket.name)],
        detail,
    }
}

fn object(key: &str, version: &Version, happened: Happened) -> Value {
    let mut object = json!({ "key": key, "sequencer": format!("{:016X}", version.sequence) });
    if let Happened::Created(_) = happened {
        object["size"] = json!(version.content.size);
    }
    if happened != Happened::Removed {
        object["etag"] = json!(version.etag);
    }
    if let Some(id) = &version.id {
        object["version-id"] = json!(id);
    }
    object
}
