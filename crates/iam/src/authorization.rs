//! One row for each built operation of IAM and STS.

use aws::Authorization;
use aws::authorization::{row, text};
use kernel::{Caller, Principal};
use serde_json::Value;

/// IAM's rows.
pub static IAM_AUTHORIZATION: &[Authorization] = &[
    row("CreateAccessKey", "iam:CreateAccessKey", user),
    row("CreateRole", "iam:CreateRole", new_role),
    row("CreateUser", "iam:CreateUser", new_user),
    row("DeleteAccessKey", "iam:DeleteAccessKey", user),
    row("DeleteRole", "iam:DeleteRole", role),
    row("DeleteRolePolicy", "iam:DeleteRolePolicy", role),
    row("DeleteUser", "iam:DeleteUser", user),
    row("DeleteUserPolicy", "iam:DeleteUserPolicy", user),
    row("GetRole", "iam:GetRole", role),
    row("GetRolePolicy", "iam:GetRolePolicy", role),
    row("GetUser", "iam:GetUser", user),
    row("GetUserPolicy", "iam:GetUserPolicy", user),
    row("ListAccessKeys", "iam:ListAccessKeys", user),
    row("ListRolePolicies", "iam:ListRolePolicies", role),
    row("ListRoles", "iam:ListRoles", all_roles),
    row("ListUserPolicies", "iam:ListUserPolicies", user),
    row("ListUsers", "iam:ListUsers", all_users),
    row("PutRolePolicy", "iam:PutRolePolicy", role),
    row("PutUserPolicy", "iam:PutUserPolicy", user),
    row("UpdateAccessKey", "iam:UpdateAccessKey", user),
    row("UpdateAssumeRolePolicy", "iam:UpdateAssumeRolePolicy", role),
];

/// STS's rows.
pub static STS_AUTHORIZATION: &[Authorization] = &[
    row("AssumeRole", "sts:AssumeRole", |_, input| vec![text(input, "RoleArn").to_owned()]),
    row("GetAccessKeyInfo", "sts:GetAccessKeyInfo", |_, _| Vec::new()),
    row("GetCallerIdentity", "sts:GetCallerIdentity", |_, _| Vec::new()),
    row("GetSessionToken", "sts:GetSessionToken", |_, _| Vec::new()),
];

/// The user named, else the caller's own. An existing user's path is not known here: AWS too matches it only by name where
/// the request has none.
fn user(caller: &Caller, input: &Value) -> Vec<String> {
    match (text(input, "UserName"), &caller.principal) {
        ("", Principal::User { name, .. }) => entity(caller, "user", "/", name),
        ("", _) => vec![caller.arn()],
        (name, _) => entity(caller, "user", "/", name),
    }
}

fn role(caller: &Caller, input: &Value) -> Vec<String> {
    entity(caller, "role", "/", text(input, "RoleName"))
}

fn new_user(caller: &Caller, input: &Value) -> Vec<String> {
    entity(caller, "user", text(input, "Path"), text(input, "UserName"))
}

fn new_role(caller: &Caller, input: &Value) -> Vec<String> {
    entity(caller, "role", text(input, "Path"), text(input, "RoleName"))
}

fn all_users(caller: &Caller, input: &Value) -> Vec<String> {
    entity(caller, "user", text(input, "PathPrefix"), "*")
}

fn all_roles(caller: &Caller, input: &Value) -> Vec<String> {
    entity(caller, "role", text(input, "PathPrefix"), "*")
}

fn entity(caller: &Caller, noun: &str, path: &str, name: &str) -> Vec<String> {
    let Caller { partition, account, .. } = caller;
    let path = path.trim_start_matches('/');
    vec![format!("arn:{partition}:iam::{account}:{noun}/{path}{name}")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Scope;
    use serde_json::json;

    #[test]
    fn resources_are_named_as_aws_names_them() {
        let root = Caller::root(&Scope::new("111111111111", "us-east-1"), "r");
        let user = Caller { principal: Principal::User { name: "jane".into(), id: "AIDA".into() }, ..root.clone() };
        let of =
            |operation: &str| IAM_AUTHORIZATION.iter().chain(STS_AUTHORIZATION).find(|row| row.operation == operation);
        for (operation, caller, input, resource) in [
            ("GetUser", &root, json!({"UserName": "jane"}), "arn:aws:iam::111111111111:user/jane"),
            ("GetUser", &user, json!({}), "arn:aws:iam::111111111111:user/jane"),
            ("GetUser", &root, json!({}), "arn:aws:iam::111111111111:root"),
            ("CreateUser", &root, json!({"UserName": "h", "Path": "/AWS/"}), "arn:aws:iam::111111111111:user/AWS/h"),
            ("GetRole", &root, json!({"RoleName": "r"}), "arn:aws:iam::111111111111:role/r"),
            ("ListRoles", &root, json!({}), "arn:aws:iam::111111111111:role/*"),
            ("AssumeRole", &root, json!({"RoleArn": "arn:x"}), "arn:x"),
        ] {
            let resources = of(operation).map(|row| (row.resources)(caller, &input));
            assert_eq!(resources, Some(vec![resource.to_owned()]), "{operation}");
        }
    }
}
