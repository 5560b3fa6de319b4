//! Which permission each operation needs (Service Authorization Reference, "AWS CodeBuild").

use aws::authorization::{row, text};
use aws::{Authorization, Passing};
use kernel::Caller;
use serde_json::Value;

use crate::rules::{arns, ids};

/// One row per operation that is built.
pub static AUTHORIZATION: &[Authorization] = &[
    row("BatchDeleteBuilds", "codebuild:BatchDeleteBuilds", projects_of_builds),
    row("BatchGetBuilds", "codebuild:BatchGetBuilds", projects_of_builds),
    row("BatchGetProjects", "codebuild:BatchGetProjects", projects),
    row("CreateProject", "codebuild:CreateProject", project_by_name),
    row("DeleteProject", "codebuild:DeleteProject", project_by_name),
    row("ListBuilds", "codebuild:ListBuilds", everything),
    row("ListBuildsForProject", "codebuild:ListBuildsForProject", project),
    row("ListCuratedEnvironmentImages", "codebuild:ListCuratedEnvironmentImages", everything),
    row("ListProjects", "codebuild:ListProjects", everything),
    row("RetryBuild", "codebuild:RetryBuild", project_of_build),
    row("StartBuild", "codebuild:StartBuild", project),
    row("StopBuild", "codebuild:StopBuild", project_of_build),
    row("UpdateProject", "codebuild:UpdateProject", project_by_name),
];

/// The service roles that calls give to projects and builds.
pub static PASSING: Passing = Passing {
    service: "codebuild.amazonaws.com",
    roles: |operation, input| match operation {
        "CreateProject" | "UpdateProject" => role(input, "serviceRole"),
        "StartBuild" => role(input, "serviceRoleOverride"),
        _ => Vec::new(),
    },
};

fn role(input: &Value, member: &str) -> Vec<String> {
    Some(text(input, member)).filter(|role| !role.is_empty()).map(str::to_owned).into_iter().collect()
}

fn everything(_: &Caller, _: &Value) -> Vec<String> {
    vec![]
}

fn project(caller: &Caller, input: &Value) -> Vec<String> {
    vec![arn(caller, text(input, "projectName"))]
}

fn project_by_name(caller: &Caller, input: &Value) -> Vec<String> {
    vec![arn(caller, text(input, "name"))]
}

fn projects(caller: &Caller, input: &Value) -> Vec<String> {
    texts(input, "names").map(|name| arn(caller, name)).collect()
}

fn project_of_build(caller: &Caller, input: &Value) -> Vec<String> {
    vec![arn_of_build(caller, text(input, "id"))]
}

fn projects_of_builds(caller: &Caller, input: &Value) -> Vec<String> {
    texts(input, "ids").map(|id| arn_of_build(caller, id)).collect()
}

fn texts<'v>(input: &'v Value, member: &str) -> impl Iterator<Item = &'v str> {
    input.get(member).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn arn(caller: &Caller, name: &str) -> String {
    let scope = caller.scope();
    arns::named_project(&scope, ids::project_name(&scope, name))
}

fn arn_of_build(caller: &Caller, id: &str) -> String {
    arn(caller, ids::parse_build_id(&caller.scope(), id).map_or("*", |(project, _)| project))
}

/// CodeBuild declares no ValidationException: broken constraints are an InvalidInputException.
#[must_use]
pub fn violation(_operation: &str, violations: &[aws::Violation]) -> aws::Error {
    aws::codebuild::error::invalid_input_exception(aws::validation_message(violations))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use kernel::Scope;
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_name_the_project() {
        let caller = Caller::root(&Scope::new("123456789012", "us-east-1"), "");
        let demo = "arn:aws:codebuild:us-east-1:123456789012:project/demo";
        let foreign = "arn:aws:codebuild:us-east-1:999999999999:project/demo";
        let id = "demo:01234567-89ab-4cde-8f01-23456789abcd";
        for (operation, input, expected) in [
            ("StartBuild", json!({"projectName": "demo"}), vec![demo]),
            ("StartBuild", json!({"projectName": demo}), vec![demo]),
            ("StartBuild", json!({"projectName": foreign}), vec![foreign]),
            ("CreateProject", json!({"name": "demo"}), vec![demo]),
            ("BatchGetProjects", json!({"names": ["demo"]}), vec![demo]),
            ("StopBuild", json!({"id": id}), vec![demo]),
            ("BatchGetBuilds", json!({"ids": [id, id]}), vec![demo, demo]),
            ("ListBuilds", json!({}), vec![]),
        ] {
            let row = AUTHORIZATION.iter().find(|row| row.operation == operation).unwrap();
            assert_eq!((row.resources)(&caller, &input), expected, "{operation}");
        }
    }

    #[test]
    fn service_roles_are_handed_over() {
        let arn = "arn:aws:iam::123456789012:role/build";
        for (operation, input, handed) in [
            ("CreateProject", json!({"name": "a", "serviceRole": arn}), &[arn][..]),
            ("UpdateProject", json!({"name": "a", "serviceRole": arn}), &[arn]),
            ("UpdateProject", json!({"name": "a"}), &[]),
            ("StartBuild", json!({"projectName": "a", "serviceRoleOverride": arn}), &[arn]),
            ("StartBuild", json!({"projectName": "a"}), &[]),
            ("StopBuild", json!({"serviceRole": arn}), &[]),
        ] {
            assert_eq!((PASSING.roles)(operation, &input), handed, "{operation}");
        }
    }

    #[test]
    fn rows_are_sorted_and_name_their_operation() {
        assert!(AUTHORIZATION.windows(2).all(|pair| pair[0].operation < pair[1].operation));
        assert!(AUTHORIZATION.iter().all(|row| row.action == format!("codebuild:{}", row.operation)));
    }
}
