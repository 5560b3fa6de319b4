//! Patterns for any events: terms.
//!
//! `ERROR WARN`: both; `"a phrase"`: as it stands; `-INFO`: not; `?ERROR ?WARN`: one of them, if no plain term is given;
//! `%5\d\d%`: a regular expression. Case counts.

use super::PatternError;
use super::reader::Reader;
use super::regexes::Regexes;
use regex::Regex;

/// What a message must hold, and what not.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    all: Vec<Term>,
    any: Vec<Term>,
    none: Vec<Term>,
}

#[derive(Debug, Clone)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Terms {
    /// Reads terms; none match everything.
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let (mut reader, mut regexes, mut terms) = (Reader::new(text), Regexes::default(), Self::default());
        loop {
            reader.space();
            let sign = reader.peek().filter(|sign| matches!(sign, '?' | '-'));
            if let Some(sign) = sign {
                reader.take(if sign == '?' { "?" } else { "-" });
            }
            let term = match reader.peek() {
                Some('"') => Term::Text(reader.quoted()?),
                Some('%') => Term::Regex(regexes.compile(reader.between('%')?)?),
                _ => Term::Text(reader.take_while(|letter| !letter.is_whitespace()).to_owned()),
            };
            match (sign, term) {
                (Some(sign), Term::Text(text)) if text.is_empty() => return Err(PatternError::Lonely(sign)),
                (None, Term::Text(text)) if text.is_empty() => {}
                (Some('?'), term) => terms.any.push(term),
                (Some(_), term) => terms.none.push(term),
                (None, term) => terms.all.push(term),
            }
            if reader.is_empty() {
                return Ok(terms);
            }
        }
    }

    /// Whether a message matches.
    pub(super) fn match_text(&self, message: &str) -> bool {
        let has = |term: &Term| match term {
            Term::Text(text) => message.contains(text.as_str()),
            Term::Regex(regex) => regex.is_match(message),
        };
        self.all.iter().all(has)
            && !self.none.iter().any(has)
            && (!self.all.is_empty() || self.any.is_empty() || self.any.iter().any(has))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn terms_match() {
        for (pattern, message, matched) in [
            ("", "anything", true),
            ("ERROR", "[ERROR] x", true),
            ("ERROR", "[error] x", false),
            ("ERROR disk", "disk: ERROR", true),
            ("ERROR disk", "ERROR", false),
            ("\"exit status 3\"", "the exit status 3 of it", true),
            ("\"exit status 3\"", "exit status 4, 3", false),
            ("\"a \\\"b\\\"\"", "x a \"b\"", true),
            ("?ERROR ?WARN", "WARN", true),
            ("?ERROR ?WARN", "INFO", false),
            ("ERROR -retry", "ERROR retry", false),
            ("ERROR -retry", "ERROR final", true),
            ("-\"not this\"", "but not this", false),
            ("ERROR ?WARN", "ERROR", true),
            ("%5\\d\\d%", "status 503", true),
            ("%5\\d\\d%", "status 50x", false),
            ("GET -%[45]\\d\\d%", "GET 404", false),
            ("?%^A% ?%Z$%", "to Z", true),
            ("\"\" a", "a", true),
        ] {
            assert_eq!(Terms::parse(pattern).unwrap().match_text(message), matched, "{pattern} / {message}");
        }
    }

    #[test]
    fn mistakes() {
        for (pattern, error) in [
            ("é \"open", PatternError::Unclosed(3)),
            ("a %open", PatternError::Unclosed(3)),
            ("a -", PatternError::Lonely('-')),
            ("?", PatternError::Lonely('?')),
        ] {
            assert_eq!(Terms::parse(pattern).map(drop), Err(error), "{pattern}");
        }
    }
}
