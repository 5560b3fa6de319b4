//! Bucket policies: which documents are one, and whether one lets everybody in (Amazon S3 User Guide, "The meaning of
//! public").

use aws::Error;
use serde_json::{Map, Value};

/// The most bytes of a policy.
const LARGEST: usize = 20 * 1024;
/// Conditions on these keep the public out, where their value is fixed.
const NARROWING: &[&str] = &[
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// Whether a text may be the policy of a bucket.
///
/// # Errors
/// `MalformedPolicy`, or `PolicyTooLarge`.
pub(crate) fn check(text: &str, bucket: &str) -> Result<(), Error> {
    if text.len() > LARGEST {
        return Err(Error::new("PolicyTooLarge", format!("A bucket policy has at most {LARGEST} bytes.")));
    }
    let document: Value = serde_json::from_str(text)
        .map_err(|cause| malformed(&format!("Policies must be valid JSON and the first byte must be '{{': {cause}")))?;
    let document = document.as_object().ok_or_else(|| malformed("Policies must be a JSON object"))?;
    if let Some(other) = document.keys().find(|key| !["Version", "Id", "Statement"].contains(&key.as_str())) {
        return Err(malformed(&format!("Unknown field {other}")));
    }
    let version = document.get("Version").map(|version| version.as_str().unwrap_or_default());
    if !matches!(version, None | Some("2012-10-17" | "2008-10-17")) {
        return Err(malformed("The policy must contain a valid version string"));
    }
    let statements = listed(document.get("Statement"));
    if statements.is_empty() {
        return Err(malformed("Could not parse the policy: Statement is empty!"));
    }
    statements.into_iter().try_for_each(|statement| check_statement(statement, bucket))
}

fn check_statement(statement: &Value, bucket: &str) -> Result<(), Error> {
    let statement = statement.as_object().ok_or_else(|| malformed("Statement must be an object"))?;
    let one_of = |a: &str, b: &str| statement.contains_key(a) != statement.contains_key(b);
    if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Err(malformed("Invalid effect: it must be Allow or Deny"));
    }
    if !one_of("Principal", "NotPrincipal") {
        return Err(malformed("Missing required field Principal"));
    }
    if !one_of("Action", "NotAction") {
        return Err(malformed("Missing required field Action"));
    }
    if !one_of("Resource", "NotResource") {
        return Err(malformed("Missing required field Resource"));
    }
    let actions = texts(statement.get("Action").or(statement.get("NotAction")));
    if actions.is_empty() || !actions.iter().all(|action| *action == "*" || starts_with_s3(action)) {
        return Err(malformed("Policy has invalid action"));
    }
    let resources = texts(statement.get("Resource").or(statement.get("NotResource")));
    if resources.is_empty() || !resources.iter().all(|resource| is_of(resource, bucket)) {
        return Err(malformed("Policy has invalid resource"));
    }
    Ok(())
}

fn starts_with_s3(action: &str) -> bool {
    action.get(..3).is_some_and(|service| service.eq_ignore_ascii_case("s3:"))
}

/// Whether an ARN is the bucket or in it; wildcards in the bucket's place are let through.
fn is_of(resource: &str, bucket: &str) -> bool {
    if resource == "*" {
        return true;
    }
    let mut parts = resource.splitn(6, ':');
    let arn = parts.next() == Some("arn") && parts.next().is_some() && parts.next() == Some("s3");
    let empty = parts.next() == Some("") && parts.next() == Some("");
    let name = parts.next().unwrap_or_default().split('/').next().unwrap_or_default();
    arn && empty && (name == bucket || name.contains(['*', '?', '$']))
}

/// Whether the policy lets everybody in.
pub(crate) fn is_public(text: &str) -> bool {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    listed(document.get("Statement")).into_iter().filter_map(Value::as_object).any(lets_everybody_in)
}

fn lets_everybody_in(statement: &Map<String, Value>) -> bool {
    let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    let anybody = match statement.get("Principal") {
        Some(Value::String(name)) => name == "*",
        Some(Value::Object(kinds)) => kinds.values().any(|names| texts(Some(names)).contains(&"*")),
        // Everybody but those.
        _ => statement.contains_key("NotPrincipal"),
    };
    allows && anybody && !is_narrowed(statement.get("Condition"))
}

