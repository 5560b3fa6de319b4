//! Filter patterns: which events a search, or a live tail, is for.
//!
//! Terms (`ERROR -"not this"`, [`terms`]), fields of JSON events (`{ $.level = "ERROR" }`, [`json`]) or columns of
//! events that are divided by spaces (`[ip, user, status = 5*]`, [`columns`]); and in each, regular expressions
//! (`%5\d\d%`, [`regexes`]).
//!
//! Source: "Filter pattern syntax", Amazon CloudWatch Logs User Guide.

mod columns;
mod compare;
mod json;
mod reader;
mod regexes;
mod terms;

use columns::Columns;
use json::Condition;
use terms::Terms;

/// A parsed pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Terms(Terms),
    Json(Condition),
    Columns(Columns),
}

/// Why a pattern is refused; the text of `InvalidParameterException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("Invalid filter pattern: the quotation mark at character {0} is never closed")]
    Unclosed(usize),
    #[error("Invalid filter pattern: '{0}' stands before no term")]
    Lonely(char),
    #[error("Invalid filter pattern: at character {at} there should be {wanted}")]
    Expected { at: usize, wanted: &'static str },
    #[error("Invalid filter pattern: it is nested too deeply")]
    Deep,
    #[error("Invalid filter pattern: a pattern may hold at most {0} regular expressions")]
    ManyRegexes(usize),
    #[error("Invalid filter pattern: in the regular expression '{0}', '{1}' is not supported")]
    RegexSign(String, char),
    #[error("Invalid filter pattern: '{0}' is not a regular expression")]
    Regex(String),
}

impl Pattern {
    /// Reads a pattern; the empty one matches everything.
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        let kind = match text.chars().next() {
            Some('{') => json::parse(text).map(Kind::Json),
            Some('[') => columns::parse(text).map(Kind::Columns),
            _ => Terms::parse(text).map(Kind::Terms),
        };
        kind.map(Self)
    }

    /// Whether a message matches.
    pub(crate) fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::Terms(terms) => terms.match_text(message),
            Kind::Json(condition) => serde_json::from_str(message).is_ok_and(|event| condition.holds(&event)),
            Kind::Columns(columns) => columns.match_text(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_may_be_tried(text in "\\PC{0,40}", message in "\\PC{0,40}") {
            let _ = Pattern::parse(&text).map(|pattern| pattern.matches(&message));
        }

        #[test]
        fn any_row_of_signs_may_be_tried(
            text in "[\\{\\[][ $.\\[\\]*=!<>&|()a1\"%,-]{0,30}[\\}\\]]",
            message in "[ \\{\\}\\[\\]a1\":,]{0,30}",
        ) {
            let _ = Pattern::parse(&text).map(|pattern| pattern.matches(&message));
        }
    }

    #[test]
    fn however_deep_a_pattern_is_it_is_read_or_refused() {
        let nested = format!("{{ {}$.a = 1{} }}", "(".repeat(500), ")".repeat(500));
        assert_eq!(Pattern::parse(&nested).map(drop), Err(PatternError::Deep));
        let row = format!("{{ {} $.a = 1 }}", "$.a = 1 && ".repeat(90));
        assert!(Pattern::parse(&row).is_ok_and(|pattern| pattern.matches("{\"a\": 1}")));
    }
}
