//! Session tokens: sealed and self-contained, so that assuming a role writes nothing.

use kernel::{Principal, Seal, Session, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The seal's context.
const CONTEXT: &str = "iam.session-token";

/// What a session token says. Sealed by the master key: only this server can make or read one.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The temporary access key that it belongs to.
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) account: String,
    pub(crate) principal: Principal,
    pub(crate) session: Session,
    pub(crate) expires: Timestamp,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("access_key_id", &self.access_key_id)
            .field("principal", &self.principal)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Claims {
    /// The token of these claims.
    pub(crate) fn seal(&self, seal: &Seal) -> Result<String, serde_json::Error> {
        Ok(seal.seal(CONTEXT, &serde_json::to_vec(self)?))
    }

    /// The claims of a token, if this server made it and it belongs to `access_key_id`. It may have expired.
    pub(crate) fn open(seal: &Seal, token: &str, access_key_id: &str) -> Option<Self> {
        let claims: Self = serde_json::from_slice(&seal.open(CONTEXT, token).ok()?).ok()?;
        (claims.access_key_id == access_key_id).then_some(claims)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            access_key_id: "ASIA1".into(),
            secret_access_key: "hush".into(),
            account: "111111111111".into(),
            principal: Principal::Role { name: "r".into(), id: "AROA1".into() },
            session: Session { name: "s".into(), ..Session::default() },
            expires: Timestamp::from_millis(1_500),
        }
    }

    #[test]
    fn a_token_opens_only_unchanged_and_for_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let seal = Seal::in_folder(folder.path()).unwrap();
        let token = claims().seal(&seal).unwrap();
        assert_eq!(Claims::open(&seal, &token, "ASIA1"), Some(claims()));
        assert_eq!(Claims::open(&seal, &token, "ASIA2"), None);
        for at in [3, token.len() / 2, token.len() - 3] {
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            let tampered = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert_eq!(Claims::open(&seal, &tampered, "ASIA1"), None, "{at}");
        }
        assert_eq!(Claims::open(&seal, &seal.seal("other", b"{}"), "ASIA1"), None);
        assert!(!format!("{:?}", claims()).contains("hush"));
    }
}
