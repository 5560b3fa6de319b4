//! What a field is compared with: text with wildcards, a number, a regular expression.

use super::PatternError;
use super::reader::Reader;
use super::regexes::Regexes;
use regex::Regex;
use std::cmp::Ordering;

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// With what.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// As it was written, and as a number where it is one.
    Number(String, f64),
    /// `*` stands for any text.
    Text(String),
    Regex(Regex),
}

/// A comparison: what stands behind a field's name.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    pub(super) operator: Operator,
    pub(super) operand: Operand,
}

impl Operator {
    /// The operator that is next, if one is.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        const SIGNS: [(&str, Operator); 6] = [
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("=", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        SIGNS.into_iter().find(|(sign, _)| reader.take(sign)).map(|(_, operator)| operator)
    }

    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl Comparison {
    /// Reads operator and operand; `ends` says which characters end a bare word.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        regexes: &mut Regexes,
        ends: fn(char) -> bool,
    ) -> Result<Self, PatternError> {
        let operator = Operator::read(reader).ok_or_else(|| reader.expected("an operator such as = or >="))?;
        reader.space();
        let operand = match reader.peek() {
            Some('"') => Operand::Text(reader.quoted()?),
            Some('%') => Operand::Regex(regexes.compile(reader.between('%')?)?),
            _ => {
                let word = reader.take_while(|letter| !ends(letter)).trim_end();
                match word.parse::<f64>() {
                    _ if word.is_empty() => return Err(reader.expected("a value")),
                    Ok(number) if number.is_finite() => Operand::Number(word.to_owned(), number),
                    _ => Operand::Text(word.to_owned()),
                }
            }
        };
        let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
        match operand {
            Operand::Number(..) => {}
            _ if ordered => return Err(reader.expected("a number, because of the operator before it")),
            _ => {}
        }
        Ok(Self { operator, operand })
    }

    /// Whether it holds for a text.
    pub(super) fn holds_for_text(&self, text: &str) -> bool {
        let equal = match &self.operand {
            Operand::Number(_, number) if !text.is_empty() => {
                let order = text.parse::<f64>().ok().and_then(|value| value.partial_cmp(number));
                return self.operator.holds(order);
            }
            Operand::Number(written, _) => text == written,
            Operand::Text(pattern) => like(pattern, text),
            Operand::Regex(regex) => regex.is_match(text),
        };
        (self.operator == Operator::NotEqual) != equal
    }

    /// Whether it holds for a number.
    pub(super) fn holds_for_number(&self, value: f64, written: &str) -> bool {
        match &self.operand {
            Operand::Number(_, number) => self.operator.holds(value.partial_cmp(number)),
            _ => self.holds_for_text(written),
        }
    }
}

/// Whether a text is as a pattern in which `*` stands for any text.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(begin) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    // `split` gives at least one part.
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place leaves the most for what follows.
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn comparison(text: &str) -> Result<Comparison, PatternError> {
        Comparison::read(&mut Reader::new(text), &mut Regexes::default(), char::is_whitespace)
    }

    #[test]
    fn texts() {
        for (comparison_text, text, holds) in [
            ("= abc", "abc", true),
            ("= abc", "abcd", false),
            ("= \"a b\"", "a b", true),
            ("!= abc", "abd", true),
            ("!= a*", "abd", false),
            ("= *.html*", "GET /x.html HTTP", true),
            ("= 4*", "404", true),
            ("= %^4\\d+$%", "404", true),
            ("!= %4%", "404", false),
            ("= 404", "404.0", true),
            ("> 400", "404", true),
            ("> 400", "x", false),
            ("!= 400", "x", true),
            ("<= 1e3", "1000", true),
            (">= 1000", "999", false),
            ("< -1", "-2", true),
        ] {
            assert_eq!(comparison(comparison_text).unwrap().holds_for_text(text), holds, "{comparison_text} / {text}");
        }
    }

    #[test]
    fn numbers() {
        for (text, value, holds) in
            [("= 5", 5.0, true), ("> 5", 5.0, false), ("!= 5", 6.0, true), ("= 5*", 50.0, true), ("= \"5\"", 5.0, true)]
        {
            assert_eq!(comparison(text).unwrap().holds_for_number(value, &value.to_string()), holds, "{text} {value}");
        }
    }

    #[test]
    fn mistakes() {
        for (text, at) in [("abc", 1), ("= ", 3), ("> abc", 6), ("< \"1\"", 6)] {
            assert!(matches!(comparison(text), Err(PatternError::Expected { at: found, .. }) if found == at), "{text}");
        }
    }

    proptest! {
        #[test]
        fn wildcards_match_as_a_regular_expression_does(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            let regex = Regex::new(&format!("^(?:{})$", pattern.replace('*', ".*"))).unwrap();
            prop_assert_eq!(like(&pattern, &text), regex.is_match(&text));
        }
    }
}
