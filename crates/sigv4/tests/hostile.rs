//! Malformed signatures: each is named, none panics, none verifies.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use sigv4::{ParseError, Presented, Request, SigningKey};

const SIGNATURE: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

fn parse(authorization: &str, date: Option<&str>) -> Result<Presented, ParseError> {
    let mut headers: Vec<(&str, &[u8])> = vec![("host", b"h"), ("authorization", authorization.as_bytes())];
    headers.extend(date.map(|date| ("x-amz-date", date.as_bytes())));
    Presented::parse(&Request::new("GET", "/", &headers))
}

#[test]
fn what_is_wrong_is_said() {
    let date = Some("20150830T123600Z");
    let credential = "Credential=A/20150830/us-east-1/s/aws4_request";
    let good = format!("AWS4-HMAC-SHA256 {credential},SignedHeaders=host,Signature={SIGNATURE}");
    assert!(parse(&good, date).is_ok());
    for (authorization, date, text) in [
        ("AWS4-HMAC-SHA256".to_owned(), date, "requires 'Credential'"),
        (good.replace("Signature=5", "Sig=5"), date, "requires 'Signature'"),
        (good.replace("SignedHeaders", "Signed"), date, "requires 'SignedHeaders'"),
        (good.clone(), None, "'X-Amz-Date' or a 'Date'"),
        (good.clone(), Some("Sun, 30 Aug 2015 12:36:00 GMT"), "basic format"),
        (good.clone(), Some("20150831T000000Z"), "'20150830' != '20150831'"),
        (good.replace("/s/", "/"), date, "exactly 5 slash-delimited"),
        (good.replace("=A/", "=/"), date, "exactly 5 slash-delimited"),
        (good.replace("=A/", "=A b/"), date, "exactly 5 slash-delimited"),
        (good.replace("=host", "=date"), date, "'Host' or ':authority'"),
        (good.replace("=host", "=host;;a"), date, "separated by semicolons"),
        (good.replace("=host", &format!("=host{}", ";a".repeat(200))), date, "1 to 128 headers"),
        (good.replace("=5fa", "=5fz"), date, "64 hexadecimal"),
        (good.replace("=A/", &format!("={}/", "A".repeat(40_000))), date, "longer than"),
    ] {
        let error = parse(&authorization, date).unwrap_err().to_string();
        assert!(error.contains(text), "{authorization:.200}: {error}");
    }
}

#[test]
fn no_signature_and_another_scheme_are_told_apart() {
    assert_eq!(parse("Basic QTpC", None), Err(ParseError::OtherScheme));
    assert_eq!(parse("AWS4-ECDSA-P256-SHA256 x", None), Err(ParseError::OtherScheme));
    assert_eq!(Presented::parse(&Request::new("GET", "/?a=b", &[])), Err(ParseError::Missing));
    assert_eq!(Presented::parse(&Request::new("GET", "/?X-Amz-Date=b", &[])), Err(ParseError::Missing));
}

#[test]
fn a_presigned_request_lives_at_most_seven_days() {
    for (seconds, good) in [("1", true), ("604800", true), ("0", false), ("604801", false), ("-1", false), ("x", false)]
    {
        let target = format!(
            "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20150830%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20150830T123600Z&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host&X-Amz-Signature={SIGNATURE}"
        );
        assert_eq!(Presented::parse(&Request::new("GET", &target, &[])).is_ok(), good, "{seconds}");
    }
}

proptest! {
    #[test]
    fn headers_of_any_bytes_never_panic(tail in proptest::collection::vec(any::<u8>(), 0..200), path in "\\PC{0,40}") {
        let authorization = [b"AWS4-HMAC-SHA256 Credential=".as_slice(), &tail].concat();
        let headers: &[(&str, &[u8])] = &[("authorization", &authorization), ("x-amz-date", &tail)];
        let _ = Presented::parse(&Request::new("GET", &path, headers));
    }

    #[test]
    fn queries_of_any_text_never_panic_or_verify(query in "(X-Amz-(Algorithm|Credential|Date|Expires|Signature)=\\PC{0,30}&){0,7}") {
        let target = format!("/?{query}");
        let request = Request::new("GET", &target, &[]);
        if let Ok(presented) = Presented::parse(&request) {
            prop_assert!(!presented.verify(&request, &SigningKey::derive("secret", &presented.scope), "UNSIGNED-PAYLOAD"));
        }
    }
}
