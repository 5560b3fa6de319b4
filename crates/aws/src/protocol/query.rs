//! AWS query: form fields in, XML out.
//!
//! Lists are `Names.member.1=a`, flattened ones `Name.1=a`; maps
//! `Tags.entry.1.key=k&Tags.entry.1.value=v`; structures `Outer.Inner=v`; an empty
//! list is `Names=`.

use super::Reply;
use super::xml::Writer;
use crate::{Error, Operation, Shape};
use aws_shape::Kind;
use kernel::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Form fields by name.
pub type Form = BTreeMap<String, String>;

/// No list or map of a request has more items.
const MOST_ITEMS: usize = 10_000;

/// The input value of a request's form fields.
///
/// # Errors
/// `MalformedInput` where a field's text is not of its member's type.
pub fn decode(shape: &Shape, form: &Form) -> Result<Value, Error> {
    Ok(read(shape, form, "")?.unwrap_or_else(|| json!({})))
}

fn read(shape: &Shape, form: &Form, name: &str) -> Result<Option<Value>, Error> {
    match &shape.kind {
        Kind::Structure(members) => {
            let mut object = Map::new();
            for member in *members {
                if let Some(value) = read(member.shape, form, &join(name, member.wire))? {
                    object.insert(member.wire.to_owned(), value);
                }
            }
            Ok((!object.is_empty() || name.is_empty()).then_some(Value::Object(object)))
        }
        Kind::List { item, wire, flattened } => {
            let prefix = if *flattened { name.to_owned() } else { join(name, wire) };
            let items = numbered(form, &prefix, |name| read(item, form, name))?;
            let empty = form.get(name).is_some_and(String::is_empty);
            Ok((!items.is_empty() || empty).then_some(Value::Array(items)))
        }
        Kind::Map { key, value, key_wire, value_wire, flattened } => {
            let prefix = if *flattened { name.to_owned() } else { join(name, "entry") };
            let mut object = Map::new();
            numbered(form, &prefix, |name| {
                let Some(Value::String(key)) = read(key, form, &join(name, key_wire))? else { return Ok(None) };
                object.insert(key, read(value, form, &join(name, value_wire))?.unwrap_or_default());
                Ok(Some(Value::Null))
            })?;
            Ok((!object.is_empty()).then_some(Value::Object(object)))
        }
        kind => form.get(name).map(|text| scalar(kind, name, text)).transpose(),
    }
}

fn join(name: &str, step: &str) -> String {
    if name.is_empty() { step.to_owned() } else { format!("{name}.{step}") }
}

/// The items `prefix.1`, `prefix.2`, … as far as they go.
fn numbered(
    form: &Form,
    prefix: &str,
    mut item: impl FnMut(&str) -> Result<Option<Value>, Error>,
) -> Result<Vec<Value>, Error> {
    let mut items = Vec::new();
    while items.len() < MOST_ITEMS {
        let name = format!("{prefix}.{}", items.len() + 1);
        let inside = format!("{name}.");
        let given = form.contains_key(&name)
            || form.range(inside.clone()..).next().is_some_and(|(key, _)| key.starts_with(&inside));
        let Some(value) = given.then(|| item(&name)).transpose()?.flatten() else { break };
        items.push(value);
    }
    Ok(items)
}

fn scalar(kind: &Kind, name: &str, text: &str) -> Result<Value, Error> {
    let wrong =
        |expected: &str| Error::new("MalformedInput", format!("The value '{text}' at '{name}' must be {expected}"));
    match kind {
        Kind::Boolean => text.parse::<bool>().map(Value::from).map_err(|_| wrong("true or false")),
        Kind::Integer => text.parse::<i32>().map(Value::from).map_err(|_| wrong("an integer of 32 bits")),
        Kind::Long => text.parse::<i64>().map(Value::from).map_err(|_| wrong("an integer of 64 bits")),
        Kind::Double => text.parse::<f64>().map(Value::from).map_err(|_| wrong("a number")),
        Kind::Timestamp => match Timestamp::parse_iso8601(text) {
            Ok(time) => Ok(Value::from(time.epoch_seconds())),
            Err(_) => Err(wrong("a time like 2026-11-22T21:05:03Z")),
        },
        _ => Ok(Value::from(text)),
    }
}

/// The reply of a call that succeeded.
#[must_use]
pub fn encode(operation: &Operation, namespace: &str, output: &Value, request_id: &str) -> Reply {
    let mut writer = Writer::new();
    let response = format!("{}Response", operation.name);
    writer.open_with_namespace(&response, namespace);
    if operation.has_output {
        let wrapper = if operation.result_wrapper.is_empty() { None } else { Some(operation.result_wrapper) };
        if let Some(wrapper) = wrapper {
            writer.open(wrapper);
        }
        members(&mut writer, operation.output, output);
        if let Some(wrapper) = wrapper {
            writer.close(wrapper);
        }
    }
    writer.open("ResponseMetadata");
    writer.text("RequestId", request_id);
    writer.close("ResponseMetadata");
    writer.close(&response);
    Reply { status: 200, content_type: "text/xml".to_owned(), error_type: None, body: writer.finish() }
}

