//! The one validator: member tables against values, with AWS's text.
//!
//! The sentences are those that AWS's Java services answer with, e.g.
//! `1 validation error detected: Value 'x' at 'pipeline.name' failed to satisfy
//! constraint: Member must satisfy regular expression pattern: …`. Constraints of a
//! list's or map's plain items are reported at the list (`Member must satisfy
//! constraint: […]`), those of structures inside at `list.1.member.name`.

use crate::{Kind, Mismatch, Shape};
use serde_json::Value;

/// A shown value is cut after this many characters.
const LONGEST_SHOWN_VALUE: usize = 1024;
/// No more violations than this are collected.
const MOST_VIOLATIONS: usize = 20;

/// A constraint that a value does not satisfy.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Where, e.g. `pipeline.stages.1.member.name`.
    pub path: String,
    /// The value as AWS shows it; `None` for a missing or a sensitive one.
    pub value: Option<String>,
    /// What it fails to satisfy.
    pub constraint: Constraint,
}

/// What a value can fail to satisfy.
#[derive(Debug, Clone, PartialEq)]
pub enum Constraint {
    /// A required member is absent.
    NotNull,
    /// Length below the least.
    MinimumLength(f64),
    /// Length above the most.
    MaximumLength(f64),
    /// Number below the least.
    MinimumValue(f64),
    /// Number above the most.
    MaximumValue(f64),
    /// Text that does not match.
    Pattern(&'static str),
    /// Text that is none of the values.
    Values(&'static [&'static str]),
    /// An item of a list that does not satisfy these.
    Item(Vec<Constraint>),
    /// A key of a map that does not satisfy these.
    Key(Vec<Constraint>),
    /// A value of a map that does not satisfy these.
    MapValue(Vec<Constraint>),
}

impl Constraint {
    /// AWS's words for it.
    pub fn text(&self) -> String {
        let all = |constraints: &[Self]| constraints.iter().map(Self::text).collect::<Vec<_>>().join(", ");
        match self {
            Self::NotNull => "Member must not be null".to_owned(),
            Self::MinimumLength(least) => format!("Member must have length greater than or equal to {least}"),
            Self::MaximumLength(most) => format!("Member must have length less than or equal to {most}"),
            Self::MinimumValue(least) => format!("Member must have value greater than or equal to {least}"),
            Self::MaximumValue(most) => format!("Member must have value less than or equal to {most}"),
            Self::Pattern(pattern) => format!("Member must satisfy regular expression pattern: {pattern}"),
            Self::Values(values) => format!("Member must satisfy enum value set: [{}]", values.join(", ")),
            Self::Item(constraints) => format!("Member must satisfy constraint: [{}]", all(constraints)),
            Self::Key(constraints) => format!("Map keys must satisfy constraint: [{}]", all(constraints)),
            Self::MapValue(constraints) => format!("Map value must satisfy constraint: [{}]", all(constraints)),
        }
    }
}

impl Violation {
    /// `Value 'x' at 'name' failed to satisfy constraint: …`
    pub fn text(&self) -> String {
        let value = match (&self.value, &self.constraint) {
            (_, Constraint::NotNull) => "Value null".to_owned(),
            (Some(value), _) => format!("Value '{value}'"),
            (None, _) => "Value".to_owned(),
        };
        format!("{value} at '{}' failed to satisfy constraint: {}", self.path, self.constraint.text())
    }
}

/// `2 validation errors detected: …; …`
pub fn validation_message(violations: &[Violation]) -> String {
    let texts: Vec<_> = violations.iter().map(Violation::text).collect();
    let plural = if violations.len() == 1 { "" } else { "s" };
    format!("{} validation error{plural} detected: {}", violations.len(), texts.join("; "))
}

/// The constraints of `shape` that `value`, of the right type, does not satisfy.
pub fn validate(shape: &Shape, value: &Value) -> Vec<Violation> {
    let mut violations = Vec::new();
    walk(shape, value, &Place::Top, &mut violations);
    violations
}

/// Where a value stands; only a violation makes a text of it.
enum Place<'p> {
    Top,
    Member(&'p Place<'p>, &'p str),
    /// Counted from 0.
    Item(&'p Place<'p>, usize),
    Key(&'p Place<'p>, &'p str),
}

impl Place<'_> {
    fn path(&self) -> String {
        let (outer, step) = match self {
            Self::Top => return String::new(),
            Self::Member(outer, name) => (outer, (*name).to_owned()),
            Self::Item(outer, index) => (outer, format!("{}.member", index + 1)),
            Self::Key(outer, key) => (outer, format!("{key}.member")),
        };
        let outer = outer.path();
        if outer.is_empty() { step } else { format!("{outer}.{step}") }
    }
}

fn walk(shape: &Shape, value: &Value, place: &Place<'_>, violations: &mut Vec<Violation>) {
    if violations.len() >= MOST_VIOLATIONS {
        return;
    }
    for constraint in own(shape, value) {
        violations.push(Violation { path: place.path(), value: shown(shape, value), constraint });
    }
    match (&shape.kind, value) {
        (Kind::Structure(members), Value::Object(object)) => {
            for member in *members {
                let place = Place::Member(place, member.wire);
                match object.get(member.wire).filter(|value| !value.is_null()) {
                    Some(value) => walk(member.shape, value, &place, violations),
                    None if member.required => {
                        violations.push(Violation { path: place.path(), value: None, constraint: Constraint::NotNull });
                    }
                    None => {}
                }
            }
        }
        (Kind::List { item, .. }, Value::Array(items)) if nested(item) => {
            for (index, value) in items.iter().enumerate() {
                walk(item, value, &Place::Item(place, index), violations);
            }
        }
        (Kind::Map { value: shape, .. }, Value::Object(object)) if nested(shape) => {
            for (key, value) in object {
                walk(shape, value, &Place::Key(place, key), violations);
            }
        }
        _ => {}
    }
}

