//! What each built operation needs to be allowed: the rows make it built.

use aws::Authorization;
use aws::authorization::text;
use kernel::Caller;
use serde_json::Value;

fn named(caller: &Caller, name: &str) -> String {
    let Caller { partition, region, account, .. } = caller;
    format!("arn:{partition}:codecommit:{region}:{account}:{name}")
}

fn repository(caller: &Caller, input: &Value) -> Vec<String> {
    vec![named(caller, text(input, "repositoryName"))]
}

fn repositories(caller: &Caller, input: &Value) -> Vec<String> {
    let names = input.get("repositoryNames").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(|name| named(caller, name)).collect()
}

fn both_names(caller: &Caller, input: &Value) -> Vec<String> {
    vec![named(caller, text(input, "oldName")), named(caller, text(input, "newName"))]
}

fn arn(_: &Caller, input: &Value) -> Vec<String> {
    vec![text(input, "resourceArn").to_owned()]
}

fn any(_: &Caller, _: &Value) -> Vec<String> {
    Vec::new()
}

/// The rows, by operation. Git itself needs `codecommit:GitPull` and `codecommit:GitPush`, asked for at its door.
pub static AUTHORIZATION: &[Authorization] = &[
    Authorization {
        operation: "BatchGetRepositories",
        action: "codecommit:BatchGetRepositories",
        resources: repositories,
    },
    Authorization { operation: "CreateBranch", action: "codecommit:CreateBranch", resources: repository },
    Authorization { operation: "CreateRepository", action: "codecommit:CreateRepository", resources: repository },
    Authorization { operation: "DeleteBranch", action: "codecommit:DeleteBranch", resources: repository },
    Authorization { operation: "DeleteRepository", action: "codecommit:DeleteRepository", resources: repository },
    Authorization { operation: "GetBranch", action: "codecommit:GetBranch", resources: repository },
    Authorization { operation: "GetCommit", action: "codecommit:GetCommit", resources: repository },
    Authorization { operation: "GetFile", action: "codecommit:GetFile", resources: repository },
    Authorization { operation: "GetFolder", action: "codecommit:GetFolder", resources: repository },
    Authorization { operation: "GetRepository", action: "codecommit:GetRepository", resources: repository },
    Authorization { operation: "ListBranches", action: "codecommit:ListBranches", resources: repository },
    Authorization { operation: "ListRepositories", action: "codecommit:ListRepositories", resources: any },
    Authorization { operation: "ListTagsForResource", action: "codecommit:ListTagsForResource", resources: arn },
    Authorization { operation: "TagResource", action: "codecommit:TagResource", resources: arn },
    Authorization { operation: "UntagResource", action: "codecommit:UntagResource", resources: arn },
    Authorization { operation: "UpdateDefaultBranch", action: "codecommit:UpdateDefaultBranch", resources: repository },
    Authorization {
        operation: "UpdateRepositoryDescription",
        action: "codecommit:UpdateRepositoryDescription",
        resources: repository,
    },
    Authorization {
        operation: "UpdateRepositoryName",
        action: "codecommit:UpdateRepositoryName",
        resources: both_names,
    },
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_name_the_repositories_that_a_call_touches() {
        let caller = Caller::root(&kernel::Scope::new("123456789012", "eu-west-1"), "r");
        let resources = |operation: &str, input: Value| {
            let row = AUTHORIZATION.iter().find(|row| row.operation == operation);
            row.map(|row| (row.resources)(&caller, &input))
        };
        let arn = |name: &str| format!("arn:aws:codecommit:eu-west-1:123456789012:{name}");
        assert_eq!(resources("GetBranch", json!({ "repositoryName": "a" })), Some(vec![arn("a")]));
        let many = resources("BatchGetRepositories", json!({ "repositoryNames": ["a", "b"] }));
        assert_eq!(many, Some(vec![arn("a"), arn("b")]));
        assert_eq!(resources("ListRepositories", json!({})), Some(vec![]));
        let renamed = resources("UpdateRepositoryName", json!({ "oldName": "a", "newName": "b" }));
        assert_eq!(renamed, Some(vec![arn("a"), arn("b")]));
    }
}
