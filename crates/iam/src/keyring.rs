//! Keys: made, sealed, found again by their id.

use crate::door::AuthError;
use crate::model::{AccessKey, Carrier, Identity, Owner, User, scope};
use crate::rules::access_key_id;
use crate::session::Claims;
use kernel::{Clock, Credentials, Documents, Ids, Principal, Seal, Session, Timestamp};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Letters of secret access keys.
const SECRET_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Length of secret access keys: 240 bits.
const SECRET_LENGTH: usize = 40;

/// iam's documents with what seals, dates and numbers them.
pub(crate) struct Keyring {
    pub(crate) documents: Documents,
    pub(crate) seal: Arc<Seal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
}

/// A key that was found: whose it is, and the secret to verify with.
pub(crate) struct Key {
    pub(crate) secret: String,
    pub(crate) account: String,
    pub(crate) principal: Principal,
    pub(crate) session: Option<Session>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("principal", &self.principal).finish_non_exhaustive()
    }
}

impl Keyring {
    /// A new unique id of an entity: `AIDA…` for users, `AROA…` for roles.
    pub(crate) fn entity_id(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.ids.token(access_key_id::ALPHABET, 17))
    }

    /// A new long-term key for `owner`, with its secret in clear beside it.
    pub(crate) fn new_key(&self, account: &str, owner: Owner) -> (AccessKey, String) {
        let id = self.key_id(access_key_id::LONG_TERM, account);
        let secret = self.secret();
        (self.sealed_key(id, owner, &secret), secret)
    }

    /// The document of a key with this id and secret.
    pub(crate) fn sealed_key(&self, id: String, owner: Owner, secret: &str) -> AccessKey {
        let secret = self.seal.seal(&context(&id), secret.as_bytes());
        AccessKey { id, owner, secret, active: true, created: self.clock.now() }
    }

    /// Temporary credentials of a session that ends at `expires`.
    pub(crate) fn issue(
        &self,
        account: &str,
        principal: Principal,
        session: Session,
        lifetime: Duration,
    ) -> Result<Credentials, serde_json::Error> {
        let claims = Claims {
            access_key_id: self.key_id(access_key_id::TEMPORARY, account),
            secret_access_key: self.secret(),
            account: account.to_owned(),
            principal,
            session,
            expires: self.clock.now() + lifetime,
        };
        let session_token = Some(claims.seal(&self.seal)?);
        let Claims { access_key_id, secret_access_key, expires, .. } = claims;
        Ok(Credentials { access_key_id, secret_access_key, session_token, expiration: Some(expires) })
    }

    /// The key of an id, with the session token that came along. `None` if this server knows no such key.
    ///
    /// # Errors
    /// [`AuthError::ExpiredToken`], [`AuthError::InvalidToken`] for a token that is not ours or not this key's, and what
    /// the store fails with.
    pub(crate) async fn find(&self, id: &str, token: Option<&str>) -> Result<Option<Key>, AuthError> {
        match token {
            Some(token) => self.open_token(id, token).map(Some),
            None if id.starts_with(access_key_id::LONG_TERM) => self.find_long_term(id).await,
            None => Ok(None),
        }
    }

    fn open_token(&self, id: &str, token: &str) -> Result<Key, AuthError> {
        let claims = Claims::open(&self.seal, token, id).ok_or(AuthError::InvalidToken)?;
        if claims.expires <= self.now() {
            return Err(AuthError::ExpiredToken);
        }
        let Claims { secret_access_key: secret, account, principal, session, .. } = claims;
        Ok(Key { secret, account, principal, session: Some(session) })
    }

    async fn find_long_term(&self, id: &str) -> Result<Option<Key>, AuthError> {
        let Some(account) = access_key_id::account(id) else { return Ok(None) };
        let key = self.documents.get::<AccessKey>(&scope(&account), id).await?;
        let Some(key) = key.filter(|key| key.active) else { return Ok(None) };
        let principal = match &key.owner {
            Owner::Root => Principal::Root,
            Owner::User(name) => {
                let user = self.documents.get::<User>(&scope(&account), &Identity::key(name)).await?;
                let Some(user) = user else { return Ok(None) };
                Principal::User { name: user.identity().path_and_name(), id: user.identity().id.clone() }
            }
        };
        let secret = self.open_secret(&key)?;
        Ok(Some(Key { secret, account, principal, session: None }))
    }

    /// The unique id of the user or role that has this name now.
    pub(crate) async fn id_of<T: Carrier>(
        &self,
        account: &str,
        name: &str,
    ) -> Result<Option<String>, kernel::StoreError> {
        let carrier = self.documents.get::<T>(&scope(account), &Identity::key(name)).await?;
        Ok(carrier.map(|carrier| carrier.identity().id.clone()))
    }

    fn open_secret(&self, key: &AccessKey) -> Result<String, AuthError> {
        let secret = self.seal.open(&context(&key.id), &key.secret).map_err(AuthError::internal)?;
        String::from_utf8(secret).map_err(AuthError::internal)
    }

    fn key_id(&self, prefix: &str, account: &str) -> String {
        access_key_id::encode(prefix, account, &self.ids.token(access_key_id::ALPHABET, 16))
    }

    fn secret(&self) -> String {
        self.ids.token(SECRET_ALPHABET, SECRET_LENGTH)
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Binds a sealed secret to its key.
fn context(id: &str) -> String {
    format!("iam.access-key/{id}")
}
