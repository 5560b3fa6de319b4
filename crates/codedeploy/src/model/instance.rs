//! On-premises instances: the hosts.

use crate::rules::tags::Filter;
use kernel::tags::Tags;
use kernel::{Document, Index, Timestamp};
use serde::{Deserialize, Serialize};

/// Who a host signs as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// An IAM user's ARN.
    User(String),
    /// An assumed role session's ARN.
    Session(String),
}

impl Identity {
    /// The ARN, which is also the host identifier on the wire.
    pub fn arn(&self) -> &str {
        match self {
            Self::User(arn) | Self::Session(arn) => arn,
        }
    }
}

/// A registered instance, or the record of one that was deregistered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OnPremisesInstance {
    /// The unique name; free again once deregistered.
    pub name: String,
    /// Its ARN, with a suffix of its own for each registration.
    pub arn: String,
    /// Who its agent signs as.
    pub identity: Identity,
    /// When it was registered.
    pub registered: Timestamp,
    /// When it was deregistered.
    pub deregistered: Option<Timestamp>,
    /// What groups choose it by.
    pub tags: Tags,
    /// When its agent last asked for work, to about a minute.
    pub last_seen: Option<Timestamp>,
}

impl OnPremisesInstance {
    /// The index row under which a filter finds registered instances.
    pub fn index_of(filter: &Filter) -> (&'static str, String) {
        match filter {
            Filter::Key(key) => ("tag-key", key.clone()),
            Filter::Value(value) => ("tag-value", value.clone()),
            Filter::Tag(key, value) => ("tag", format!("{key}\0{value}")),
        }
    }

    /// `Registered` or `Deregistered`.
    pub fn registration(&self) -> &'static str {
        if self.deregistered.is_none() { "Registered" } else { "Deregistered" }
    }
}

impl Document for OnPremisesInstance {
    const KIND: &'static str = "codedeploy.instance";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn indexes(&self) -> Vec<Index> {
        let mut indexes = vec![Index::new("registration", self.registration())];
        if self.deregistered.is_some() {
            return indexes;
        }
        indexes.push(Index::new("identity", self.identity.arn()));
        for (key, value) in &self.tags {
            let filters =
                [Filter::Key(key.clone()), Filter::Value(value.clone()), Filter::Tag(key.clone(), value.clone())];
            indexes.extend(filters.iter().map(|filter| {
                let (name, value) = Self::index_of(filter);
                Index::new(name, value)
            }));
        }
        indexes
    }
}
