//! How services come to act as a role.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Caller, Scope, StoreError, Timestamp};

/// Gives services the roles that users passed to them; implemented by `iam`, the only place that decides.
#[async_trait]
pub trait Principals: Send + Sync {
    /// A caller that acts as `role_arn` in a new session, if that role trusts `service` (for example
    /// `codebuild.amazonaws.com`).
    async fn assume(
        &self,
        scope: &Scope,
        role_arn: &str,
        service: &str,
        session_name: &str,
    ) -> Result<Caller, PrincipalError>;

    /// A caller that acts as `role_arn` in a new session which `caller`, itself a role's session, assumes: as a pipeline's
    /// role assumes the role of an action. The caller's policies must allow it and the role's trust policy name the caller's
    /// role or account. The new caller keeps region, `via` and request id, and is in the role's account.
    async fn chain(&self, caller: &Caller, role_arn: &str, session_name: &str) -> Result<Caller, PrincipalError> {
        let _ = session_name;
        Err(PrincipalError::NotTrusted { service: caller.arn(), role_arn: role_arn.to_owned() })
    }

    /// Temporary credentials with which a container acts as `role`, a caller that [`Principals::assume`] gave.
    async fn session_credentials(&self, role: &Caller, duration: Duration) -> Result<Credentials, PrincipalError>;
}

/// Why a role could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum PrincipalError {
    /// No such role, or an ARN of another account.
    #[error("role {role_arn} does not exist")]
    NoSuchRole {
        /// The ARN asked for.
        role_arn: String,
    },
    /// The role's trust policy does not name the service.
    #[error(
        "{service} is not authorized to perform: sts:AssumeRole on role {role_arn}; add it to the role's trust policy"
    )]
    NotTrusted {
        /// The service principal that asked, or the ARN of a session.
        service: String,
        /// The ARN asked for.
        role_arn: String,
    },
    /// Not an ARN of a role, or a caller that is no role session.
    #[error("{0}")]
    Invalid(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An access key, temporary when it has a session token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// `AKIA…`, or `ASIA…` when temporary.
    pub access_key_id: String,
    /// The secret that signs; never shown.
    pub secret_access_key: String,
    /// The sealed session, sent along with each request.
    pub session_token: Option<String>,
    /// When they stop to work.
    pub expiration: Option<Timestamp>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let credentials = Credentials {
            access_key_id: "AKIA1".to_owned(),
            secret_access_key: "hush".to_owned(),
            session_token: Some("hush too".to_owned()),
            expiration: None,
        };
        let text = format!("{credentials:?}");
        assert!(text.contains("AKIA1") && !text.contains("hush"), "{text}");
    }
}