fn is_narrowed(condition: Option<&Value>) -> bool {
    let operators = condition.and_then(Value::as_object).into_iter().flatten();
    let narrows = |(operator, keys): (&String, &Value)| {
        let excludes = operator.contains("Not") || operator.starts_with("Null") || operator.ends_with("IfExists");
        let keys = keys.as_object().into_iter().flatten();
        !excludes && keys.into_iter().any(|(key, values)| is_fixed(&key.to_ascii_lowercase(), values))
    };
    operators.into_iter().any(narrows)
}

fn is_fixed(key: &str, values: &Value) -> bool {
    let values = texts(Some(values));
    let narrow = |value: &&str| !value.contains(['*', '?', '$']) && !value.ends_with("/0");
    NARROWING.contains(&key) && !values.is_empty() && values.iter().all(narrow)
}

/// One value or a list of them.
fn listed(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    }
}

/// One text or a list of them; nothing if anything else is there.
fn texts(value: Option<&Value>) -> Vec<&str> {
    listed(value).into_iter().map(Value::as_str).collect::<Option<Vec<_>>>().unwrap_or_default()
}

fn malformed(message: &str) -> Error {
    Error::new("MalformedPolicy", message)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn statement(changes: &Value) -> String {
        let mut statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
        for (key, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => statement.as_object_mut().unwrap().remove(key),
                value => statement.as_object_mut().unwrap().insert(key.clone(), value.clone()),
            };
        }
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    }

    #[test]
    fn documents_follow_the_grammar() {
        let good = [
            statement(&json!({})),
            statement(&json!({"Resource": ["arn:aws:s3:::b", "arn:aws-cn:s3:::b/k"], "Action": ["S3:*", "*"]})),
            statement(&json!({"Principal": null, "NotPrincipal": {"AWS": "1"}, "Effect": "Deny"})),
        ];
        for policy in good {
            check(&policy, "b").unwrap();
        }
        let long = statement(&json!({"Sid": "s".repeat(LARGEST)}));
        assert!(check(&long, "b").unwrap_err().is("PolicyTooLarge"));
        let bad = [
            "".to_owned(),
            "[]".to_owned(),
            "{".to_owned(),
            "{\"Statement\": []}".to_owned(),
            "{\"Statement\": [1]}".to_owned(),
            "{\"Version\": \"2026\", \"Statement\": {}}".to_owned(),
            "{\"Statements\": []}".to_owned(),
            statement(&json!({"Effect": "Maybe"})),
            statement(&json!({"Principal": null})),
            statement(&json!({"NotPrincipal": "x"})),
            statement(&json!({"Action": null})),
            statement(&json!({"Action": "ec2:Run"})),
            statement(&json!({"Action": "ö"})),
            statement(&json!({"Action": [1]})),
            statement(&json!({"Resource": null})),
            statement(&json!({"Resource": "arn:aws:s3:::other/*"})),
            statement(&json!({"Resource": "b"})),
        ];
        for policy in bad {
            assert!(check(&policy, "b").unwrap_err().is("MalformedPolicy"), "{policy}");
        }
    }

    #[test]
    fn public_is_who_lets_everybody_in() {
        let table = [
            (json!({}), true),
            (json!({"Effect": "Deny"}), false),
            (json!({"Principal": {"AWS": ["1", "*"]}}), true),
            (json!({"Principal": {"Service": "logging.s3.amazonaws.com"}}), false),
            (json!({"Principal": null, "NotPrincipal": {"AWS": "1"}}), true),
            (json!({"Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}), false),
            (json!({"Condition": {"StringLike": {"aws:PrincipalArn": "arn:*"}}}), true),
            (json!({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}}), true),
            (json!({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}), true),
            (json!({"Condition": {"StringNotEquals": {"aws:SourceAccount": "1"}}}), true),
        ];
        for (changes, expected) in table {
            assert_eq!(is_public(&statement(&changes)), expected, "{changes}");
        }
    }
}
