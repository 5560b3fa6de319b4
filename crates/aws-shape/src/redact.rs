//! Values for debug output, without what the model calls sensitive.

use crate::{Kind, Shape};
use serde_json::Value;

/// A copy of `value` in which sensitive members read `***`.
pub fn redacted(shape: &Shape, value: &Value) -> Value {
    if shape.sensitive {
        return Value::from("***");
    }
    match (&shape.kind, value) {
        (Kind::Structure(members), Value::Object(object)) => members
            .iter()
            .filter_map(|member| Some((member.wire.to_owned(), redacted(member.shape, object.get(member.wire)?))))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        (Kind::List { item, .. }, Value::Array(items)) => items.iter().map(|value| redacted(item, value)).collect(),
        (Kind::Map { value: shape, .. }, Value::Object(object)) => object
            .iter()
            .map(|(key, value)| (key.clone(), redacted(shape, value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        (Kind::Blob, Value::String(text)) => Value::from(format!("{} base64 characters", text.len())),
        _ => value.clone(),
    }
}
