//! A buildspec as a tree of nodes that keeps each scalar as its author wrote it.
//!
//! YAML reads `python: 3.10` as the number 3.1 and `DEBUG: no` as false; CodeBuild sees the text. So plain
//! scalars are cut from the source by their span instead of being converted.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

#[cfg(test)]
pub(crate) mod written;

/// The largest buildspec that is parsed, in bytes.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;
/// How deep collections may nest; real buildspecs stay below ten.
const MAX_DEPTH: usize = 32;
/// How many values a buildspec may have, those of aliases counted each time; real ones stay below a thousand.
const MAX_NODES: usize = 20_000;

/// What is wrong with a buildspec and where; the message of phase context `YAML_FILE_ERROR`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", place(*.line, *.column))]
pub struct YamlError {
    /// What was wrong, and what would be right.
    pub message: String,
    /// The line, counted from 1; 0 where no place is to blame.
    pub line: u64,
    /// The column, counted from 1; 0 where no place is to blame.
    pub column: u64,
}

fn place(line: u64, column: u64) -> String {
    if line == 0 { String::new() } else { format!(" at line {line}, column {column}") }
}

impl YamlError {
    /// An error that no single place is to blame for.
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: 0, column: 0 }
    }
}

/// A node and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Located {
    pub(crate) node: Node,
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// An empty value, `null` or `~`.
    Null,
    /// A scalar, as written.
    Scalar(String),
    /// A sequence.
    List(Vec<Located>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Located)>),
}

impl Located {
    /// An error at this node.
    pub(crate) fn error(&self, message: impl Into<String>) -> YamlError {
        YamlError { message: message.into(), line: self.line, column: self.column }
    }

    /// The value of a key, where this is a mapping that has it with a value that is not null.
    pub(crate) fn get(&self, key: &str) -> Option<&Located> {
        self.entries()
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
            .filter(|value| value.node != Node::Null)
    }

    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[(String, Located)] {
        match &self.node {
            Node::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entries of what must be a mapping (or empty).
    pub(crate) fn map(&self, what: &str) -> Result<&[(String, Located)], YamlError> {
        match &self.node {
            Node::Map(entries) => Ok(entries),
            Node::Null => Ok(&[]),
            _ => Err(self.error(format!("Expected {what} to be a mapping"))),
        }
    }

    /// The text of what must be a scalar; empty for null.
    pub(crate) fn text(&self, what: &str) -> Result<String, YamlError> {
        match &self.node {
            Node::Scalar(text) => Ok(text.clone()),
            Node::Null => Ok(String::new()),
            Node::List(_) => Err(self.error(format!("Expected {what} to be of string type: found a list instead"))),
            Node::Map(_) => Err(self.error(format!("Expected {what} to be of string type: found subkeys instead"))),
        }
    }

    /// The texts of a list, of a lone scalar, or of nothing. AWS accepts all three where it documents a list.
    pub(crate) fn texts(&self, what: &str) -> Result<Vec<String>, YamlError> {
        match &self.node {
            Node::Null => Ok(Vec::new()),
            Node::List(items) => {
                items.iter().enumerate().map(|(at, item)| item.text(&format!("{what}[{at}]"))).collect()
            }
            _ => Ok(vec![self.text(what)?]),
        }
    }

    /// A `yes`/`no` of buildspec (also `true`/`false`), whatever its case.
    pub(crate) fn flag(&self, what: &str) -> Result<bool, YamlError> {
        match self.text(what)?.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "y" => Ok(true),
            "" | "no" | "false" | "off" | "n" => Ok(false),
            other => Err(self.error(format!("Expected {what} to be yes or no: found {other}"))),
        }
    }
}

/// Reads one YAML (or JSON) document.
pub(crate) fn parse(source: &str) -> Result<Located, YamlError> {
    if source.len() > MAX_BYTES {
        return Err(YamlError::general(format!("YAML file is larger than {MAX_BYTES} bytes")));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES, max_events: 4 * MAX_NODES },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
        with_snippet: false,
    };
    let raw: Spanned<Raw> =
        serde_saphyr::from_str_with_options(source, options).map_err(|error| parser_error(&error))?;
    Ok(locate(raw, source))
}

fn parser_error(error: &serde_saphyr::Error) -> YamlError {
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    YamlError { message: parser_message(error.without_snippet()), line, column }
}

/// The parser's words, without its own place and without advice for who calls it.
fn parser_message(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error as Parser;
    match error {
        Parser::Budget { .. }
        | Parser::AliasReplayLimitExceeded { .. }
        | Parser::AliasExpansionLimitExceeded { .. } => {
            format!("YAML file has more than {MAX_NODES} values or nests deeper than {MAX_DEPTH} levels")
        }
        Parser::DuplicateMappingKey { key, .. } => {
            format!("duplicate mapping key: {}", key.as_deref().unwrap_or("(not a scalar)"))
        }
        other => {
            let text = other.to_string();
            let message = text.strip_prefix("error: ").unwrap_or(&text);
            message.split_once(" at line ").map_or(message, |(before, _)| before).trim().to_owned()
        }
    }
}

