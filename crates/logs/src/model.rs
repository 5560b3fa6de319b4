//! Documents of logs.
//!
//! Invariants: a group's name is unique in its scope, a stream's in its group. Streams belong to a group by its id, so a
//! group that is made anew under an old name begins empty. What was deleted leaves a [`Garbage`] document in the same
//! commit, and its files go later.

use kernel::{Document, Index, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tags of a resource, by key.
pub(crate) type ResourceTags = BTreeMap<String, String>;

/// A log group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// Names its folder.
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    /// `STANDARD`, `INFREQUENT_ACCESS` or `DELIVERY`; all are kept alike.
    pub(crate) class: String,
    pub(crate) tags: ResourceTags,
    /// How long events are kept; for ever without.
    #[serde(default)]
    pub(crate) retention_days: Option<i32>,
    /// Whether it cannot be deleted.
    #[serde(default)]
    pub(crate) protected: bool,
}

impl Group {
    /// The ARN without the `:*` that older replies add.
    pub(crate) fn arn(&self, scope: &Scope) -> String {
        group_arn(scope, &self.name)
    }

    /// The least time, in milliseconds, of an event that has not expired.
    pub(crate) fn oldest(&self, now: Timestamp) -> i64 {
        self.retention_days.map_or(i64::MIN, |days| now.millis() - i64::from(days) * DAY)
    }
}

/// In milliseconds.
const DAY: i64 = 24 * 3_600_000;

impl Document for Group {
    const KIND: &'static str = "logs.group";

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// The ARN of a group by its name.
pub(crate) fn group_arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{name}", scope.region, scope.account)
}

/// A log stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// Id of its group.
    pub(crate) group: String,
    pub(crate) name: String,
    /// Names its folder; later streams have greater ids.
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    /// Time of its last event when this was last written, which is at most once a minute: for the order by last event.
    pub(crate) last_event: Option<Timestamp>,
}

impl Stream {
    /// The key of a stream of a group.
    pub(crate) fn key_of(group: &str, name: &str) -> String {
        format!("{group}/{name}")
    }
}

impl Document for Stream {
    const KIND: &'static str = "logs.stream";

    fn key(&self) -> String {
        Self::key_of(&self.group, &self.name)
    }

    fn indexes(&self) -> Vec<Index> {
        let last = self.last_event.unwrap_or(self.created).millis();
        vec![Index::new("recent", &self.group).sorted(format!("{last:015}"))]
    }
}

/// A group whose events expire: when it is looked through next, and how far it has been by now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Expiry {
    /// The group's id.
    pub(crate) group: String,
    /// The group's name.
    pub(crate) name: String,
    pub(crate) due: Timestamp,
    /// The last stream of this round.
    pub(crate) after: Option<String>,
}

impl Document for Expiry {
    const KIND: &'static str = "logs.expiry";

    fn key(&self) -> String {
        self.group.clone()
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.due)
    }
}

/// A resource policy of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResourcePolicy {
    pub(crate) name: String,
    pub(crate) document: String,
    pub(crate) updated: Timestamp,
}

impl Document for ResourcePolicy {
    const KIND: &'static str = "logs.resource_policy";

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// What was deleted and still has files, and for a group its streams' documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Garbage {
    /// The group's id.
    pub(crate) group: String,
    /// The stream's id; `None` for the whole group.
    pub(crate) stream: Option<String>,
    /// Some time after the deletion, so that a put that had found the stream before is over.
    pub(crate) due: Timestamp,
}

impl Document for Garbage {
    const KIND: &'static str = "logs.garbage";

    fn key(&self) -> String {
        format!("{}/{}", self.group, self.stream.as_deref().unwrap_or_default())
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.due)
    }
}
