//! One row for each built operation.

use crate::model::group_arn;
use aws::Authorization;
use aws::authorization::text;
use kernel::Caller;
use serde_json::Value;

/// The rows of logs.
pub static AUTHORIZATION: &[Authorization] = &[
    row("CreateLogGroup", "logs:CreateLogGroup", group),
    row("CreateLogStream", "logs:CreateLogStream", stream),
    row("DeleteLogGroup", "logs:DeleteLogGroup", group),
    row("DeleteLogStream", "logs:DeleteLogStream", stream),
    row("DescribeLogGroups", "logs:DescribeLogGroups", all_groups),
    row("DescribeLogStreams", "logs:DescribeLogStreams", group),
    row("FilterLogEvents", "logs:FilterLogEvents", group),
    row("GetLogEvents", "logs:GetLogEvents", stream),
    row("PutLogEvents", "logs:PutLogEvents", stream),
];

const fn row(
    operation: &'static str,
    action: &'static str,
    resources: fn(&Caller, &Value) -> Vec<String>,
) -> Authorization {
    Authorization { operation, action, resources }
}

/// The group's ARN, from its name or an identifier, which is a name or an ARN.
fn group_of(caller: &Caller, input: &Value) -> String {
    match (text(input, "logGroupName"), text(input, "logGroupIdentifier")) {
        ("", identifier) if identifier.starts_with("arn:") => identifier.trim_end_matches(":*").to_owned(),
        ("", name) | (name, _) => group_arn(&caller.scope(), name),
    }
}

fn group(caller: &Caller, input: &Value) -> Vec<String> {
    vec![group_of(caller, input)]
}

fn stream(caller: &Caller, input: &Value) -> Vec<String> {
    vec![format!("{}:log-stream:{}", group_of(caller, input), text(input, "logStreamName"))]
}

fn all_groups(caller: &Caller, _: &Value) -> Vec<String> {
    vec![group_arn(&caller.scope(), "*")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Scope;
    use serde_json::json;

    #[test]
    fn resources_are_named_as_aws_names_them() {
        let caller = Caller::root(&Scope::new("111111111111", "eu-west-1"), "r");
        let arn = "arn:aws:logs:eu-west-1:111111111111:log-group:";
        let of = |operation: &str, input: Value| {
            let row = AUTHORIZATION.iter().find(|row| row.operation == operation);
            row.map(|row| (row.resources)(&caller, &input))
        };
        for (operation, input, resource) in [
            ("CreateLogGroup", json!({"logGroupName": "/a/b"}), format!("{arn}/a/b")),
            ("PutLogEvents", json!({"logGroupName": "g", "logStreamName": "s"}), format!("{arn}g:log-stream:s")),
            ("FilterLogEvents", json!({"logGroupIdentifier": "g"}), format!("{arn}g")),
            ("FilterLogEvents", json!({"logGroupIdentifier": format!("{arn}g:*")}), format!("{arn}g")),
            ("DescribeLogGroups", json!({}), format!("{arn}*")),
        ] {
            assert_eq!(of(operation, input), Some(vec![resource]), "{operation}");
        }
    }
}
