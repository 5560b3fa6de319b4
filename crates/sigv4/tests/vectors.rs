//! AWS's published Signature Version 4 vectors: each step, signing, and verifying the signed request.
#![expect(clippy::unwrap_used, reason = "tests")]

use sigv4::{AmzDate, Credentials, Payload, Place, Presented, Request, Signer, SigningKey};
use std::fs;
use std::path::{Path, PathBuf};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request as the vector files write it.
struct Raw {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Raw {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            match (line.starts_with(' '), headers.last_mut()) {
                (true, Some((_, value))) => *value += &format!("\n{line}"), // A folded line.
                _ => headers.push(line.split_once(':').map(|(name, value)| (name.into(), value.into())).unwrap()),
            }
        }
        let target = rest.strip_suffix(" HTTP/1.1").unwrap().to_owned();
        Self { method: method.into(), target, headers, body: body.into() }
    }

    fn with<T>(&self, check: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        check(&Request::new(&self.method, &self.target, &headers))
    }
}

/// Every folder of the suite that holds a vector.
fn vectors(folder: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut found: Vec<PathBuf> = folders
        .flat_map(|path| {
            let base = path.join(path.file_name().unwrap());
            if base.with_extension("req").exists() { vec![base] } else { vectors(&path) }
        })
        .collect();
    found.sort();
    found
}

fn suite() -> Vec<PathBuf> {
    let found = vectors(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"));
    assert!(found.len() >= 30, "only {} vectors found", found.len());
    found
}

fn read(vector: &Path, extension: &str) -> String {
    fs::read_to_string(vector.with_extension(extension)).unwrap().replace('\r', "")
}

/// The signed request, with the `Authorization` of `.authz`: the `.sreq` of `get-vanilla-with-session-token` carries that
/// of `get-vanilla`, a slip of the published suite.
fn signed(vector: &Path) -> Raw {
    let mut raw = Raw::parse(&read(vector, "sreq"));
    raw.headers.retain(|(name, _)| name != "Authorization");
    raw.headers.push(("Authorization".into(), read(vector, "authz")));
    raw
}

/// The unsigned request, with the session token that its canonical request has.
fn unsigned(vector: &Path) -> Raw {
    let mut raw = Raw::parse(&read(vector, "req"));
    let canonical = read(vector, "creq");
    let token = canonical.lines().find_map(|line| line.strip_prefix("x-amz-security-token:"));
    raw.headers.retain(|(name, _)| name != "X-Amz-Security-Token");
    raw.headers.extend(token.map(|token| ("X-Amz-Security-Token".to_owned(), token.to_owned())));
    raw
}

#[test]
fn every_signed_request_verifies_through_the_published_steps() {
    for vector in suite() {
        let raw = signed(&vector);
        raw.with(|request| {
            let presented = Presented::parse(request).unwrap();
            let payload = Payload::of(raw.body.as_bytes());
            let canonical = presented.canonical_request(request, payload.as_str());
            assert_eq!(canonical, read(&vector, "creq"), "{vector:?}");
            assert_eq!(presented.string_to_sign(&canonical), read(&vector, "sts"), "{vector:?}");
            for (secret, payload, good) in [
                (SECRET, payload.as_str(), true),
                ("another", payload.as_str(), false),
                (SECRET, "UNSIGNED-PAYLOAD", false),
            ] {
                let key = SigningKey::derive(secret, &presented.scope);
                assert_eq!(presented.verify(request, &key, payload), good, "{vector:?}");
            }
        });
    }
}

#[test]
fn signing_yields_the_published_authorization() {
    let credentials = Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: SECRET, session_token: None };
    let time = AmzDate::parse("20150830T123600Z").unwrap();
    let (region, service) = ("us-east-1", "service");
    let signer = Signer { credentials, region, service, time };
    for vector in suite() {
        let raw = unsigned(&vector);
        let payload = Payload::of(raw.body.as_bytes());
        let authorization = raw.with(|request| signer.authorization(request, &payload));
        assert_eq!(authorization, read(&vector, "authz"), "{vector:?}");
    }
}

#[test]
fn a_presigned_request_verifies_until_anything_in_it_changes() {
    let credentials = Credentials { access_key_id: "ASIA1", secret_access_key: SECRET, session_token: Some("t/+=") };
    let time = AmzDate::parse("20150830T123600Z").unwrap();
    let signer = Signer { credentials, region: "eu-west-1", service: "s3", time };
    let headers: &[(&str, &[u8])] = &[("host", b"127.0.0.1:4566")];
    let query = signer.presign(&Request::new("PUT", "/bucket/a%20b?partNumber=2", headers), 900, &Payload::Unsigned);
    let check = |target: &str| {
        let request = Request::new("PUT", target, headers);
        let presented = Presented::parse(&request).unwrap();
        assert_eq!(presented.place, Place::Query { seconds: 900 });
        assert_eq!(presented.session_token.as_deref(), Some("t/+="));
        presented.verify(&request, &SigningKey::derive(SECRET, &presented.scope), "UNSIGNED-PAYLOAD")
    };
    assert!(check(&format!("/bucket/a%20b?{query}")), "{query}");
    assert!(!check(&format!("/bucket/a%20c?{query}")));
    assert!(!check(&format!("/bucket/a%20b?{}", query.replace("partNumber=2", "partNumber=3"))));
}
