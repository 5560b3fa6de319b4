//! Texts with `*`, `?` and policy variables.
//!
//! Source: "IAM policy elements: Variables and tags" and "Resource", IAM User Guide.

use super::context::{Context, Values};

/// A text to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Token>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    /// A colon of the text itself, not of a variable's value: it parts an ARN.
    Colon,
    /// `*`
    Any,
    /// `?`
    One,
}

impl Pattern {
    /// Reads a pattern; with `variables`, `${key}` stands for the key's only value, `${key, 'default'}` has a default and
    /// `${*}`, `${?}`, `${$}` are the characters. `None` where a variable has no value: then the text matches nothing.
    pub(crate) fn parse(text: &str, variables: Option<&Context>) -> Option<Self> {
        let mut tokens = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if let (Some(context), Some((name, after))) = (variables, variable(rest)) {
                tokens.extend(value(name, context)?.chars().map(Token::Char));
                rest = after;
                continue;
            }
            tokens.push(match next {
                '*' => Token::Any,
                '?' => Token::One,
                ':' => Token::Colon,
                other => Token::Char(other),
            });
            rest = &rest[next.len_utf8()..];
        }
        Some(Self(tokens))
    }

    /// The text in which `*` and `?` are themselves.
    pub(crate) fn literally(&self) -> String {
        let character = |token: &Token| match token {
            Token::Char(character) => *character,
            Token::Colon => ':',
            Token::Any => '*',
            Token::One => '?',
        };
        self.0.iter().map(character).collect()
    }

    /// Whether the whole of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        matches(&self.0, text)
    }

    /// Whether an ARN matches: part by part, since `*` does not reach over a colon, except in the last one. A pattern that is
    /// no ARN is compared as a whole.
    pub(crate) fn matches_arn(&self, arn: &str) -> bool {
        let parts: Vec<&[Token]> = self.0.splitn(6, |token| *token == Token::Colon).collect();
        let actual: Vec<&str> = arn.splitn(6, ':').collect();
        match (parts.len(), actual.len()) {
            (6, 6) => parts.iter().zip(actual).all(|(part, text)| matches(part, text)),
            (6, _) => false,
            _ => self.matches(arn),
        }
    }
}

/// The name in `${name}` and what follows it.
fn variable(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("${")?.split_once('}')
}

fn value(name: &str, context: &Context) -> Option<String> {
    if matches!(name, "*" | "?" | "$") {
        return Some(name.to_owned());
    }
    let (key, default) = name.split_once(',').map_or((name, None), |(key, default)| (key, Some(default.trim())));
    match context.get(key.trim()) {
        Values::Present([only]) => Some(only.clone()),
        // A key of many values cannot stand in a text.
        _ => default.and_then(|text| text.strip_prefix('\'')?.strip_suffix('\'')).map(str::to_owned),
    }
}

/// Goes back to the last `*` where a character does not fit: at most pattern × text steps.
fn matches(pattern: &[Token], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut next) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while next < text.len() {
        let fits = pattern.get(at).is_some_and(|token| match token {
            Token::Char(character) => *character == text[next],
            Token::Colon => text[next] == ':',
            Token::One => true,
            Token::Any => false,
        });
        if fits {
            (at, next) = (at + 1, next + 1);
        } else if pattern.get(at) == Some(&Token::Any) {
            star = Some((at, next));
            at += 1;
        } else if let Some((position, reached)) = star {
            star = Some((position, reached + 1));
            (at, next) = (position + 1, reached + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|token| *token == Token::Any)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "ab", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("a**", "a", true),
            ("ü?", "üé", true),
        ] {
            assert_eq!(Pattern::parse(pattern, None).unwrap().matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn arns_are_matched_part_by_part() {
        let project = "arn:aws:codebuild:us-east-1:111111111111:project/app";
        let group = "arn:aws:logs:us-east-1:111111111111:log-group:/app:log-stream:a";
        for (pattern, arn, expected) in [
            ("*", project, true),
            ("*", "*", true),
            ("arn:aws:codebuild:*:*:project/*", project, true),
            ("arn:aws:codebuild:*:111111111111:*", project, true),
            ("arn:aws:codebuild:*:project/app", project, true),
            ("arn:*:project/app", project, true),
            ("arn:aws:codebuild:us-east-1:*:other/*", project, false),
            ("arn:aws:codebuild:us-*:*:project/app:x", project, false),
            ("arn:aws:logs:*:*:log-group:/app:*", group, true),
            ("arn:aws:s3:::b*", "arn:aws:s3:::bucket/key:with:colons", true),
            ("arn:aws:s3:::*", "*", false),
        ] {
            assert_eq!(Pattern::parse(pattern, None).unwrap().matches_arn(arn), expected, "{pattern} {arn}");
        }
    }

    #[test]
    fn a_star_does_not_reach_into_another_account() {
        let pattern = Pattern::parse("arn:aws:iam:*:111111111111:role/a", None).unwrap();
        assert!(!pattern.matches_arn("arn:aws:iam::222222222222:role/x:111111111111:role/a"));
    }

    #[test]
    fn variables_and_their_defaults() {
        let context = Context::default().with("aws:username", ["j*"]).with("aws:tagkeys", ["a", "b"]);
        for (text, literally) in [
            ("home/${aws:username}", Some("home/j*")),
            ("${AWS:UserName}", Some("j*")),
            ("${aws:principaltag/team, 'none'}", Some("none")),
            ("${aws:principaltag/team}", None),
            ("${aws:tagkeys}", None),
            ("${*}${?}${$}", Some("*?$")),
            ("${unclosed", Some("${unclosed")),
            ("$x", Some("$x")),
        ] {
            let pattern = Pattern::parse(text, Some(&context));
            assert_eq!(pattern.map(|pattern| pattern.literally()).as_deref(), literally, "{text}");
        }
        let home = Pattern::parse("${aws:username}/?", Some(&context)).unwrap();
        assert!(home.matches("j*/a") && !home.matches("joe/a"), "a value's star is no wildcard");
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_what_a_star_makes_of_it(text in "[a-z:/]{0,20}", at in 0_usize..20) {
            let at = at.min(text.len());
            let starred = format!("{}*{}", &text[..at], &text[at..]);
            prop_assert!(Pattern::parse(&text, None).unwrap().matches(&text));
            prop_assert!(Pattern::parse(&starred, None).unwrap().matches(&text));
            prop_assert_eq!(Pattern::parse(&text, None).unwrap().literally(), text);
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,40}", actual in "\\PC{0,40}") {
            let context = Context::default();
            if let Some(pattern) = Pattern::parse(&text, Some(&context)) {
                let _ = (pattern.matches(&actual), pattern.matches_arn(&actual));
            }
        }
    }
}
