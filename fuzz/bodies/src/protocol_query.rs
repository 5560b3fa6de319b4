//! AWS query: a line `SERVICE.Operation`, then form fields `Name=value&…` (`%XX`, `+`).
//!
//! Held: an input that is taken fits its shape, and is the same when it is written as fields again; a reply is well-formed
//! XML that holds every text.

use aws::protocol::query::{self, Form};
use aws::{Error, Operation, Shape, iam, sts, validation_message};
use aws_shape::{Kind, mismatches, validate};
use percent_encoding::percent_decode_str;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

/// The body.
pub fn body(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (name, fields) = text.split_once('\n').unwrap_or((text, ""));
    let Some((service, name)) = name.split_once('.') else { return };
    let operations = if service == "iam" { iam::OPERATIONS } else { sts::OPERATIONS };
    let Some(operation) = operations.iter().find(|operation| operation.name == name) else { return };
    let form = form(fields);
    match query::decode(operation.input, &form) {
        Ok(value) => input(operation.input, &value),
        Err(error) => assert_eq!((error.code.as_str(), error.status), ("MalformedInput", 400)),
    }
    if let Ok(value) = query::decode(operation.output, &form) {
        output(operation, &value);
    }
    let error = query::error("urn:x", &Error::new("ValidationError", fields), "id");
    assert!(texts(&error.body).contains(&shown(fields)), "the message is in the error");
}

fn form(text: &str) -> Form {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (decode(name), decode(value))).collect()
}

fn input(shape: &Shape, value: &Value) {
    assert_eq!(mismatches(shape, value), None);
    let _ = validation_message(&validate(shape, value));
    let mut form = Form::new();
    write(shape, value, "", &mut form);
    assert_eq!(query::decode(shape, &form).unwrap(), *value, "{form:?}");
}

/// The fields of a value.
fn write(shape: &Shape, value: &Value, name: &str, form: &mut Form) {
    let join = |step: &str| if name.is_empty() { step.to_owned() } else { format!("{name}.{step}") };
    match (&shape.kind, value) {
        (Kind::Structure(members), Value::Object(object)) => {
            for member in members.iter().filter(|member| object.contains_key(member.wire)) {
                write(member.shape, &object[member.wire], &join(member.wire), form);
            }
        }
        (Kind::List { .. }, Value::Array(items)) if items.is_empty() => {
            form.insert(name.to_owned(), String::new());
        }
        (Kind::List { item, wire, flattened }, Value::Array(items)) => {
            let prefix = if *flattened { name.to_owned() } else { join(wire) };
            for (at, value) in items.iter().enumerate() {
                write(item, value, &format!("{prefix}.{}", at + 1), form);
            }
        }
        (Kind::Map { value: shape, key_wire, value_wire, flattened, .. }, Value::Object(object)) => {
            let prefix = if *flattened { name.to_owned() } else { join("entry") };
            for (at, (key, value)) in object.iter().enumerate() {
                form.insert(format!("{prefix}.{}.{key_wire}", at + 1), key.clone());
                write(shape, value, &format!("{prefix}.{}.{value_wire}", at + 1), form);
            }
        }
        (Kind::Timestamp, value) => {
            let time = kernel::Timestamp::from_epoch_seconds(value.as_f64().unwrap());
            form.insert(name.to_owned(), time.iso8601());
        }
        (_, Value::String(text)) => drop(form.insert(name.to_owned(), text.clone())),
        (_, value) => drop(form.insert(name.to_owned(), value.to_string())),
    }
}

fn output(operation: &Operation, value: &Value) {
    let reply = query::encode(operation, "urn:x", value, "id");
    let found = texts(&reply.body);
    if operation.has_output {
        all(value, &mut |text| assert!(found.contains(&shown(text)), "{text:?} is in {found:?}"));
    }
}

fn all(value: &Value, check: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => check(text),
        Value::Array(items) => items.iter().for_each(|item| all(item, check)),
        Value::Object(members) => members.values().for_each(|member| all(member, check)),
        _ => {}
    }
}

/// The texts of a document, proved well-formed by another reader.
fn texts(document: &[u8]) -> Vec<String> {
    let mut reader = Reader::from_reader(document);
    let (mut all, mut text) = (Vec::new(), String::new());
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Text(part) => text.push_str(&part.decode().unwrap()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().unwrap() {
                Some(character) => text.push(character),
                None => text.push_str(match &*reference.decode().unwrap() {
                    "lt" => "<",
                    "gt" => ">",
                    "amp" => "&",
                    "quot" => "\"",
                    other => panic!("the entity {other}"),
                }),
            },
            Event::Start(_) | Event::End(_) => all.push(std::mem::take(&mut text)),
            Event::Eof => return all,
            _ => {}
        }
    }
}

/// A text as XML 1.0 can carry it.
fn shown(text: &str) -> String {
    let legal = |c: char| matches!(c, '\n' | '\t' | '\r') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    text.chars().map(|c| if legal(c) { c } else { '\u{fffd}' }).collect()
}
