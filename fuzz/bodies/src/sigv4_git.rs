//! CodeCommit's form of Signature Version 4: lines `user`, `password`, `region`, `host` and `path`.
//!
//! Held: what is signed is read and verified, also where Git names the port and the signer did not; not for another path.

use crate::sigv4_header::{SECONDS, SECRET};
use sigv4::git::{Presented, sign};
use sigv4::{AmzDate, Credentials};

/// The body.
pub fn body(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default();
    let (user, password, region, host, path) = (line(), line(), line(), line(), line());
    if let Some(presented) = Presented::parse(user, password) {
        assert!(!presented.verify("nobody's", region, host, path), "another secret");
        let user = match &presented.session_token {
            Some(token) => format!("{}%{token}", presented.access_key_id),
            None => presented.access_key_id.clone(),
        };
        assert_eq!(Presented::parse(&user, &format!("{}{}", presented.time, presented.signature)), Some(presented));
    }
    let (key, token) = user.split_once('%').map_or((user, None), |(key, token)| (key, Some(token)));
    let credentials = Credentials { access_key_id: key, secret_access_key: SECRET, session_token: token };
    let (user, password) = sign(&credentials, region, host, path, AmzDate::from_epoch_seconds(SECONDS));
    let Some(presented) = Presented::parse(&user, &password) else {
        assert!(key.is_empty() || key.len() > 128, "what was signed is read");
        return;
    };
    assert_eq!(presented.session_token.as_deref(), token);
    assert!(presented.verify(SECRET, region, host, path));
    assert!(presented.verify(SECRET, region, &format!("{host}:4566"), path));
    assert!(!presented.verify(SECRET, region, host, &format!("{path}x")));
    assert!(!presented.verify("another", region, host, path));
}
