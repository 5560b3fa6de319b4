//! Members as Rust values: one conversion per Rust type, used by every structure.
//!
//! The intermediate form is [`serde_json::Value`] as awsJson writes it: timestamps
//! are epoch seconds, blobs base64. The query protocol is translated to it by the
//! member tables before.

use crate::Timestamp;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// Members by wire name.
pub type Members = Map<String, Value>;

/// A value that is not of its member's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The path to it, outermost first, empty at the top.
    pub path: String,
    /// What it should be, e.g. `a string`.
    pub expected: &'static str,
}

impl Mismatch {
    fn new(expected: &'static str) -> Self {
        Self { path: String::new(), expected }
    }

    /// The same mismatch, seen from one level further out.
    #[must_use]
    pub fn inside(mut self, step: &str) -> Self {
        self.path = if self.path.is_empty() { step.to_owned() } else { format!("{step}.{}", self.path) };
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(formatter, "the value must be {}", self.expected)
        } else {
            write!(formatter, "the value at '{}' must be {}", self.path, self.expected)
        }
    }
}

impl std::error::Error for Mismatch {}

/// A Rust type that a member can have.
pub trait Field: Sized {
    /// Reads a value that is not null.
    ///
    /// # Errors
    /// [`Mismatch`] where the value is of another type.
    fn read(value: Value) -> Result<Self, Mismatch>;
    /// The value as awsJson writes it.
    fn write(&self) -> Value;
    /// Appends the value as awsJson: the text of [`Field::write`], but for the order of members, without its tree.
    fn json(&self, out: &mut Vec<u8>) {
        append(out, &self.write());
    }
}

/// Appends a plain value as JSON.
pub(crate) fn append(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Memory takes all that is written, and these values have no keys that are no text.
    let _ = serde_json::to_writer(out, value);
}

/// Takes a member out of an object; absent and null are the same.
///
/// # Errors
/// [`Mismatch`] where it is of another type.
pub fn take<T: Field>(members: &mut Members, wire: &str) -> Result<Option<T>, Mismatch> {
    match members.remove(wire) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::read(value).map(Some).map_err(|mismatch| mismatch.inside(wire)),
    }
}

/// Puts a member that is set into an object.
pub fn put<T: Field>(members: &mut Members, wire: &str, value: Option<&T>) {
    if let Some(value) = value {
        members.insert(wire.to_owned(), value.write());
    }
}

/// Appends a member that is set to an object that was begun.
pub fn append_member<T: Field>(out: &mut Vec<u8>, wire: &str, value: Option<&T>) {
    let Some(value) = value else { return };
    separate(out, b'{');
    append(out, &wire);
    out.push(b':');
    value.json(out);
}

/// A comma, unless what follows is the first in what `open` began: no value ends with that.
fn separate(out: &mut Vec<u8>, open: u8) {
    if out.last() != Some(&open) {
        out.push(b',');
    }
}

/// The members of an object.
///
/// # Errors
/// [`Mismatch`] where the value is none.
pub fn object(value: Value) -> Result<Members, Mismatch> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(Mismatch::new("an object")),
    }
}

impl Field for String {
    fn read(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(Mismatch::new("a string")),
        }
    }

    fn write(&self) -> Value {
        Value::String(self.clone())
    }

    fn json(&self, out: &mut Vec<u8>) {
        append(out, self);
    }
}

impl Field for bool {
    fn read(value: Value) -> Result<Self, Mismatch> {
        value.as_bool().ok_or(Mismatch::new("true or false"))
    }

    fn write(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Field for i32 {
    fn read(value: Value) -> Result<Self, Mismatch> {
        value.as_i64().and_then(|number| number.try_into().ok()).ok_or(Mismatch::new("an integer of 32 bits"))
    }

    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl Field for i64 {
    fn read(value: Value) -> Result<Self, Mismatch> {
        value.as_i64().ok_or(Mismatch::new("an integer of 64 bits"))
    }

    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl Field for f64 {
    fn read(value: Value) -> Result<Self, Mismatch> {
        value.as_f64().ok_or(Mismatch::new("a number"))
    }

    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl Field for Timestamp {
    fn read(value: Value) -> Result<Self, Mismatch> {
        value.as_f64().map(Self::from_epoch_seconds).ok_or(Mismatch::new("a time in epoch seconds"))
    }

    fn write(&self) -> Value {
        Value::from(self.epoch_seconds())
    }
}

impl Field for Bytes {
    fn read(value: Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::new("base64 text"))?;
        STANDARD.decode(text).map(Self::from).map_err(|_| Mismatch::new("base64 text"))
    }

    fn write(&self) -> Value {
        Value::String(STANDARD.encode(self))
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(value: Value) -> Result<Self, Mismatch> {
        let Value::Array(items) = value else { return Err(Mismatch::new("a list")) };
        let read = |(index, item): (usize, Value)| {
            T::read(item).map_err(|mismatch| mismatch.inside(&format!("{}.member", index + 1)))
        };
        items.into_iter().filter(|item| !item.is_null()).enumerate().map(read).collect()
    }

    fn write(&self) -> Value {
        self.iter().map(Field::write).collect()
    }

    fn json(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for item in self {
            separate(out, b'[');
            item.json(out);
        }
        out.push(b']');
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn read(value: Value) -> Result<Self, Mismatch> {
        let read = |(key, value): (String, Value)| match T::read(value) {
            Ok(value) => Ok((key, value)),
            Err(mismatch) => Err(mismatch.inside(&format!("{key}.member"))),
        };
        object(value)?.into_iter().filter(|(_, value)| !value.is_null()).map(read).collect()
    }

    fn write(&self) -> Value {
        Value::Object(self.iter().map(|(key, value)| (key.clone(), value.write())).collect())
    }

    fn json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (key, value) in self {
            append_member(out, key, Some(value));
        }
        out.push(b'}');
    }
}

impl<T: Field> Field for Box<T> {
    fn read(value: Value) -> Result<Self, Mismatch> {
        T::read(value).map(Self::new)
    }

    fn write(&self) -> Value {
        T::write(self)
    }

    fn json(&self, out: &mut Vec<u8>) {
        T::json(self, out);
    }
}
