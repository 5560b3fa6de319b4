//! Waking a host's open polls when a command is there for it.

use aws::Error;
use kernel::Scope;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Open polls of one host: an agent has one, a restarted one may have left another.
const MOST_PER_HOST: usize = 4;
/// Open polls of all hosts.
const MOST: usize = 20_000;

type Host = (Scope, String);

/// The open polls, by host.
#[derive(Default)]
pub(crate) struct Bells(Mutex<HashMap<Host, Waiters>>);

struct Waiters {
    bell: Arc<Notify>,
    count: usize,
}

impl Bells {
    /// Registers an open poll; `ThrottlingException` if there are too many.
    pub(super) fn wait(&self, scope: &Scope, identity: &str) -> Result<Waiting<'_>, Error> {
        let mut hosts = self.hosts();
        let host = (scope.clone(), identity.to_owned());
        let full = hosts.len() >= MOST;
        let waiters = match hosts.get_mut(&host) {
            Some(waiters) if waiters.count >= MOST_PER_HOST => return Err(too_many()),
            Some(waiters) => waiters,
            None if full => return Err(too_many()),
            None => hosts.entry(host.clone()).or_insert_with(|| Waiters { bell: Arc::new(Notify::new()), count: 0 }),
        };
        waiters.count += 1;
        Ok(Waiting { bell: Arc::clone(&waiters.bell), bells: self, host })
    }

    /// Wakes every open poll of the host.
    pub(crate) fn ring(&self, scope: &Scope, identity: &str) {
        if let Some(waiters) = self.hosts().get(&(scope.clone(), identity.to_owned())) {
            waiters.bell.notify_waiters();
        }
    }

    /// Nothing can panic while the lock is held; the map is whole even if something did.
    fn hosts(&self) -> MutexGuard<'_, HashMap<Host, Waiters>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_many() -> Error {
    Error::new("ThrottlingException", "Too many polls are open. Wait for one to end before another is sent.")
}

/// An open poll; ends when dropped.
pub(super) struct Waiting<'a> {
    /// Rings when a command may be there. Listen before looking.
    pub(super) bell: Arc<Notify>,
    bells: &'a Bells,
    host: Host,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut hosts = self.bells.hosts();
        if let Some(waiters) = hosts.get_mut(&self.host) {
            waiters.count -= 1;
            if waiters.count == 0 {
                hosts.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_wakes_those_who_listen_and_no_other_host() {
        let (bells, scope) = (Bells::default(), Scope::new("000000000000", "us-east-1"));
        let (one, other) = (bells.wait(&scope, "one").unwrap(), bells.wait(&scope, "other").unwrap());
        let (heard, unheard) = (one.bell.notified(), other.bell.notified());
        bells.ring(&scope, "one");
        heard.await;
        tokio::select! {
            biased;
            () = unheard => panic!("another host was woken"),
            () = std::future::ready(()) => {}
        }
    }

    #[test]
    fn the_polls_of_a_host_are_bounded_and_end_with_their_guard() {
        let (bells, scope) = (Bells::default(), Scope::new("000000000000", "us-east-1"));
        let open: Vec<_> = (0..MOST_PER_HOST).map(|_| bells.wait(&scope, "one").unwrap()).collect();
        assert!(bells.wait(&scope, "one").is_err_and(|error| error.is("ThrottlingException")));
        drop(open);
        assert!(bells.wait(&scope, "one").is_ok());
        assert!(bells.hosts().is_empty());
    }
}
