//! `kernel`: ARNs, names, tags, times and tokens.
//!
//! Held: what is read is written as it was, and read again the same; rules about lengths hold; a token is good for its own
//! query alone.

use kernel::names::Rule;
use kernel::paging::Token;
use kernel::tags::{Tags, merge, remove, validate};
use kernel::{Arn, Scope, Timestamp};

/// The body: a line each of ARN, name, time, token and query, then tags `key=value`.
pub fn body(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    arn(text);
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default();
    arn(line());
    name(line());
    time(line());
    token(line(), line());
    let tags: Tags = lines.filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    if validate(&tags).is_ok() {
        assert!(tags.len() <= 50 && tags.keys().all(|key| !key.to_ascii_lowercase().starts_with("aws:")));
        assert_eq!(merge(&tags, &tags), Ok(tags.clone()));
        assert!(remove(&tags, tags.keys().map(String::as_str)).is_empty());
    }
}

fn arn(text: &str) {
    let Ok(arn) = text.parse::<Arn>() else { return };
    assert_eq!(arn.to_string(), text);
    let json = serde_json::to_string(&arn).unwrap();
    assert_eq!(serde_json::from_str::<Arn>(&json).unwrap(), arn);
    assert_eq!(arn.scope(), Scope::new(&arn.account, &arn.region));
    assert_eq!(arn.resource_after(""), Some(arn.resource.as_str()));
}

fn name(text: &str) {
    let rule = Rule { length: 1..=100, besides: "_.-" };
    let letters = text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    assert_eq!(rule.check(text).is_ok(), letters && (1..=100).contains(&text.len()));
}

fn time(text: &str) {
    for time in [
        Timestamp::parse_iso8601(text),
        Timestamp::parse_rfc822(text),
        Timestamp::parse_basic(text),
        Timestamp::parse_epoch(text),
    ]
    .into_iter()
    .flatten()
    {
        assert_eq!(Timestamp::parse_iso8601(&time.iso8601()), Ok(time), "{text} is {}", time.iso8601());
        assert_eq!(Timestamp::from_epoch_seconds(time.epoch_seconds()), time, "{text} is {}", time.epoch_seconds());
        let second = Timestamp::from_seconds(time.seconds());
        assert_eq!(Timestamp::parse_rfc822(&time.rfc822()), Ok(second), "{text} is {}", time.rfc822());
        assert_eq!(Timestamp::parse_basic(&time.basic()), Ok(second), "{text} is {}", time.basic());
        assert!(time.basic().starts_with(&time.basic_date()));
    }
}

fn token(text: &str, query: &str) {
    if let Ok(token) = Token::parse(query, text) {
        assert_eq!(Token::parse(query, &token.encode(query)), Ok(token));
    }
    let token = Token::new(text);
    let written = token.encode(query);
    if written.len() <= 8_000 {
        assert_eq!(Token::parse(query, &written), Ok(token));
    }
    assert!(Token::parse(&format!("{query}x"), &written).is_err(), "a token of another query");
}
