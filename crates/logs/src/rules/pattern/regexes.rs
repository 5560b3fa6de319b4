//! Regular expressions: `%…%`, in the part of their language that CloudWatch Logs has.

use super::PatternError;
use regex::{Regex, RegexBuilder};

/// Most of them in one pattern.
const MOST: usize = 2;
/// Most bytes that one takes up when it is compiled.
const COMPILED_BYTES: usize = 1024 * 1024;

/// Counts the regular expressions of a pattern and compiles them.
#[derive(Debug, Default)]
pub(super) struct Regexes(usize);

impl Regexes {
    /// Compiles one. Groups are not in the language: they need captures, which CloudWatch Logs does not have.
    pub(super) fn compile(&mut self, text: &str) -> Result<Regex, PatternError> {
        self.0 += 1;
        if self.0 > MOST {
            return Err(PatternError::ManyRegexes(MOST));
        }
        let mut escaped = false;
        for sign in text.chars() {
            if !escaped && matches!(sign, '(' | ')') {
                return Err(PatternError::RegexSign(text.to_owned(), sign));
            }
            escaped = sign == '\\' && !escaped;
        }
        let compiled = RegexBuilder::new(text).size_limit(COMPILED_BYTES).dfa_size_limit(COMPILED_BYTES).build();
        compiled.map_err(|_| PatternError::Regex(text.to_owned()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_language() {
        for (regex, text, matched) in [
            ("AUTHORIZED", "UNAUTHORIZED", true),
            ("^AUTHORIZED", "UNAUTHORIZED", false),
            (r"\d{3}", "code 404", true),
            ("[1-9]|x$", "ax", true),
            (r"127\.0\.0\.[1-9]", "127.0.0.1", true),
            (r"a\(b\)", "a(b)", true),
        ] {
            assert_eq!(Regexes::default().compile(regex).unwrap().is_match(text), matched, "{regex}");
        }
    }

    #[test]
    fn what_is_not_in_it() {
        let error = |text: &str| Regexes::default().compile(text).map(drop).unwrap_err();
        assert_eq!(error("a(b)"), PatternError::RegexSign("a(b)".into(), '('));
        assert_eq!(error("["), PatternError::Regex("[".into()));
        let huge = r"\w{900}".repeat(30);
        assert_eq!(error(&huge), PatternError::Regex(huge));
        let mut three = Regexes::default();
        assert!(three.compile("a").is_ok() && three.compile("b").is_ok());
        assert_eq!(three.compile("c").map(drop), Err(PatternError::ManyRegexes(2)));
    }
}
