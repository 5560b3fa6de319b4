//! The authorization rows: an operation is built if it has one.
//!
//! Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS CodeDeploy".

use aws::authorization::text;
use aws::{Authorization, Passing};
use kernel::{Arn, Caller};
use serde_json::Value;

fn arn(caller: &Caller, resource: String) -> Vec<String> {
    vec![Arn::new("codedeploy", &caller.scope(), resource).to_string()]
}

fn application(caller: &Caller, input: &Value) -> Vec<String> {
    arn(caller, format!("application:{}", text(input, "applicationName")))
}

fn applications(caller: &Caller, input: &Value) -> Vec<String> {
    let names = input["applicationNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    names.iter().filter_map(Value::as_str).flat_map(|name| arn(caller, format!("application:{name}"))).collect()
}

fn group(caller: &Caller, input: &Value) -> Vec<String> {
    let name = [text(input, "deploymentGroupName"), text(input, "currentDeploymentGroupName")].concat();
    arn(caller, format!("deploymentgroup:{}/{name}", text(input, "applicationName")))
}

fn groups(caller: &Caller, input: &Value) -> Vec<String> {
    let names = input["deploymentGroupNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    let application = text(input, "applicationName");
    names
        .iter()
        .filter_map(Value::as_str)
        .flat_map(|name| arn(caller, format!("deploymentgroup:{application}/{name}")))
        .collect()
}

fn config(caller: &Caller, input: &Value) -> Vec<String> {
    arn(caller, format!("deploymentconfig:{}", text(input, "deploymentConfigName")))
}

fn instance(caller: &Caller, input: &Value) -> Vec<String> {
    arn(caller, format!("instance:{}", text(input, "instanceName")))
}

fn instances(caller: &Caller, input: &Value) -> Vec<String> {
    let names = input["instanceNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    names.iter().filter_map(Value::as_str).flat_map(|name| arn(caller, format!("instance:{name}"))).collect()
}

/// For the operations on tags: what their ARN names.
fn resource(_: &Caller, input: &Value) -> Vec<String> {
    vec![text(input, "ResourceArn").to_owned()]
}

/// For operations that take a deployment's id: AWS checks them on `*` in effect, as an id names no resource.
fn all(_: &Caller, _: &Value) -> Vec<String> {
    Vec::new()
}

macro_rules! rows {
    ($($operation:ident on $resources:ident;)*) => {
        &[$(Authorization {
            operation: stringify!($operation),
            action: concat!("codedeploy:", stringify!($operation)),
            resources: $resources,
        },)*]
    };
}

/// One row for each operation that is built.
pub static AUTHORIZATION: &[Authorization] = rows! {
    AddTagsToOnPremisesInstances on instances;
    BatchGetApplicationRevisions on application;
    BatchGetApplications on applications;
    BatchGetDeploymentGroups on groups;
    BatchGetDeploymentInstances on all;
    BatchGetDeploymentTargets on all;
    BatchGetDeployments on all;
    BatchGetOnPremisesInstances on instances;
    ContinueDeployment on all;
    CreateApplication on application;
    CreateDeployment on group;
    CreateDeploymentConfig on config;
    CreateDeploymentGroup on group;
    DeleteApplication on application;
    DeleteDeploymentConfig on config;
    DeleteDeploymentGroup on group;
    DeleteGitHubAccountToken on all;
    DeregisterOnPremisesInstance on instance;
    GetApplication on application;
    GetApplicationRevision on application;
    GetDeployment on all;
    GetDeploymentConfig on config;
    GetDeploymentGroup on group;
    GetDeploymentInstance on all;
    GetDeploymentTarget on all;
    GetOnPremisesInstance on instance;
    ListApplicationRevisions on application;
    ListApplications on all;
    ListDeploymentConfigs on all;
    ListDeploymentGroups on application;
    ListDeploymentInstances on all;
    ListDeploymentTargets on all;
    ListDeployments on list_of_group;
    ListGitHubAccountTokenNames on all;
    ListOnPremisesInstances on all;
    ListTagsForResource on resource;
    RegisterApplicationRevision on application;
    RegisterOnPremisesInstance on instance;
    RemoveTagsFromOnPremisesInstances on instances;
    SkipWaitTimeForInstanceTermination on all;
    StopDeployment on all;
    TagResource on resource;
    UntagResource on resource;
    UpdateApplication on application;
    UpdateDeploymentGroup on group;
};

/// The service roles that calls give to deployment groups.
pub static PASSING: Passing = Passing {
    service: "codedeploy.amazonaws.com",
    roles: |operation, input| match (operation, text(input, "serviceRoleArn")) {
        ("CreateDeploymentGroup" | "UpdateDeploymentGroup", role) if !role.is_empty() => vec![role.to_owned()],
        _ => Vec::new(),
    },
};

/// ListDeployments names a group or nothing.
fn list_of_group(caller: &Caller, input: &Value) -> Vec<String> {
    if text(input, "applicationName").is_empty() { Vec::new() } else { group(caller, input) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Scope;
    use serde_json::json;

    fn resources(operation: &str, input: Value) -> Vec<String> {
        let caller = Caller::root(&Scope::new("123456789012", "us-east-1"), "r");
        let row = AUTHORIZATION.iter().find(|row| row.operation == operation);
        row.map(|row| (row.resources)(&caller, &input)).unwrap_or_default()
    }

    #[test]
    fn rows_name_what_a_call_touches() {
        let prefix = "arn:aws:codedeploy:us-east-1:123456789012:";
        for (operation, input, resource) in [
            ("CreateApplication", json!({"applicationName": "a"}), "application:a"),
            ("CreateDeployment", json!({"applicationName": "a", "deploymentGroupName": "g"}), "deploymentgroup:a/g"),
            (
                "UpdateDeploymentGroup",
                json!({"applicationName": "a", "currentDeploymentGroupName": "g", "newDeploymentGroupName": "h"}),
                "deploymentgroup:a/g",
            ),
            ("GetDeploymentConfig", json!({"deploymentConfigName": "c"}), "deploymentconfig:c"),
            ("AddTagsToOnPremisesInstances", json!({"instanceNames": ["i"]}), "instance:i"),
            ("ListDeployments", json!({"applicationName": "a", "deploymentGroupName": "g"}), "deploymentgroup:a/g"),
        ] {
            assert_eq!(resources(operation, input), [format!("{prefix}{resource}")], "{operation}");
        }
        assert!(resources("ListDeployments", json!({})).is_empty());
    }

    #[test]
    fn a_groups_role_is_handed_over() {
        let role = json!({"serviceRoleArn": "arn:aws:iam::123456789012:role/r"});
        for (operation, input, roles) in [
            ("CreateDeploymentGroup", &role, 1),
            ("UpdateDeploymentGroup", &role, 1),
            ("UpdateDeploymentGroup", &json!({}), 0),
            ("CreateDeployment", &role, 0),
        ] {
            assert_eq!((PASSING.roles)(operation, input).len(), roles, "{operation}");
        }
    }

    #[test]
    fn every_row_names_an_operation_of_the_model_once() {
        assert!(AUTHORIZATION.is_sorted_by(|a, b| a.operation < b.operation));
        for row in AUTHORIZATION {
            assert!(aws::codedeploy::MODEL.operations.contains(&row.operation), "{}", row.operation);
        }
    }
}
