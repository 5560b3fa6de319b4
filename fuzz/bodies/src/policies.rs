//! `iam`: policy documents, and what they say: a document, then after a NUL lines `action`, `resource`, `key` and `value`.
//!
//! Held: a denial outweighs any other document; a document beside itself says what it says alone; without documents nothing
//! is allowed; patterns match as a slow and plain matcher says.

use crate::input::split;
use iam::fuzz::{matches, policy, says};

const ALL: &str = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const NONE: &str = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;

/// The body.
pub fn body(data: &[u8]) {
    let (text, asked) = split(data);
    let (Ok(text), Ok(asked)) = (std::str::from_utf8(text), std::str::from_utf8(asked)) else { return };
    let mut lines = asked.lines();
    let mut line = || lines.next().unwrap_or_default();
    let (action, resource, key, value) = (line(), line(), line(), line());
    wildcards(action, resource);
    let _ = policy(text, true);
    let Ok(read) = policy(text, false) else { return };
    assert_eq!(policy(text, false).as_ref(), Ok(&read));
    let (all, none) = (policy(ALL, false).unwrap(), policy(NONE, false).unwrap());
    for keys in [&[][..], &[(key, value)], &[("aws:username", value), ("aws:principaltag/team", key)]] {
        let alone = says(&[&read], action, resource, keys);
        assert_eq!(says(&[&read, &read], action, resource, keys), alone);
        assert_eq!(says(&[&read, &none], action, resource, keys), Some(false), "denied");
        let beside = if alone == Some(false) { Some(false) } else { Some(true) };
        assert_eq!(says(&[&all, &read], action, resource, keys), beside);
        assert_eq!(says(&[&read, &all], action, resource, keys), beside);
    }
    assert_eq!(says(&[], action, resource, &[]), None);
}

fn wildcards(pattern: &str, text: &str) {
    if pattern.len() > 12 || text.len() > 24 {
        let _ = matches(pattern, text);
        return;
    }
    let (pattern_chars, text_chars): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    assert_eq!(matches(pattern, text), Some(slowly(&pattern_chars, &text_chars)), "{pattern:?} {text:?}");
}

fn slowly(pattern: &[char], text: &[char]) -> bool {
    // One row for each character of the pattern: which beginnings of the text it matches.
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for token in pattern {
        let mut next = Vec::with_capacity(row.len());
        for (at, matched) in row.iter().enumerate() {
            next.push(match token {
                '*' => *matched || next.last() == Some(&true),
                '?' => at > 0 && row[at - 1],
                other => at > 0 && row[at - 1] && text[at - 1] == *other,
            });
        }
        row = next;
    }
    row[text.len()]
}
