//! What a bucket is set to.

use aws::s3::{Setting, SettingKind};
use kernel::{Document, Timestamp};
use serde::{Deserialize, Serialize};

/// One setting of a bucket. It is written and removed under the bucket's lock, in a commit that checks the bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SettingRecord {
    pub(crate) bucket: String,
    pub(crate) setting: Setting,
}

impl SettingRecord {
    /// The document key of a setting.
    pub(crate) fn key_of(bucket: &str, kind: SettingKind) -> String {
        format!("{}{kind:?}", Self::prefix(bucket))
    }

    /// What the document keys of a bucket's settings begin with.
    pub(crate) fn prefix(bucket: &str) -> String {
        format!("{bucket}/")
    }
}

impl Document for SettingRecord {
    const KIND: &'static str = "s3.setting";

    fn key(&self) -> String {
        Self::key_of(&self.bucket, self.setting.kind())
    }
}

/// The daily walk through a bucket that has lifecycle rules. There is one while the bucket has them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LifecycleWalk {
    pub(crate) bucket: String,
    /// When to go on.
    pub(crate) due: Timestamp,
    /// The time by which this walk judges: every page of it the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) began: Option<Timestamp>,
    /// The last key that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

impl LifecycleWalk {
    /// A walk that begins at that time.
    pub(crate) fn at(bucket: &str, due: Timestamp) -> Self {
        Self { bucket: bucket.to_owned(), due, began: None, after: None }
    }
}

impl Document for LifecycleWalk {
    const KIND: &'static str = "s3.lifecycle-walk";

    fn key(&self) -> String {
        self.bucket.clone()
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.due)
    }
}
