//! awsJson 1.0 and 1.1: the operation in `X-Amz-Target`, JSON both ways.

use super::Reply;
use crate::{Error, Operation, Output, Shape};
use aws_shape::mismatches;
use serde_json::{Value, json};

/// Most outputs are shorter, in bytes.
const OUTPUT: usize = 2_048;

/// The operation of `X-Amz-Target: Prefix.Operation`, if the prefix is `prefix`.
#[must_use]
pub fn operation<'t>(target: &'t str, prefix: &str) -> Option<&'t str> {
    target.strip_prefix(prefix)?.strip_prefix('.').filter(|operation| !operation.is_empty())
}

/// The input value of a body; an empty body is `{}`.
///
/// # Errors
/// `SerializationException` for bytes that are no JSON, or values of the wrong type.
pub fn decode(shape: &Shape, body: &[u8]) -> Result<Value, Error> {
    let wrong = |message: String| Error::new("SerializationException", message);
    let mut value: Value = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(body).map_err(|cause| wrong(format!("The body is not JSON: {cause}")))?
    };
    drop_nulls(&mut value);
    match mismatches(shape, &value) {
        Some(mismatch) => Err(wrong(format!("The body does not fit {}: {mismatch}", shape.name))),
        None if value.is_null() => Ok(json!({})),
        None => Ok(value),
    }
}

/// Null is the same as absent, wherever it stands.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(drop_nulls);
        }
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

/// The reply of a call that succeeded.
#[must_use]
pub fn encode(operation: &Operation, version: &str, output: &dyn Output) -> Reply {
    let mut body = Vec::new();
    if operation.has_output {
        body.reserve(OUTPUT);
        output.json(&mut body);
    }
    let body = body.into();
    Reply { status: 200, content_type: content_type(version), error_type: None, body }
}

/// The reply of a call that failed.
#[must_use]
pub fn error(version: &str, error: &Error) -> Reply {
    let mut members = error.members.clone();
    members.insert("__type".to_owned(), error.code.clone().into());
    members.insert("message".to_owned(), error.message.clone().into());
    Reply {
        status: error.status,
        content_type: content_type(version),
        error_type: Some(error.code.clone()),
        body: Value::Object(members).to_string().into(),
    }
}

fn content_type(version: &str) -> String {
    format!("application/x-amz-json-{version}")
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::codebuild::{Build, OPERATIONS, StartBuildInput, StartBuildOutput};
    use aws_shape::Structure as _;

    #[test]
    fn targets() {
        assert_eq!(operation("CodeBuild_20161006.StartBuild", "CodeBuild_20161006"), Some("StartBuild"));
        for wrong in ["CodeBuild_20161006", "CodeBuild_20161006.", "CodeBuild_2016100.StartBuild", "StartBuild"] {
            assert_eq!(operation(wrong, "CodeBuild_20161006"), None, "{wrong}");
        }
    }

    #[test]
    fn bodies() {
        let shape = StartBuildInput::SHAPE;
        assert_eq!(decode(shape, b"").unwrap_or_default(), json!({}));
        assert_eq!(decode(shape, b"null").unwrap_or_default(), json!({}));
        assert_eq!(decode(shape, br#"{"projectName":"p"}"#).unwrap_or_default(), json!({"projectName": "p"}));
        let nulls = br#"{"projectName":null,"environmentVariablesOverride":[null,{"name":"n","value":null}]}"#;
        let without = json!({"environmentVariablesOverride": [{"name": "n"}]});
        assert_eq!(decode(shape, nulls).unwrap_or_default(), without);
        for (body, part) in [
            ("{", "not JSON"),
            ("[]", "the value must be an object"),
            (r#"{"projectName":1}"#, "'projectName' must be a string"),
            (
                r#"{"environmentVariablesOverride":[{"name":[]}]}"#,
                "'environmentVariablesOverride.1.member.name' must be a string",
            ),
        ] {
            let error = decode(shape, body.as_bytes()).expect_err(body);
            assert_eq!(error.code, "SerializationException");
            assert!(error.message.contains(part), "{error}");
        }
    }

    #[test]
    fn replies() {
        let start = OPERATIONS.iter().find(|operation| operation.name == "StartBuild").expect("generated");
        let output = StartBuildOutput { build: Some(Build::default()) };
        assert_eq!(encode(start, "1.1", &output).body, r#"{"build":{}}"#);
        let reply = error("1.1", &Error::new("InvalidInputException", "no").with("field", 1));
        assert_eq!(reply.status, 400);
        assert_eq!(reply.error_type.as_deref(), Some("InvalidInputException"));
        assert_eq!(reply.body, r#"{"__type":"InvalidInputException","field":1,"message":"no"}"#);
    }
}
