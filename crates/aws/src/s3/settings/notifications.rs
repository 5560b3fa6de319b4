//! Event notifications.

use serde::{Deserialize, Serialize};

/// Whom a bucket's changes are told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notifications {
    /// All of them go to EventBridge: `Object Created` and its siblings on the Bus.
    pub eventbridge: bool,
    /// Queues, topics and functions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<NotificationTarget>,
    /// Targets are taken unseen (`x-amz-skip-destination-validation`). Not a part of the setting.
    #[serde(skip)]
    pub unchecked: bool,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationTarget {
    /// Its name, unique in the bucket.
    pub id: String,
    /// What it is.
    pub kind: TargetKind,
    /// Its ARN.
    pub arn: String,
    /// Events such as `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    /// Only keys that begin so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Only keys that end so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
}

/// What a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetKind {
    /// An SQS queue.
    Queue,
    /// An SNS topic.
    Topic,
    /// A Lambda function.
    Function,
}

impl TargetKind {
    /// The service of its ARN.
    pub const fn service(self) -> &'static str {
        match self {
            Self::Queue => "sqs",
            Self::Topic => "sns",
            Self::Function => "lambda",
        }
    }
}
