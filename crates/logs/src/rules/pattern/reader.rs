//! Reads a pattern sign by sign, and says where something else should stand.

use super::PatternError;

/// The rest of a pattern.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'t> {
    whole: &'t str,
    rest: &'t str,
}

impl<'t> Reader<'t> {
    pub(super) fn new(whole: &'t str) -> Self {
        Self { whole, rest: whole }
    }

    pub(super) fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Whether this is next.
    pub(super) fn sees(&self, text: &str) -> bool {
        self.rest.starts_with(text)
    }

    /// Passes over this, behind any space, if it is next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Passes over a word in any case, if it is next and ends there.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        self.space();
        let found = self.rest.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word))
            && !self.rest[word.len()..].starts_with(char::is_alphanumeric);
        if found {
            self.rest = &self.rest[word.len()..];
        }
        found
    }

    /// Passes over this, which must be next.
    pub(super) fn must(&mut self, text: &str, wanted: &'static str) -> Result<(), PatternError> {
        if self.take(text) { Ok(()) } else { Err(self.expected(wanted)) }
    }

    /// All characters up to the first that does not fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|letter| !fits(letter)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// The text in quotation marks that is next; `\` takes the next character as it is.
    pub(super) fn quoted(&mut self) -> Result<String, PatternError> {
        let at = self.at();
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((place, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[place + 1..];
                    return Ok(text);
                }
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                other => text.push(other),
            }
        }
        Err(PatternError::Unclosed(at))
    }

    /// What is between two signs, of which the first is next; `\` keeps the second from ending it, and stays.
    pub(super) fn between(&mut self, sign: char) -> Result<&'t str, PatternError> {
        let at = self.at();
        let inner = &self.rest[sign.len_utf8()..];
        let mut escaped = false;
        for (place, character) in inner.char_indices() {
            if character == sign && !escaped {
                self.rest = &inner[place + sign.len_utf8()..];
                return Ok(&inner[..place]);
            }
            escaped = character == '\\' && !escaped;
        }
        Err(PatternError::Unclosed(at))
    }

    /// That something else should stand here.
    pub(super) fn expected(&self, wanted: &'static str) -> PatternError {
        PatternError::Expected { at: self.at(), wanted }
    }

    /// The number of the next character, from 1.
    fn at(&self) -> usize {
        self.whole.chars().count() - self.rest.chars().count() + 1
    }
}
