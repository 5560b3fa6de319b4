//! Links that sign in, and sessions. Neither holds its secret: only the secret's hash, which is the key.

use std::time::Duration;

use kernel::{Caller, Document, Timestamp};
use serde::{Deserialize, Serialize};

/// A link that was not used by then never will be.
pub(crate) const LINK_LIFE: Duration = Duration::from_secs(5 * 60);
/// A session that nobody used for so long is over.
pub(crate) const IDLE: Duration = Duration::from_secs(4 * 60 * 60);
/// No session is longer, however busy.
pub(crate) const SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// A one-time link: whoever presents its token first gets a session as `caller`, and the link is gone in the same
/// commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// The token's hash.
    pub hash: String,
    /// Who asked for the link.
    pub caller: Caller,
    /// Till when it may be used.
    pub expires: Timestamp,
}

impl Document for Link {
    const KIND: &'static str = "console.link";

    fn key(&self) -> String {
        self.hash.clone()
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

/// Somebody who is signed in with one browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The cookie's hash.
    pub hash: String,
    /// As whom its pages read and its buttons act.
    pub caller: Caller,
    /// When it was last used, to within some minutes.
    pub seen: Timestamp,
    /// When it is over at the latest.
    pub ends: Timestamp,
}

impl Session {
    /// When it is over if nobody uses it from now on.
    pub(crate) fn expires(&self) -> Timestamp {
        self.ends.min(self.seen + IDLE)
    }
}

impl Document for Session {
    const KIND: &'static str = "console.session";

    fn key(&self) -> String {
        self.hash.clone()
    }

    fn due(&self) -> Option<Timestamp> {
        Some(self.expires())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Scope;

    #[test]
    fn a_session_is_over_when_idle_and_at_its_end_however_busy() {
        let start = Timestamp::from_seconds(1_000_000);
        let caller = Caller::root(&Scope::new("111122223333", "us-east-1"), "r");
        let mut session = Session { hash: "h".into(), caller, seen: start, ends: start + SESSION_LIFE };
        assert_eq!(session.due(), Some(start + IDLE));
        session.seen = start + SESSION_LIFE - Duration::from_secs(1);
        assert_eq!(session.due(), Some(start + SESSION_LIFE));
    }
}