/// Whether a value has a path of its own: structures, and what may hold them.
fn nested(shape: &Shape) -> bool {
    matches!(shape.kind, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. })
}

/// The constraints of the shape itself, and for lists and maps those of plain items.
fn own(shape: &Shape, value: &Value) -> Vec<Constraint> {
    let mut constraints = Vec::new();
    match value {
        Value::String(text) => {
            lengths(shape, length(shape, text), &mut constraints);
            constraints.extend(shape.mismatched_pattern(text).map(Constraint::Pattern));
            if !shape.values.is_empty() && !shape.values.contains(&text.as_str()) {
                constraints.push(Constraint::Values(shape.values));
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            constraints.extend(shape.min.filter(|least| number < *least).map(Constraint::MinimumValue));
            constraints.extend(shape.max.filter(|most| number > *most).map(Constraint::MaximumValue));
        }
        Value::Array(items) => {
            lengths(shape, items.len(), &mut constraints);
            if let Kind::List { item, .. } = &shape.kind {
                constraints.extend(first(items.iter().map(|value| plain(item, value))).map(Constraint::Item));
            }
        }
        Value::Object(members) => {
            if let Kind::Map { key, value, .. } = &shape.kind {
                lengths(shape, members.len(), &mut constraints);
                let keys = members.keys().map(|name| own(key, &Value::from(name.as_str())));
                constraints.extend(first(keys).map(Constraint::Key));
                constraints.extend(first(members.values().map(|item| plain(value, item))).map(Constraint::MapValue));
            }
        }
        _ => {}
    }
    constraints
}

fn plain(shape: &Shape, value: &Value) -> Vec<Constraint> {
    if nested(shape) { Vec::new() } else { own(shape, value) }
}

fn first(mut constraints: impl Iterator<Item = Vec<Constraint>>) -> Option<Vec<Constraint>> {
    constraints.find(|constraints| !constraints.is_empty())
}

/// Characters of text, bytes of a blob.
fn length(shape: &Shape, text: &str) -> usize {
    match shape.kind {
        // Text that is no base64 must not bring the count below nothing.
        Kind::Blob => (text.len() / 4 * 3).saturating_sub(text.bytes().rev().take_while(|byte| *byte == b'=').count()),
        _ => text.chars().count(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
fn lengths(shape: &Shape, length: usize, constraints: &mut Vec<Constraint>) {
    let length = length as f64;
    constraints.extend(shape.min.filter(|least| length < *least).map(Constraint::MinimumLength));
    constraints.extend(shape.max.filter(|most| length > *most).map(Constraint::MaximumLength));
}

/// The value as AWS's services print it: text bare, lists in brackets.
fn shown(shape: &Shape, value: &Value) -> Option<String> {
    if shape.sensitive {
        return None;
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
            format!("[{}]", items.join(", "))
        }
        other => crate::redacted(shape, other).to_string(),
    };
    Some(match text.char_indices().nth(LONGEST_SHOWN_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    })
}

/// The first value of the wrong type, if any: what AWS calls a serialization error.
pub fn mismatches(shape: &Shape, value: &Value) -> Option<Mismatch> {
    let wrong = |expected| Some(Mismatch { path: String::new(), expected });
    match (&shape.kind, value) {
        (_, Value::Null) => None,
        (Kind::String | Kind::Blob, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) => None,
        (Kind::Integer, Value::Number(number)) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => None,
        (Kind::Long, Value::Number(number)) if number.is_i64() => None,
        (Kind::Double | Kind::Timestamp, Value::Number(_)) => None,
        (Kind::List { item, .. }, Value::Array(items)) => items.iter().enumerate().find_map(|(index, value)| {
            mismatches(item, value).map(|mismatch| mismatch.inside(&format!("{}.member", index + 1)))
        }),
        (Kind::Map { value: shape, .. }, Value::Object(members)) => members.iter().find_map(|(key, value)| {
            mismatches(shape, value).map(|mismatch| mismatch.inside(&format!("{key}.member")))
        }),
        (Kind::Structure(table), Value::Object(members)) => table.iter().find_map(|member| {
            mismatches(member.shape, members.get(member.wire)?).map(|mismatch| mismatch.inside(member.wire))
        }),
        (Kind::String, _) => wrong("a string"),
        (Kind::Blob, _) => wrong("base64 text"),
        (Kind::Boolean, _) => wrong("true or false"),
        (Kind::Integer, _) => wrong("an integer of 32 bits"),
        (Kind::Long, _) => wrong("an integer of 64 bits"),
        (Kind::Double, _) => wrong("a number"),
        (Kind::Timestamp, _) => wrong("a time in epoch seconds"),
        (Kind::List { .. }, _) => wrong("a list"),
        (Kind::Map { .. } | Kind::Structure(_), _) => wrong("an object"),
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests;
