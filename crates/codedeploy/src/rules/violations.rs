//! CodeDeploy's own errors for members that are missing or malformed.
//!
//! Other services answer `ValidationException`; CodeDeploy has a shape for nearly every member. Source: the
//! errors of each operation in the service model, and the order that clients see: a missing name, then a
//! bad format, before anything is looked up.

use aws::{Constraint, Error, Violation};

/// What is answered when a member is missing or an empty text.
const REQUIRED: &[(&str, &str)] = &[
    ("ResourceArn", "ResourceArnRequiredException"),
    ("TagKeys", "TagRequiredException"),
    ("Tags", "TagRequiredException"),
    ("applicationName", "ApplicationNameRequiredException"),
    ("applicationNames", "ApplicationNameRequiredException"),
    ("currentDeploymentGroupName", "DeploymentGroupNameRequiredException"),
    ("deploymentConfigName", "DeploymentConfigNameRequiredException"),
    ("deploymentGroupName", "DeploymentGroupNameRequiredException"),
    ("deploymentGroupNames", "DeploymentGroupNameRequiredException"),
    ("deploymentId", "DeploymentIdRequiredException"),
    ("deploymentIds", "DeploymentIdRequiredException"),
    ("instanceId", "InstanceIdRequiredException"),
    ("instanceIds", "InstanceIdRequiredException"),
    ("instanceName", "InstanceNameRequiredException"),
    ("instanceNames", "InstanceNameRequiredException"),
    ("newApplicationName", "ApplicationNameRequiredException"),
    ("newDeploymentGroupName", "DeploymentGroupNameRequiredException"),
    ("revision", "RevisionRequiredException"),
    ("revisions", "RevisionRequiredException"),
    ("serviceRoleArn", "RoleRequiredException"),
    ("tags", "TagRequiredException"),
    ("targetId", "DeploymentTargetIdRequiredException"),
    ("targetIds", "DeploymentTargetIdRequiredException"),
    ("tokenName", "GitHubAccountTokenNameRequiredException"),
];

/// What is answered when a member, or something inside of it, is malformed. The innermost known member of
/// the path counts.
const INVALID: &[(&str, &str)] = &[
    ("ResourceArn", "InvalidArnException"),
    ("alarmConfiguration", "InvalidAlarmConfigException"),
    ("applicationName", "InvalidApplicationNameException"),
    ("applicationNames", "InvalidApplicationNameException"),
    ("autoRollbackConfiguration", "InvalidAutoRollbackConfigException"),
    ("autoScalingGroupProcessesToSuspend", "InvalidAutoScalingGroupProcessToSuspendException"),
    ("blueGreenDeploymentConfiguration", "InvalidBlueGreenDeploymentConfigurationException"),
    ("computePlatform", "InvalidComputePlatformException"),
    ("currentDeploymentGroupName", "InvalidDeploymentGroupNameException"),
    ("deployed", "InvalidDeployedStateFilterException"),
    ("deploymentConfigName", "InvalidDeploymentConfigNameException"),
    ("deploymentGroupName", "InvalidDeploymentGroupNameException"),
    ("deploymentGroupNames", "InvalidDeploymentGroupNameException"),
    ("deploymentStyle", "InvalidDeploymentStyleException"),
    ("deploymentWaitType", "InvalidDeploymentWaitTypeException"),
    ("ec2TagFilters", "InvalidEC2TagException"),
    ("ec2TagSet", "InvalidEC2TagException"),
    ("fileExistsBehavior", "InvalidFileExistsBehaviorException"),
    ("includeOnlyStatuses", "InvalidDeploymentStatusException"),
    ("instanceStatusFilter", "InvalidInstanceStatusException"),
    ("instanceTypeFilter", "InvalidInstanceTypeException"),
    ("minimumHealthyHosts", "InvalidMinimumHealthyHostValueException"),
    ("newApplicationName", "InvalidApplicationNameException"),
    ("newDeploymentGroupName", "InvalidDeploymentGroupNameException"),
    ("onPremisesInstanceTagFilters", "InvalidTagException"),
    ("onPremisesTagSet", "InvalidTagException"),
    ("registrationStatus", "InvalidRegistrationStatusException"),
    ("revision", "InvalidRevisionException"),
    ("revisions", "InvalidRevisionException"),
    ("sortBy", "InvalidSortByException"),
    ("sortOrder", "InvalidSortOrderException"),
    ("status", "InvalidLifecycleEventHookExecutionStatusException"),
    ("tagFilters", "InvalidTagFilterException"),
    ("targetFilters", "InvalidTargetFilterNameException"),
    ("targetInstances", "InvalidTargetInstancesException"),
    ("trafficRoutingConfig", "InvalidTrafficRoutingConfigurationException"),
    ("triggerConfigurations", "InvalidTriggerConfigException"),
    ("zonalConfig", "InvalidZonalDeploymentConfigurationException"),
];

