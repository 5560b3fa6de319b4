//! Who asks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Scope;

/// Who makes a request, from where and through whom; what authorization and audit look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// `aws`.
    pub partition: String,
    /// The account whose state is asked for.
    pub account: String,
    /// The region from the signed scope.
    pub region: String,
    /// The identity.
    pub principal: Principal,
    /// The session, for roles and temporary credentials.
    pub session: Option<Session>,
    /// The id in the reply's header and in the log line.
    pub request_id: String,
    /// The client's address; absent for calls between services.
    pub source_ip: Option<String>,
    /// `http://host:port` as the client reached us, for URLs in replies; absent for calls between services.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The service that calls on somebody's behalf.
    pub via: Option<Via>,
}

/// An identity of an account, or a service of AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// The account itself.
    Root,
    /// An IAM user.
    User {
        /// The user's name (with its path, without a leading slash).
        name: String,
        /// The unique id, `AIDA…`.
        id: String,
    },
    /// An IAM role; the session's name is in [`Caller::session`].
    Role {
        /// The role's name, without its path.
        name: String,
        /// The unique id, `AROA…`.
        id: String,
    },
    /// A service principal such as `codepipeline.amazonaws.com`.
    Service(String),
}

/// What temporary credentials carry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Session {
    /// The session's name, the last part of its ARN.
    pub name: String,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// The session policy's JSON, which narrows the role's own.
    pub policy: Option<String>,
    /// Keys of the tags that sessions keep which are assumed from this one.
    #[serde(default)]
    pub transitive_tags: Vec<String>,
    /// Who is behind it all, as the first of a chain of sessions said; it stays.
    #[serde(default)]
    pub source_identity: Option<String>,
}

/// The service in between: gives `aws:SourceArn`, `aws:SourceAccount` and the initiator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// Service principal, for example `codepipeline.amazonaws.com`.
    pub service: String,
    /// The resource on whose behalf it calls.
    pub source_arn: Option<String>,
    /// That resource's account.
    pub source_account: Option<String>,
}

impl Caller {
    /// The account's root in `scope`.
    pub fn root(scope: &Scope, request_id: impl Into<String>) -> Self {
        Self::of(scope, Principal::Root, request_id.into())
    }

    /// A service that acts for itself in `scope`, for example `codepipeline.amazonaws.com`.
    #[must_use]
    pub fn service(scope: &Scope, service: &str) -> Self {
        Self::of(scope, Principal::Service(service.to_owned()), String::new())
    }

    fn of(scope: &Scope, principal: Principal, request_id: String) -> Self {
        Self {
            partition: "aws".to_owned(),
            account: scope.account.clone(),
            region: scope.region.clone(),
            principal,
            session: None,
            request_id,
            source_ip: None,
            endpoint: None,
            via: None,
        }
    }

    /// The account and region whose state is asked for.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::new(&self.account, &self.region)
    }

    /// The same caller asking through `via`.
    #[must_use]
    pub fn through(mut self, via: Via) -> Self {
        self.via = Some(via);
        self
    }

    /// The ARN as `sts get-caller-identity` answers it: of the user, the role's session, the root or, for
    /// services, their principal name.
    #[must_use]
    pub fn arn(&self) -> String {
        let Self { partition, account, .. } = self;
        match &self.principal {
            Principal::Root => format!("arn:{partition}:iam::{account}:root"),
            Principal::User { name, .. } => format!("arn:{partition}:iam::{account}:user/{name}"),
            Principal::Role { name, .. } => match &self.session {
                Some(session) => format!("arn:{partition}:sts::{account}:assumed-role/{name}/{}", session.name),
                None => format!("arn:{partition}:iam::{account}:role/{name}"),
            },
            Principal::Service(name) => name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_caller_has_its_arn() {
        let scope = Scope::new("123456789012", "us-east-1");
        let session = Some(Session { name: "deploy".to_owned(), ..Session::default() });
        let role = Principal::Role { name: "builder".to_owned(), id: "AROA1".to_owned() };
        let user = Principal::User { name: "jane".to_owned(), id: "AIDA1".to_owned() };
        let table = [
            (Principal::Root, None, "arn:aws:iam::123456789012:root"),
            (user, None, "arn:aws:iam::123456789012:user/jane"),
            (role.clone(), session, "arn:aws:sts::123456789012:assumed-role/builder/deploy"),
            (role, None, "arn:aws:iam::123456789012:role/builder"),
            (Principal::Service("codebuild.amazonaws.com".to_owned()), None, "codebuild.amazonaws.com"),
        ];
        for (principal, session, arn) in table {
            let caller = Caller { principal, session, ..Caller::root(&scope, "r") };
            assert_eq!(caller.arn(), arn);
        }
    }
}