/// The reply of a call that failed.
#[must_use]
pub fn error(namespace: &str, error: &Error, request_id: &str) -> Reply {
    let mut writer = Writer::new();
    writer.open_with_namespace("ErrorResponse", namespace);
    writer.open("Error");
    writer.text("Type", if error.status < 500 { "Sender" } else { "Receiver" });
    writer.text("Code", &error.code);
    writer.text("Message", &error.message);
    writer.close("Error");
    writer.text("RequestId", request_id);
    writer.close("ErrorResponse");
    Reply {
        status: error.status,
        content_type: "text/xml".to_owned(),
        error_type: Some(error.code.clone()),
        body: writer.finish(),
    }
}

fn members(writer: &mut Writer, shape: &Shape, value: &Value) {
    let (Kind::Structure(table), Value::Object(object)) = (&shape.kind, value) else { return };
    for member in *table {
        if let Some(value) = object.get(member.wire).filter(|value| !value.is_null()) {
            element(writer, member.wire, member.shape, value);
        }
    }
}

fn element(writer: &mut Writer, name: &str, shape: &Shape, value: &Value) {
    match (&shape.kind, value) {
        (Kind::Structure(_), _) => {
            writer.open(name);
            members(writer, shape, value);
            writer.close(name);
        }
        (Kind::List { item, flattened: true, .. }, Value::Array(items)) => {
            items.iter().for_each(|value| element(writer, name, item, value));
        }
        (Kind::List { item, wire, .. }, Value::Array(items)) => {
            writer.open(name);
            items.iter().for_each(|value| element(writer, wire, item, value));
            writer.close(name);
        }
        (Kind::Map { value: shape, key_wire, value_wire, flattened, .. }, Value::Object(object)) => {
            let entry = if *flattened { name } else { "entry" };
            if !flattened {
                writer.open(name);
            }
            for (key, value) in object {
                writer.open(entry);
                writer.text(key_wire, key);
                element(writer, value_wire, shape, value);
                writer.close(entry);
            }
            if !flattened {
                writer.close(name);
            }
        }
        (Kind::Timestamp, Value::Number(number)) => {
            let time = Timestamp::from_epoch_seconds(number.as_f64().unwrap_or_default());
            writer.text(name, &time.iso8601());
        }
        (_, Value::String(text)) => writer.text(name, text),
        (_, value) => writer.text(name, &value.to_string()),
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{iam, sts};
    use aws_shape::Structure as _;

    fn form(fields: &[(&str, &str)]) -> Form {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn fields_become_values() {
        let fields = form(&[
            ("Action", "AssumeRole"),
            ("RoleArn", "arn:aws:iam::000000000000:role/r"),
            ("DurationSeconds", "900"),
            ("Tags.member.1.Key", "a"),
            ("Tags.member.1.Value", "1"),
            ("Tags.member.2.Key", "b"),
            ("Tags.member.2.Value", "2"),
            ("TransitiveTagKeys", ""),
        ]);
        let value = decode(sts::AssumeRoleInput::SHAPE, &fields).unwrap_or_default();
        assert_eq!(
            value,
            json!({
                "RoleArn": "arn:aws:iam::000000000000:role/r",
                "DurationSeconds": 900,
                "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
                "TransitiveTagKeys": [],
            })
        );
    }

    #[test]
    fn wrong_text_is_refused_with_its_place() {
        let error =
            decode(sts::AssumeRoleInput::SHAPE, &form(&[("DurationSeconds", "soon")])).expect_err("not a number");
        assert_eq!(error.message, "The value 'soon' at 'DurationSeconds' must be an integer of 32 bits");
    }

    #[test]
    fn outputs_become_xml() {
        let operation = iam::OPERATIONS.iter().find(|operation| operation.name == "GetUser").expect("generated");
        let output = json!({"User": {"UserName": "a<b", "CreateDate": 1.5, "Tags": [{"Key": "k", "Value": "v"}]}});
        let reply = encode(operation, "https://iam.amazonaws.com/doc/2010-05-08/", &output, "id");
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(
            text,
            "<GetUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetUserResult><User>\
             <CreateDate>1970-01-01T00:00:01.500Z</CreateDate>\
             <Tags><member><Key>k</Key><Value>v</Value></member></Tags><UserName>a&lt;b</UserName></User></GetUserResult>\
             <ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetUserResponse>"
        );
    }

    #[test]
    fn errors_become_xml() {
        let reply = error("ns", &Error::modelled("NoSuchEntity", 404, "no"), "id");
        assert_eq!(reply.status, 404);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(text.contains("<Type>Sender</Type><Code>NoSuchEntity</Code><Message>no</Message>"), "{text}");
    }
}
