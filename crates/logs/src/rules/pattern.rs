//! Filter patterns for unstructured events: terms.
//!
//! `ERROR WARN`: both; `"a phrase"`: as it stands; `-INFO`: not; `?ERROR ?WARN`: one of them, if no plain term is given.
//! Case counts. Patterns for JSON (`{ … }`), columns (`[ … ]`) and regular expressions (`%…%`) are not served, and say so.
//!
//! Source: "Filter pattern syntax", Amazon CloudWatch Logs User Guide.

/// A parsed pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

/// Why a pattern is refused; the text of `InvalidParameterException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("Invalid filter pattern: the quotation mark at character {0} is never closed")]
    Unclosed(usize),
    #[error("Invalid filter pattern: '{0}' stands before no term")]
    Lonely(char),
    #[error("Patterns for {0} are not served yet; give terms, for example: ERROR \"exit status\" -DEBUG")]
    NotServed(&'static str),
}

impl Pattern {
    /// Reads a pattern; the empty one matches everything.
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        match text.chars().next() {
            Some('{') => return Err(PatternError::NotServed("JSON events")),
            Some('[') => return Err(PatternError::NotServed("space-delimited events")),
            Some('%') => return Err(PatternError::NotServed("regular expressions")),
            _ => {}
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (sign, behind) = match first {
                '?' | '-' => (Some(first), &rest[1..]),
                _ => (None, rest),
            };
            let (term, behind) = term(behind, text)?;
            match (sign, term.is_empty()) {
                (Some(sign), true) => return Err(PatternError::Lonely(sign)),
                (_, true) => {}
                (Some('?'), _) => pattern.any.push(term),
                (Some(_), _) => pattern.none.push(term),
                (None, _) => pattern.all.push(term),
            }
            rest = behind.trim_start();
        }
        Ok(pattern)
    }

    /// Whether a message matches.
    pub(crate) fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has)
            && !self.none.iter().any(has)
            && (!self.all.is_empty() || self.any.is_empty() || self.any.iter().any(has))
    }
}

/// The term or quoted phrase at the beginning of `rest`, which is the end of `whole`.
fn term<'t>(rest: &'t str, whole: &str) -> Result<(String, &'t str), PatternError> {
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        return Ok((rest[..end].to_owned(), &rest[end..]));
    };
    let mut phrase = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((phrase, &quoted[at + 1..])),
            '\\' => phrase.extend(characters.next().map(|(_, escaped)| escaped)),
            other => phrase.push(other),
        }
    }
    Err(PatternError::Unclosed(whole.chars().count() - rest.chars().count() + 1))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(message), matched, "{pattern} / {message}");
        }
    }

    #[test]
    fn what_is_not_served_is_said() {
        for (pattern, error) in [
            ("{ $.level = \"ERROR\" }", PatternError::NotServed("JSON events")),
            ("[ip, user]", PatternError::NotServed("space-delimited events")),
            ("%a+%", PatternError::NotServed("regular expressions")),
            ("é \"open", PatternError::Unclosed(3)),
            ("a -", PatternError::Lonely('-')),
        ] {
            assert_eq!(Pattern::parse(pattern), Err(error), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_text_may_be_tried(text in "\\PC{0,40}") {
            let _ = Pattern::parse(&text).map(|pattern| pattern.matches(&text));
        }
    }
}
