//! A door for `fuzz/bodies`: filter patterns and tokens.

use crate::rules::{cursor, pattern, place};

/// A pattern that was read.
#[derive(Debug)]
pub struct Pattern(pattern::Pattern);

/// Reads a filter pattern.
///
/// # Errors
/// What is wrong with it.
pub fn pattern(text: &str) -> Result<Pattern, String> {
    pattern::Pattern::parse(text).map(Pattern).map_err(|error| error.to_string())
}

impl Pattern {
    /// Whether a message is what it looks for.
    #[must_use]
    pub fn matches(&self, message: &str) -> bool {
        self.0.matches(message)
    }
}

/// The tokens of pages, read and written again: of `GetLogEvents` and of `FilterLogEvents`.
#[must_use]
pub fn tokens(stream: &str, text: &str) -> (Option<String>, Option<String>) {
    let page = place::parse_token(stream, text).map(|(direction, at)| place::token(stream, direction, at));
    (page, cursor::Cursor::parse(text).map(|cursor| cursor.text()))
}
