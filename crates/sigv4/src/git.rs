//! CodeCommit's form of Signature Version 4, which Git sends as Basic credentials.
//!
//! User name: access key id, for a session followed by `%` and the token. Password: `YYYYMMDDTHHMMSSZ` and the signature
//! in hex. The canonical request has no payload line, and the signed time no `Z`. `git-remote-codecommit` signs the host
//! with its port, the AWS CLI's credential helper without: [`Presented::verify`] tries both. (Measured with
//! git-remote-codecommit 1.17 and AWS CLI 1.46.)

use crate::{AmzDate, CredentialScope, Credentials, SigningKey, string_to_sign};

/// Signing name of CodeCommit.
const SERVICE: &str = "codecommit";

/// A Basic password in CodeCommit's form: well-formed, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Whose key it claims to be.
    pub access_key_id: String,
    /// What follows the first `%` of the user name.
    pub session_token: Option<String>,
    /// When it was signed.
    pub time: AmzDate,
    /// 64 hex digits.
    pub signature: String,
}

impl Presented {
    /// Reads user name and password of a Basic header; `None` if the password is not in this form (it may then be a Git
    /// credential or, in open mode, any text).
    #[must_use]
    pub fn parse(user: &str, password: &str) -> Option<Self> {
        let (date, signature) = password.split_once('Z')?;
        let time = AmzDate::parse_unzoned(date)?;
        let (key, token) = match user.split_once('%') {
            Some((key, token)) => (key, Some(token.to_owned())),
            None => (user, None),
        };
        let well_formed = crate::payload::is_sha256_hex(signature) && (1..=128).contains(&key.len());
        well_formed.then(|| Self { access_key_id: key.into(), session_token: token, time, signature: signature.into() })
    }

    /// Whether it is the signature of `secret_access_key` for a repository's `path` (`/v1/repos/NAME`, without `/info/refs`
    /// and the like) on `host` (the request's Host, with or without port) in `region`.
    #[must_use]
    pub fn verify(&self, secret_access_key: &str, region: &str, host: &str, path: &str) -> bool {
        let scope = CredentialScope::new(self.time, region, SERVICE);
        let key = SigningKey::derive(secret_access_key, &scope);
        let matches = |host: &str| key.matches(&to_sign(self.time, &scope, host, path), &self.signature);
        matches(host) || without_port(host).is_some_and(matches)
    }
}

/// The user name and password for a repository, as `git-remote-codecommit` makes them.
#[must_use]
pub fn sign(credentials: &Credentials<'_>, region: &str, host: &str, path: &str, time: AmzDate) -> (String, String) {
    let scope = CredentialScope::new(time, region, SERVICE);
    let key = SigningKey::derive(credentials.secret_access_key, &scope);
    let user = match credentials.session_token {
        Some(token) => format!("{}%{token}", credentials.access_key_id),
        None => credentials.access_key_id.to_owned(),
    };
    (user, format!("{time}{}", key.sign(&to_sign(time, &scope, host, path))))
}

fn to_sign(time: AmzDate, scope: &CredentialScope, host: &str, path: &str) -> String {
    string_to_sign(&time.unzoned(), scope, &format!("GIT\n{path}\n\nhost:{host}\n\nhost\n"))
}

/// `host` without its port, if it has one.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = host.rsplit_once(':')?;
    (!port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())).then_some(name)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const PATH: &str = "/v1/repos/hello";

    fn credentials(session_token: Option<&'static str>) -> Credentials<'static> {
        Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: SECRET, session_token }
    }

    fn signed(host: &str) -> Presented {
        let time = AmzDate::from_epoch_seconds(1_440_938_160);
        let (user, password) = sign(&credentials(Some("to%ken/+=")), "us-east-1", host, PATH, time);
        Presented::parse(&user, &password).unwrap()
    }

    #[test]
    fn agrees_with_the_botocore_signer() {
        // Made with the SigV4Auth of botocore 1.44.5, called as the AWS CLI's credential helper calls it.
        let time = AmzDate::from_epoch_seconds(1_440_938_160);
        let (user, password) = sign(&credentials(None), "us-east-1", "127.0.0.1", PATH, time);
        assert_eq!(user, "AKIDEXAMPLE");
        assert_eq!(password, "20150830T123600Z70db0cf0d5025fa0900ba42b151f05aed6f9a76a7acc80b95ab1e9a33890609a");
    }

    #[test]
    fn the_port_may_be_signed_or_not() {
        for host in ["127.0.0.1", "127.0.0.1:4566"] {
            let presented = signed(host);
            assert_eq!(presented.session_token.as_deref(), Some("to%ken/+="));
            assert!(presented.verify(SECRET, "us-east-1", "127.0.0.1:4566", PATH), "{host}");
            assert!(!presented.verify(SECRET, "eu-west-1", "127.0.0.1:4566", PATH));
            assert!(!presented.verify(SECRET, "us-east-1", "127.0.0.1:4566", "/v1/repos/other"));
            assert!(!presented.verify("other", "us-east-1", "127.0.0.1:4566", PATH));
        }
        assert!(!signed("127.0.0.1:4567").verify(SECRET, "us-east-1", "127.0.0.1:4566", PATH));
    }

    #[test]
    fn a_plain_password_is_none_of_it() {
        for password in ["", "secret", "20150830T123600Z", "20150830T123600Zabc", "Z", "20150830T123600+00"] {
            assert_eq!(Presented::parse("user", password), None, "{password}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(user in "\\PC{0,40}", password in "\\PC{0,90}") {
            let _ = Presented::parse(&user, &password);
        }
    }
}
