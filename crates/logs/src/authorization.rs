//! One row for each built operation.

use crate::model::group_arn;
use aws::Authorization;
use aws::authorization::{row, text};
use kernel::Caller;
use serde_json::Value;

/// The rows of logs.
pub static AUTHORIZATION: &[Authorization] = &[
    row("CreateLogGroup", "logs:CreateLogGroup", group),
    row("CreateLogStream", "logs:CreateLogStream", stream),
    row("DeleteLogGroup", "logs:DeleteLogGroup", group),
    row("DeleteLogStream", "logs:DeleteLogStream", stream),
    row("DeleteResourcePolicy", "logs:DeleteResourcePolicy", nothing),
    row("DeleteRetentionPolicy", "logs:DeleteRetentionPolicy", group),
    row("DescribeLogGroups", "logs:DescribeLogGroups", all_groups),
    row("DescribeLogStreams", "logs:DescribeLogStreams", group),
    row("DescribeResourcePolicies", "logs:DescribeResourcePolicies", nothing),
    row("FilterLogEvents", "logs:FilterLogEvents", group),
    row("GetLogEvents", "logs:GetLogEvents", stream),
    row("ListLogGroups", "logs:ListLogGroups", nothing),
    row("ListTagsForResource", "logs:ListTagsForResource", resource),
    row("ListTagsLogGroup", "logs:ListTagsLogGroup", group),
    row("PutLogEvents", "logs:PutLogEvents", stream),
    row("PutLogGroupDeletionProtection", "logs:PutLogGroupDeletionProtection", group),
    row("PutResourcePolicy", "logs:PutResourcePolicy", nothing),
    row("PutRetentionPolicy", "logs:PutRetentionPolicy", group),
    row("StartLiveTail", "logs:StartLiveTail", groups),
    row("TagLogGroup", "logs:TagLogGroup", group),
    row("TagResource", "logs:TagResource", resource),
    row("UntagLogGroup", "logs:UntagLogGroup", group),
    row("UntagResource", "logs:UntagResource", resource),
];

/// The group's ARN, from its name or an identifier.
fn group_of(caller: &Caller, input: &Value) -> String {
    match (text(input, "logGroupName"), text(input, "logGroupIdentifier")) {
        ("", identifier) => identified(caller, identifier),
        (name, _) => group_arn(&caller.scope(), name),
    }
}

/// The ARN of an identifier, which is a name or an ARN.
fn identified(caller: &Caller, identifier: &str) -> String {
    match identifier.starts_with("arn:") {
        true => identifier.trim_end_matches(":*").to_owned(),
        false => group_arn(&caller.scope(), identifier),
    }
}

fn groups(caller: &Caller, input: &Value) -> Vec<String> {
    let identifiers = input.get("logGroupIdentifiers").and_then(Value::as_array).into_iter().flatten();
    identifiers.filter_map(Value::as_str).map(|identifier| identified(caller, identifier)).collect()
}

fn resource(_: &Caller, input: &Value) -> Vec<String> {
    vec![text(input, "resourceArn").trim_end_matches(":*").to_owned()]
}

fn nothing(_: &Caller, _: &Value) -> Vec<String> {
    Vec::new()
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
            ("PutLogGroupDeletionProtection", json!({"logGroupIdentifier": format!("{arn}g")}), format!("{arn}g")),
            ("TagResource", json!({"resourceArn": format!("{arn}g:*")}), format!("{arn}g")),
        ] {
            assert_eq!(of(operation, input), Some(vec![resource]), "{operation}");
        }
        let both = json!({"logGroupIdentifiers": ["a", format!("{arn}b")]});
        assert_eq!(of("StartLiveTail", both), Some(vec![format!("{arn}a"), format!("{arn}b")]));
        assert_eq!(of("PutResourcePolicy", json!({"policyName": "p"})), Some(vec![]));
    }
}