/// What an operation answers for a member, missing or malformed, where its errors in the model have no other.
const OF_OPERATION: &[(&str, &str, &str)] = &[
    ("CreateDeployment", "deploymentConfigName", "InvalidDeploymentConfigNameException"),
    ("CreateDeployment", "targetInstances", "InvalidTargetInstancesException"),
    ("CreateDeploymentGroup", "deploymentConfigName", "InvalidDeploymentConfigNameException"),
    ("UpdateDeploymentGroup", "deploymentConfigName", "InvalidDeploymentConfigNameException"),
];

/// What is answered for a member that has no shape of its own.
const OTHERWISE: &str = "InvalidInputException";

/// The error for an input that breaks the model's constraints: a missing member before a malformed one.
pub fn violation(operation: &str, violations: &[Violation]) -> Error {
    let missing = violations.iter().find(|violation| is_missing(violation));
    let Some(first) = missing.or(violations.first()) else {
        return Error::new(OTHERWISE, "The input breaks a constraint of the model.");
    };
    let table = if missing.is_some() { REQUIRED } else { INVALID };
    let code = of_operation(operation, &first.path).unwrap_or_else(|| look_up(table, &first.path));
    Error::new(code, aws::validation_message(violations))
}

fn of_operation(operation: &str, path: &str) -> Option<&'static str> {
    let fits = |(of, member, _): &&(&str, &str, &str)| *of == operation && path.split('.').any(|part| part == *member);
    OF_OPERATION.iter().find(fits).map(|(_, _, exception)| *exception)
}

fn is_missing(violation: &Violation) -> bool {
    let empty = violation.value.as_deref().is_some_and(str::is_empty);
    matches!(violation.constraint, Constraint::NotNull)
        || (empty && matches!(violation.constraint, Constraint::MinimumLength(_)))
}

fn look_up(table: &[(&str, &'static str)], path: &str) -> &'static str {
    path.rsplit('.')
        .find_map(|member| table.iter().find(|(name, _)| *name == member))
        .map_or(OTHERWISE, |(_, exception)| exception)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, value: Option<&str>, constraint: Constraint) -> Violation {
        Violation { path: path.to_owned(), value: value.map(str::to_owned), constraint }
    }

    const PATTERN: Constraint = Constraint::Pattern("[A-Za-z0-9+=,.@_-]*");

    #[test]
    fn each_member_answers_with_its_own_shape() {
        for (path, value, constraint, code) in [
            ("applicationName", None, Constraint::NotNull, "ApplicationNameRequiredException"),
            ("applicationName", Some(""), Constraint::MinimumLength(1.0), "ApplicationNameRequiredException"),
            ("applicationName", Some("a b"), PATTERN, "InvalidApplicationNameException"),
            ("deploymentConfigName", Some("a/b"), PATTERN, "InvalidDeploymentConfigNameException"),
            ("serviceRoleArn", None, Constraint::NotNull, "RoleRequiredException"),
            ("computePlatform", Some("Vax"), Constraint::Values(&["Server"]), "InvalidComputePlatformException"),
            ("revision.s3Location.bundleType", Some("rar"), Constraint::Values(&["zip"]), "InvalidRevisionException"),
            (
                "onPremisesTagSet.onPremisesTagSetList.1.member.1.member.Type",
                Some("X"),
                Constraint::Values(&[]),
                "InvalidTagException",
            ),
            ("somethingNew", Some("x"), PATTERN, "InvalidInputException"),
        ] {
            assert_eq!(violation("GetDeploymentConfig", &[broken(path, value, constraint)]).code, code, "{path}");
        }
    }

    #[test]
    fn an_operation_answers_only_with_what_its_model_declares() {
        let empty = || [broken("deploymentConfigName", Some(""), Constraint::MinimumLength(1.0))];
        for (operation, code) in [
            ("GetDeploymentConfig", "DeploymentConfigNameRequiredException"),
            ("CreateDeployment", "InvalidDeploymentConfigNameException"),
            ("UpdateDeploymentGroup", "InvalidDeploymentConfigNameException"),
        ] {
            assert_eq!(violation(operation, &empty()).code, code, "{operation}");
        }
        let nested = [broken("targetInstances.tagFilters.1.member.Type", Some("X"), Constraint::Values(&[]))];
        assert_eq!(violation("CreateDeployment", &nested).code, "InvalidTargetInstancesException");
    }

    #[test]
    fn a_missing_member_is_told_before_a_malformed_one() {
        let violations =
            [broken("applicationName", Some("a b"), PATTERN), broken("revision", None, Constraint::NotNull)];
        let error = violation("GetApplicationRevision", &violations);
        assert_eq!(error.code, "RevisionRequiredException");
        assert!(error.message.contains("applicationName"), "{}", error.message);
    }

    #[test]
    fn the_tables_are_sorted_and_name_each_member_once() {
        for table in [REQUIRED, INVALID] {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0), "{table:?}");
        }
    }
}
