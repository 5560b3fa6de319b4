//! Signing in and out: a one-time link becomes a session, a session's cookie becomes a caller.

use std::time::Duration;

use kernel::{Batch, Caller, Clock, CommitError, Documents, Ids, Scope, StoreError, Stored, Timestamp};

use crate::model::{LINK_LIFE, Link, SESSION_LIFE, Session};
use crate::rules::secret;

/// Letters of a token; 43 of them are 256 bits.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TOKEN_LENGTH: usize = 43;
/// Use is written down at most so often: reading a page is no write.
const SEEN_STEP: Duration = Duration::from_secs(5 * 60);

/// A link that was just made; its token exists nowhere else.
pub struct MadeLink {
    /// Path and query of the page that signs in.
    pub path: String,
    /// Till when.
    pub expires: Timestamp,
}

/// The store of links and sessions.
pub(crate) struct Sessions {
    pub(crate) documents: Documents,
}

impl Sessions {
    /// Makes a link; answers its token.
    pub(crate) async fn link(
        &self,
        caller: &Caller,
        clock: &dyn Clock,
        ids: &dyn Ids,
    ) -> Result<(String, Timestamp), CommitError> {
        let token = ids.token(ALPHABET, TOKEN_LENGTH);
        let expires = clock.now() + LINK_LIFE;
        let link = Link { hash: secret::hash(&token), caller: caller.clone(), expires };
        self.documents.insert(&Scope::global(), link).await?;
        Ok((token, expires))
    }

    /// Turns a link's token into a new session's, once. `None` for what is no link, or used, or too old.
    pub(crate) async fn redeem(
        &self,
        token: &str,
        clock: &dyn Clock,
        ids: &dyn Ids,
    ) -> Result<Option<String>, StoreError> {
        let scope = Scope::global();
        let now = clock.now();
        let Some(link) = self.documents.get::<Link>(&scope, &secret::hash(token)).await? else { return Ok(None) };
        if now >= link.expires {
            return Ok(None);
        }
        let cookie = ids.token(ALPHABET, TOKEN_LENGTH);
        let session =
            Session { hash: secret::hash(&cookie), caller: link.caller.clone(), seen: now, ends: now + SESSION_LIFE };
        match self.documents.commit(Batch::new(&scope).remove(&link).insert(&session)).await {
            Ok(()) => Ok(Some(cookie)),
            // Somebody else was faster with the same link.
            Err(CommitError::Conflict { .. }) => Ok(None),
            Err(CommitError::Store(error)) => Err(error),
            Err(CommitError::Exists { .. } | CommitError::LeaseLost { .. }) => Ok(None),
        }
    }

    /// The session of a cookie, if it is not over.
    pub(crate) async fn find(&self, cookie: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
        self.valid(&secret::hash(cookie), now).await.map(|found| found.map(|stored| stored.value))
    }

    /// The session with this hash, if it is not over.
    pub(crate) async fn valid(&self, hash: &str, now: Timestamp) -> Result<Option<Stored<Session>>, StoreError> {
        let found = self.documents.get::<Session>(&Scope::global(), hash).await?;
        Ok(found.filter(|session| now < session.expires()))
    }

    /// Notes that the session is in use.
    pub(crate) async fn touch(&self, session: &Session, now: Timestamp) -> Result<(), StoreError> {
        if now.since(session.seen) < SEEN_STEP {
            return Ok(());
        }
        let scope = Scope::global();
        match self.documents.update::<Session>(&scope, &session.hash, |session| session.seen = now).await {
            Err(CommitError::Store(error)) => Err(error),
            // Signed out meanwhile, or touched by another page.
            _ => Ok(()),
        }
    }

    /// Signs out.
    pub(crate) async fn end(&self, hash: &str) -> Result<(), StoreError> {
        let scope = Scope::global();
        while let Some(session) = self.documents.get::<Session>(&scope, hash).await? {
            match self.documents.remove(&scope, &session).await {
                Err(CommitError::Store(error)) => return Err(error),
                // Touched meanwhile: once more.
                Err(CommitError::Conflict { .. }) => {}
                _ => return Ok(()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use kernel::{ManualClock, Store, SystemIds};

    use super::*;
    use crate::model::IDLE;

    struct World {
        sessions: Sessions,
        clock: ManualClock,
        caller: Caller,
        _folder: tempfile::TempDir,
    }

    fn world() -> World {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_000_000));
        let store = Store::open(folder.path(), Arc::new(clock.clone())).unwrap();
        let caller = Caller::root(&Scope::new("111122223333", "us-east-1"), "r");
        World { sessions: Sessions { documents: store.service("console") }, clock, caller, _folder: folder }
    }

    impl World {
        async fn link(&self) -> String {
            self.sessions.link(&self.caller, &self.clock, &SystemIds).await.unwrap().0
        }

        async fn redeem(&self, token: &str) -> Option<String> {
            self.sessions.redeem(token, &self.clock, &SystemIds).await.unwrap()
        }

        async fn find(&self, cookie: &str) -> Option<Session> {
            self.sessions.find(cookie, self.clock.now()).await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_link_signs_in_once_as_who_asked_for_it() {
        let world = world();
        let token = world.link().await;
        assert_eq!(token.len(), TOKEN_LENGTH);
        let cookie = world.redeem(&token).await.unwrap();
        assert_eq!(world.find(&cookie).await.unwrap().caller, world.caller);
        assert_eq!(world.redeem(&token).await, None);
        assert_eq!(world.redeem("").await, None);
        assert_eq!(world.find(&token).await, None);
    }

    #[tokio::test]
    async fn of_many_at_once_one_signs_in() {
        let world = world();
        let token = world.link().await;
        let tries = futures::future::join_all((0..16).map(|_| world.redeem(&token))).await;
        assert_eq!(tries.into_iter().flatten().count(), 1);
    }

    #[tokio::test]
    async fn a_link_expires() {
        let world = world();
        let token = world.link().await;
        world.clock.advance(LINK_LIFE);
        assert_eq!(world.redeem(&token).await, None);
    }

    #[tokio::test]
    async fn use_keeps_a_session_and_signing_out_ends_it() {
        let world = world();
        let cookie = world.redeem(&world.link().await).await.unwrap();
        world.clock.advance(IDLE - Duration::from_secs(1));
        let session = world.find(&cookie).await.unwrap();
        world.sessions.touch(&session, world.clock.now()).await.unwrap();
        world.clock.advance(Duration::from_secs(2));
        let session = world.find(&cookie).await.unwrap();
        world.sessions.end(&session.hash).await.unwrap();
        assert_eq!(world.find(&cookie).await, None);
        world.sessions.end(&session.hash).await.unwrap();
    }

    #[tokio::test]
    async fn an_idle_session_is_over() {
        let world = world();
        let cookie = world.redeem(&world.link().await).await.unwrap();
        world.clock.advance(IDLE);
        assert_eq!(world.find(&cookie).await, None);
    }
}
