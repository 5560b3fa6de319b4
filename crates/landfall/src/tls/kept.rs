//! Certificates by an authority, kept until half of their time is over.

use super::authority::{Authority, SERVER_DAYS};
use kernel::{Clock, Timestamp};
use rustls::sign::CertifiedKey;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A certificate of this age is renewed at the next handshake.
pub(super) const RENEW_AFTER: Duration = Duration::from_secs(SERVER_DAYS as u64 / 2 * 24 * 3600);
/// Certificates that are kept; beyond that all are issued anew.
pub(super) const KEPT: usize = 256;

/// One authority's certificates.
pub(super) struct Kept {
    authority: Authority,
    clock: Arc<dyn Clock>,
    issued: Mutex<BTreeMap<String, Issued>>,
}

struct Issued {
    key: Arc<CertifiedKey>,
    renew: Timestamp,
}

impl Kept {
    pub(super) fn new(authority: Authority, clock: Arc<dyn Clock>) -> Self {
        Self { authority, clock, issued: Mutex::default() }
    }

    /// The certificate that is kept as `name`, issued for `alternatives` where there is none in date.
    pub(super) fn certificate(
        &self,
        name: &str,
        alternatives: impl FnOnce() -> Vec<String>,
    ) -> Option<Arc<CertifiedKey>> {
        let now = self.clock.now();
        let mut kept = self.lock();
        if let Some(issued) = kept.get(name).filter(|issued| now < issued.renew) {
            return Some(Arc::clone(&issued.key));
        }
        let key = match self.authority.issue(&alternatives(), now) {
            Ok(key) => Arc::new(key),
            Err(error) => {
                tracing::error!(%error, "cannot issue a certificate");
                return None;
            }
        };
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(name.to_owned(), Issued { key: Arc::clone(&key), renew: now + RENEW_AFTER });
        Some(key)
    }

    /// The next one that is asked for as `name` is issued anew.
    pub(super) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Issued>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
