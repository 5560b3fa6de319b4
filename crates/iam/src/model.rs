//! Documents of iam. All lie in the account-wide scope of their account.
//!
//! Invariants: a name is unique in its account without regard to case. A user's document lists its access keys and
//! policies, a role's its policies, so that all three change in one commit and nothing is left behind by a deletion.

use kernel::{Document, Index, Scope, Timestamp};
use serde::{Deserialize, Serialize};

/// Where iam keeps an account's documents.
pub(crate) fn scope(account: &str) -> Scope {
    Scope::account_wide(account)
}

/// What a user and a role have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// As the user wrote it.
    pub(crate) name: String,
    /// `AIDA…` or `AROA…`.
    pub(crate) id: String,
    /// Begins and ends with a slash.
    pub(crate) path: String,
    pub(crate) created: Timestamp,
    /// ARN of the permissions boundary, if any.
    pub(crate) boundary: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    /// Names of inline policies, sorted.
    pub(crate) policies: Vec<String>,
}

impl Identity {
    /// Path and name, without the leading slash: what follows `user/` or `role/` in the ARN.
    pub(crate) fn path_and_name(&self) -> String {
        format!("{}{}", self.path.trim_start_matches('/'), self.name)
    }

    /// Lists go by path, since they are filtered by its beginning.
    fn by_path(&self) -> Index {
        Index::new("path", "").sorted(format!("{}{}", self.path, Self::key(&self.name)))
    }

    /// The key of names that differ only in case.
    pub(crate) fn key(name: &str) -> String {
        name.to_ascii_lowercase()
    }
}

/// A user or a role: what carries inline policies.
pub(crate) trait Carrier: Document {
    /// `user` or `role`: in ARNs, and in the keys of its policies.
    const NOUN: &'static str;

    fn identity(&self) -> &Identity;
    fn identity_mut(&mut self) -> &mut Identity;

    /// Its ARN in an account.
    fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:{}/{}", Self::NOUN, self.identity().path_and_name())
    }
}

/// An IAM user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) identity: Identity,
    /// Ids of its access keys, oldest first.
    pub(crate) access_keys: Vec<String>,
}

impl Document for User {
    const KIND: &'static str = "iam.user";

    fn key(&self) -> String {
        Identity::key(&self.identity.name)
    }

    fn indexes(&self) -> Vec<Index> {
        vec![self.identity.by_path()]
    }
}

impl Carrier for User {
    const NOUN: &'static str = "user";

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn identity_mut(&mut self) -> &mut Identity {
        &mut self.identity
    }
}

/// An IAM role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) identity: Identity,
    /// The trust policy, as given.
    pub(crate) trust: String,
    pub(crate) description: Option<String>,
    /// Seconds, 3,600 to 43,200.
    pub(crate) max_session_duration: i32,
}

impl Document for Role {
    const KIND: &'static str = "iam.role";

    fn key(&self) -> String {
        Identity::key(&self.identity.name)
    }

    fn indexes(&self) -> Vec<Index> {
        vec![self.identity.by_path()]
    }
}

impl Carrier for Role {
    const NOUN: &'static str = "role";

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn identity_mut(&mut self) -> &mut Identity {
        &mut self.identity
    }
}

/// Whose a long-term key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Owner {
    /// The account itself.
    Root,
    /// The user of that name.
    User(String),
}

/// A long-term access key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccessKey {
    /// `AKIA…`; carries its account.
    pub(crate) id: String,
    pub(crate) owner: Owner,
    /// Sealed for the context `iam.access-key/ID`.
    pub(crate) secret: String,
    /// `Inactive` keys are refused.
    pub(crate) active: bool,
    pub(crate) created: Timestamp,
}

impl Document for AccessKey {
    const KIND: &'static str = "iam.access-key";

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// An inline policy of a user or a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct InlinePolicy {
    /// `user/jane` or `role/build`, with the name's key.
    pub(crate) carrier: String,
    pub(crate) name: String,
    /// As given.
    pub(crate) document: String,
}

impl InlinePolicy {
    /// The policy's key: names of policies differ in case.
    pub(crate) fn key_of<T: Carrier>(carrier: &str, name: &str) -> String {
        format!("{}/{}/{name}", T::NOUN, Identity::key(carrier))
    }
}

impl Document for InlinePolicy {
    const KIND: &'static str = "iam.inline-policy";

    fn key(&self) -> String {
        format!("{}/{}", self.carrier, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(path: &str) -> User {
        let identity = Identity {
            name: "Jane".into(),
            id: "AIDA".into(),
            path: path.into(),
            created: Timestamp::default(),
            boundary: None,
            tags: Vec::new(),
            policies: Vec::new(),
        };
        User { identity, access_keys: Vec::new() }
    }

    #[test]
    fn arns_have_the_path() {
        for (path, arn) in [
            ("/", "arn:aws:iam::111111111111:user/Jane"),
            ("/AWS/CodeDeploy/", "arn:aws:iam::111111111111:user/AWS/CodeDeploy/Jane"),
        ] {
            assert_eq!(user(path).arn("111111111111"), arn);
        }
    }

    #[test]
    fn keys_ignore_the_case_of_names() {
        assert_eq!(user("/").key(), "jane");
        let policy = InlinePolicy { carrier: "user/jane".into(), name: "Deploy".into(), document: String::new() };
        assert_eq!(policy.key(), InlinePolicy::key_of::<User>("JANE", "Deploy"));
    }
}
