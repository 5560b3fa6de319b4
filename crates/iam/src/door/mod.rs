//! The door: from the bytes of a request to the [`Caller`] behind it, or to AWS's error.
//!
//! The listener calls [`Authenticator::claimed_service`] to route, [`Authenticator::authenticate`] for what is signed by header or
//! query ([`Authenticator::authenticate_streamed`] for S3), and [`Authenticator::authenticate_git`] under `/v1/repos/`.

mod error;
mod git;
mod presigned_v2;
mod signed;

pub(crate) use error::AuthError;
pub use error::GitDenied;
pub use git::RepositoryRegions;
pub use signed::Seed;

use crate::keyring::{Key, Keyring};
use crate::model::{Role, User};
use crate::principals::unknown_role_id;
use crate::rules::access_key_id;
use crate::rules::decision::Mode;
use kernel::{Caller, Principal, Scope};
use std::sync::{Arc, OnceLock};

/// Tells who calls.
pub struct Authenticator {
    keyring: Arc<Keyring>,
    mode: Mode,
    defaults: Scope,
    repositories: OnceLock<Arc<dyn RepositoryRegions>>,
}

/// What the listener knows of a request besides its bytes.
#[derive(Debug, Clone, Copy)]
struct Connection<'a> {
    request_id: &'a str,
    source_ip: Option<&'a str>,
}

impl Authenticator {
    pub(crate) fn new(keyring: Arc<Keyring>, mode: Mode, defaults: Scope) -> Arc<Self> {
        Arc::new(Self { keyring, mode, defaults, repositories: OnceLock::new() })
    }

    /// Finds a key. In open mode, a session token that is not ours is nobody's business.
    async fn find(&self, id: &str, token: Option<&str>) -> Result<Option<Key>, AuthError> {
        match self.keyring.find(id, token).await {
            Err(AuthError::InvalidToken) if self.mode == Mode::Open => Ok(None),
            Ok(Some(key)) if !self.is_there(&key).await? => Err(AuthError::UnknownKey),
            found => found,
        }
    }

    /// Whether the role or user of a session is still there, and not another one of its name.
    async fn is_there(&self, key: &Key) -> Result<bool, AuthError> {
        match (&key.principal, &key.session) {
            (Principal::Role { name, id }, _) => {
                let unseen = self.mode == Mode::Open && *id == unknown_role_id(name);
                Ok(unseen || self.keyring.id_of::<Role>(&key.account, name).await?.as_ref() == Some(id))
            }
            (Principal::User { name, id }, Some(_)) => {
                let name = name.rsplit('/').next().unwrap_or(name);
                Ok(self.keyring.id_of::<User>(&key.account, name).await?.as_ref() == Some(id))
            }
            // A long-term key is found by way of its user.
            _ => Ok(true),
        }
    }

    /// In open mode, the caller behind credentials that nobody verifies: the root of their account. `None` in enforce mode.
    fn unverified(&self, access_key_id: &str, region: &str, connection: Connection<'_>) -> Option<Caller> {
        let scope = Scope::new(self.unverified_account(access_key_id), region);
        (self.mode == Mode::Open).then(|| caller(&scope, Principal::Root, None, connection))
    }

    /// The account that the access key names if it has twelve digits, else the default one.
    fn unverified_account<'a>(&'a self, access_key_id: &'a str) -> &'a str {
        if access_key_id::is_account(access_key_id) { access_key_id } else { &self.defaults.account }
    }
}

/// The caller that a verified key makes, in its account.
fn verified(key: Key, region: &str, connection: Connection<'_>) -> Caller {
    caller(&Scope::new(key.account, region), key.principal, key.session, connection)
}

fn caller(scope: &Scope, principal: Principal, session: Option<kernel::Session>, connection: Connection<'_>) -> Caller {
    let source_ip = connection.source_ip.map(str::to_owned);
    Caller { principal, session, source_ip, ..Caller::root(scope, connection.request_id) }
}
