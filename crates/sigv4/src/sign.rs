//! Signing, as a client does it.

use crate::canonical::{Request, canonical_request};
use crate::{ALGORITHM, AmzDate, CredentialScope, Payload, SigningKey, string_to_sign, uri_encode};
use std::fmt;

/// Whose signature it is.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// `AKIA…` or, with a session token, `ASIA…`.
    pub access_key_id: &'a str,
    /// Never printed.
    pub secret_access_key: &'a str,
    /// Goes along as `x-amz-security-token`.
    pub session_token: Option<&'a str>,
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Signs requests of one service in one region at one time.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// Whose signature it is.
    pub credentials: Credentials<'a>,
    /// Region of the credential scope.
    pub region: &'a str,
    /// Signing name of the service (`codebuild`, `s3`, `codedeploy-commands`, …).
    pub service: &'a str,
    /// Now; the server refuses a difference of more than 15 minutes.
    pub time: AmzDate,
}

/// Headers that proxies and HTTP libraries change after signing, so that nobody signs them.
const UNSIGNABLE: &[&str] =
    &["authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"];

impl Signer<'_> {
    /// Headers to add to `request` so that it is signed: `x-amz-date`, `x-amz-content-sha256`, `x-amz-security-token` for
    /// a session, `authorization`. All headers already there are signed but those that proxies change; `host` must be
    /// among them.
    #[must_use]
    pub fn sign_headers(&self, request: &Request<'_>, payload: &Payload) -> Vec<(&'static str, String)> {
        let mut added =
            vec![("x-amz-date", self.time.to_string()), ("x-amz-content-sha256", payload.as_str().to_owned())];
        added.extend(self.credentials.session_token.map(|token| ("x-amz-security-token", token.to_owned())));
        let mut headers: Vec<(&str, &[u8])> = request.headers.to_vec();
        headers.extend(added.iter().map(|(name, value)| (*name, value.as_bytes())));
        let authorization = self.authorization(&Request { headers: &headers, ..*request }, payload);
        added.push(("authorization", authorization));
        added
    }

    /// The `Authorization` header of a request that already carries its `X-Amz-Date` and all else to be signed.
    #[must_use]
    pub fn authorization(&self, request: &Request<'_>, payload: &Payload) -> String {
        let names = signable(request);
        let canonical = canonical_request(request, &names, None, payload.as_str(), self.service);
        let (scope, signature) = self.signature(&canonical);
        let (key, names) = (self.credentials.access_key_id, names.join(";"));
        format!("{ALGORITHM} Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}")
    }

    /// The whole query string that makes `request` a presigned one for `seconds` (at most seven days): its own query,
    /// then the six or seven `X-Amz-…` parameters. All headers of `request` are signed, so give `host` alone unless
    /// whoever uses the URL will send the others. S3 takes [`Payload::Unsigned`].
    #[must_use]
    pub fn presign(&self, request: &Request<'_>, seconds: u32, payload: &Payload) -> String {
        let names = signable(request);
        let scope = CredentialScope::new(self.time, self.region, self.service);
        let credential = format!("{}/{scope}", self.credentials.access_key_id);
        let mut query = request.query.to_owned();
        let mut push = |key: &str, value: &str| {
            let separator = if query.is_empty() { "" } else { "&" };
            query.push_str(&format!("{separator}{key}={}", uri_encode(value.as_bytes())));
        };
        push("X-Amz-Algorithm", ALGORITHM);
        push("X-Amz-Credential", &credential);
        push("X-Amz-Date", &self.time.to_string());
        push("X-Amz-Expires", &seconds.to_string());
        push("X-Amz-SignedHeaders", &names.join(";"));
        if let Some(token) = self.credentials.session_token {
            push("X-Amz-Security-Token", token);
        }
        let signed = Request { query: &query, ..*request };
        let canonical = canonical_request(&signed, &names, None, payload.as_str(), self.service);
        let (_, signature) = self.signature(&canonical);
        query + "&X-Amz-Signature=" + &signature
    }

    fn signature(&self, canonical: &str) -> (CredentialScope, String) {
        let scope = CredentialScope::new(self.time, self.region, self.service);
        let key = SigningKey::derive(self.credentials.secret_access_key, &scope);
        let signature = key.sign(&string_to_sign(&self.time.to_string(), &scope, canonical));
        (scope, signature)
    }
}

/// Lower-case names of the headers to sign, sorted, each once.
fn signable(request: &Request<'_>) -> Vec<String> {
    let names = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
    let mut names: Vec<String> = names.filter(|name| !UNSIGNABLE.contains(&name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: Credentials<'_> = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        session_token: None,
    };

    fn s3(time: i64) -> Signer<'static> {
        Signer { credentials: CREDENTIALS, region: "us-east-1", service: "s3", time: AmzDate::from_epoch_seconds(time) }
    }

    #[test]
    fn presigns_the_example_of_the_s3_documentation() {
        // "Authenticating Requests: Using Query Parameters", Amazon S3 API Reference.
        let headers: &[(&str, &[u8])] = &[("host", b"examplebucket.s3.amazonaws.com")];
        let query = s3(1_369_353_600).presign(&Request::new("GET", "/test.txt", headers), 86_400, &Payload::Unsigned);
        let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(query.ends_with(&format!("&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}")), "{query}");
    }

    #[test]
    fn signs_the_example_of_the_s3_documentation() {
        // "Authenticating Requests: Using the Authorization Header", Amazon S3 API Reference: GET bucket lifecycle.
        let headers: &[(&str, &[u8])] = &[("Host", b"examplebucket.s3.amazonaws.com"), ("User-Agent", b"any")];
        let added = s3(1_369_353_600).sign_headers(&Request::new("GET", "/?lifecycle", headers), &Payload::of(b""));
        let authorization = &added.iter().find(|(name, _)| *name == "authorization").map(|(_, value)| value.as_str());
        let signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
        assert!(authorization.is_some_and(|value| value.ends_with(signature)), "{added:?}");
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let credentials = Credentials { session_token: Some("token=/+"), ..CREDENTIALS };
        let signer = Signer { credentials, ..s3(0) };
        let headers: &[(&str, &[u8])] = &[("host", b"h")];
        let added = signer.sign_headers(&Request::new("GET", "/", headers), &Payload::Unsigned);
        assert!(added.contains(&("x-amz-security-token", "token=/+".to_owned())));
        assert!(added.iter().any(|(_, value)| value.contains("x-amz-date;x-amz-security-token")), "{added:?}");
        let query = signer.presign(&Request::new("GET", "/", headers), 60, &Payload::Unsigned);
        assert!(query.contains("X-Amz-Security-Token=token%3D%2F%2B&X-Amz-Signature="), "{query}");
        assert!(!format!("{signer:?}").contains("wJalr"));
    }
}