/// A node as the deserializer gives it: converted scalars carry no text yet.
enum Raw {
    Null,
    Text(String),
    Converted,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(String, Spanned<Raw>)>),
}

fn locate(raw: Spanned<Raw>, source: &str) -> Located {
    let (line, column) = (raw.referenced.line(), raw.referenced.column());
    let node = match raw.value {
        Raw::Null => Node::Null,
        Raw::Text(text) => Node::Scalar(text),
        Raw::Converted => Node::Scalar(written(raw.defined.span(), source)),
        Raw::List(items) => Node::List(items.into_iter().map(|item| locate(item, source)).collect()),
        Raw::Map(entries) => Node::Map(entries.into_iter().map(|(key, value)| (key, locate(value, source))).collect()),
    };
    Located { node, line, column }
}

fn written(span: serde_saphyr::Span, source: &str) -> String {
    let range = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
        let start = usize::try_from(start).ok()?;
        Some(start..start.checked_add(usize::try_from(length).ok()?)?)
    });
    range.and_then(|range| source.get(range)).unwrap_or_default().trim().to_owned()
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Converted)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Converted)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Converted)
    }
    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Converted)
    }
    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Converted)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Converted)
    }
    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_keep_their_text() {
        let tree =
            parse("é: ü\npython: 3.10\nbig: 0x1F\nno: NO\nday: 2024-01-02\nquoted: \"a\\nb\"\nempty:\n~tilde: ~\n")
                .unwrap();
        for (key, text) in
            [("python", "3.10"), ("big", "0x1F"), ("no", "NO"), ("day", "2024-01-02"), ("quoted", "a\nb"), ("é", "ü")]
        {
            assert_eq!(tree.get(key).unwrap().text(key).unwrap(), text, "{key}");
        }
        assert!(tree.get("empty").is_none());
        assert_eq!(tree.entries().len(), 8);
    }

    #[test]
    fn aliases_and_json_read_alike() {
        let tree = parse("a: &x [1, 2.50]\nb: *x\n").unwrap();
        assert_eq!(tree.get("b").unwrap().texts("b").unwrap(), ["1", "2.50"]);
        let tree = parse("{\n  \"version\": \"0.2\",\n  \"n\": [1.0, true, null]\n}").unwrap();
        assert_eq!(tree.get("n").unwrap().texts("n").unwrap(), ["1.0", "true", ""]);
    }

    #[test]
    fn block_scalars_keep_their_lines() {
        let tree = parse("c:\n  - |\n    if true; then\n      echo a\n    fi\n  - >-\n    one\n    two\n").unwrap();
        assert_eq!(tree.get("c").unwrap().texts("c").unwrap(), ["if true; then\n  echo a\nfi\n", "one two"]);
    }

    #[test]
    fn errors_say_where() {
        for (source, line) in [
            ("a: b: c\n", 1),
            ("version: 0.2\nphases:\n\tbuild: x\n", 3),
            ("a: 1\na: 2\n", 2),
            ("a: [1, 2\nb: 3\n", 2),
            ("a: *nothing\n", 1),
        ] {
            let error = parse(source).unwrap_err();
            assert_eq!(error.line, line, "{source:?}: {error}");
            assert!(error.column > 0 && !error.message.is_empty());
            assert!(error.to_string().ends_with(&format!("at line {line}, column {}", error.column)), "{error}");
        }
    }

    #[test]
    fn errors_speak_of_the_file_and_not_of_the_parser() {
        assert_eq!(parse("a: 1\na: 2\n").unwrap_err().to_string(), "duplicate mapping key: a at line 2, column 1");
        let many = "- x\n".repeat(MAX_NODES + 1);
        assert!(parse(&many).unwrap_err().message.starts_with("YAML file has more than 20000 values"));
    }

    #[test]
    fn hostile_input_is_refused() {
        assert!(parse(&"[".repeat(200)).is_err());
        assert!(parse(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_err());
        let bomb = format!(
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n{}",
            (0..9)
                .map(|n| {
                    let (this, last) = ((b'b' + n) as char, (b'a' + n) as char);
                    format!("{this}: &{this} [{}]\n", vec![format!("*{last}"); 10].join(","))
                })
                .collect::<String>()
        );
        assert!(parse(&bomb).is_err());
        assert!(parse(&"a".repeat(MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn flags() {
        let tree = parse("a: yes\nb: No\nc: true\nd: maybe\n").unwrap();
        let flag = |key| tree.get(key).unwrap().flag(key);
        assert!(flag("a").unwrap() && !flag("b").unwrap() && flag("c").unwrap());
        assert_eq!(flag("d").unwrap_err().to_string(), "Expected d to be yes or no: found maybe at line 4, column 4");
    }
}
