//! `logs`: filter patterns and tokens: a pattern, then after a NUL a message.
//!
//! Held: a pattern means the same without the blanks around it; a search ends in time; a term and what excludes it do not
//! both match; tokens are written as they were read.

use crate::input::split;
use logs::fuzz::{pattern, tokens};
use std::time::{Duration, Instant};

/// Far above what any search needs, so that a busy machine is no finding.
const LONGEST: Duration = Duration::from_secs(5);

/// The body.
pub fn body(data: &[u8]) {
    let (text, message) = split(data);
    let (Ok(text), Ok(message)) = (std::str::from_utf8(text), std::str::from_utf8(message)) else { return };
    token(text);
    let begun = Instant::now();
    if let Ok(read) = pattern(text) {
        let found = read.matches(message);
        assert_eq!(pattern(&format!(" {text}\n")).map(|read| read.matches(message)), Ok(found));
        let _ = read.matches(&message.repeat(3));
    }
    exclude(text, message);
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
}

fn exclude(text: &str, message: &str) {
    let term: String = text.chars().filter(|c| c.is_ascii_alphanumeric()).take(20).collect();
    if term.is_empty() {
        return;
    }
    let with = pattern(&format!("\"{term}\"")).unwrap().matches(message);
    let without = pattern(&format!("-\"{term}\"")).unwrap().matches(message);
    assert_eq!((with, without), (message.contains(&term), !message.contains(&term)));
}

fn token(text: &str) {
    let (page, search) = tokens("stream", text);
    for written in [page, search].into_iter().flatten() {
        let (page, search) = tokens("stream", &written);
        assert_eq!(page.or(search), Some(written));
    }
}
