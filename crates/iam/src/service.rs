//! The service and what it stands on.

use crate::authorizer::Policy;
use crate::door::Authenticator;
use crate::keyring::Keyring;
use crate::root::{self, RootKeyError};
use crate::rules::decision::Mode;
use kernel::{Clock, Documents, Ids, Scope, Seal};
use std::path::Path;
use std::sync::Arc;

/// What iam stands on.
pub struct Dependencies {
    /// The store's handle for service `iam`.
    pub documents: Documents,
    /// Seals secrets and session tokens.
    pub seal: Arc<Seal>,
    /// Dates keys, ends sessions, judges signatures.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and secrets.
    pub ids: Arc<dyn Ids>,
    /// `--auth`.
    pub mode: Mode,
    /// Account and region where a client names none; the root key is made for this account.
    pub defaults: Scope,
}

/// IAM and STS, and roles for the other services.
pub struct Service {
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) mode: Mode,
    defaults: Scope,
}

impl Service {
    /// The service over its documents.
    #[must_use]
    pub fn new(dependencies: Dependencies) -> Arc<Self> {
        let Dependencies { documents, seal, clock, ids, mode, defaults } = dependencies;
        let keyring = Arc::new(Keyring { documents, seal, clock, ids });
        Arc::new(Self { keyring, mode, defaults })
    }

    /// Makes the default account's root key at the first start and writes it to `DIR/root-credentials` (mode 0600). Later
    /// starts keep it; a file without its document (a restored folder) is taken in again. Call before the listener opens.
    ///
    /// # Errors
    /// [`RootKeyError`], a sentence for the operator.
    pub async fn ensure_root_key(&self, data_dir: &Path) -> Result<(), RootKeyError> {
        root::ensure(&self.keyring, &self.defaults, data_dir).await
    }

    /// What the gates ask who may do what.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Policy::new(Arc::clone(&self.keyring), self.mode)
    }

    /// What the listener asks who calls.
    #[must_use]
    pub fn authenticator(&self) -> Arc<Authenticator> {
        Authenticator::new(Arc::clone(&self.keyring), self.mode, self.defaults.clone())
    }
}
