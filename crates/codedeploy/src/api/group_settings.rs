//! What a deployment group may be set to.
//!
//! What this version does not do (load balancers, Auto Scaling, alarms, triggers, blue/green) is refused here with
//! the setting's own error, so that no group promises what its deployments would not keep.

use crate::rules::tags::{Filter, FilterError, Selection};
use crate::run::selection;
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;

/// Lays the given settings over a group's: what is absent stays, an empty list clears. A role is of the group's
/// `account`.
pub(super) fn apply(
    info: &mut DeploymentGroupInfo,
    settings: UpdateDeploymentGroupInput,
    account: &str,
) -> Result<(), Error> {
    refuse_unbuilt(&settings)?;
    put(&mut info.deployment_config_name, settings.deployment_config_name);
    if info.service_role_arn.is_none() || settings.service_role_arn.is_some() {
        check_role(settings.service_role_arn.as_deref(), account)?;
    }
    put(&mut info.service_role_arn, settings.service_role_arn);
    put(&mut info.auto_rollback_configuration, settings.auto_rollback_configuration);
    put(&mut info.outdated_instances_strategy, settings.outdated_instances_strategy);
    put(&mut info.alarm_configuration, settings.alarm_configuration);
    apply_tags(
        info,
        settings.ec2_tag_filters,
        settings.ec2_tag_set,
        settings.on_premises_instance_tag_filters,
        settings.on_premises_tag_set,
    )?;
    check_rollback(info.auto_rollback_configuration.as_ref())
}

fn put<T>(setting: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *setting = given;
    }
}

/// Filters and sets exclude each other; giving one form replaces the other.
fn apply_tags(
    info: &mut DeploymentGroupInfo,
    ec2_filters: Option<Vec<EC2TagFilter>>,
    ec2_set: Option<EC2TagSet>,
    filters: Option<Vec<TagFilter>>,
    set: Option<OnPremisesTagSet>,
) -> Result<(), Error> {
    if given(&ec2_filters) && ec2_set.is_some() {
        let message = "Give either ec2TagFilters or ec2TagSet, not both.";
        return Err(error::invalid_ec2_tag_combination_exception(message));
    }
    if given(&filters) && set.is_some() {
        let message = "Give either onPremisesInstanceTagFilters or onPremisesTagSet, not both.";
        return Err(error::invalid_on_premises_tag_combination_exception(message));
    }
    check_ec2(ec2_filters.as_deref(), ec2_set.as_ref())?;
    if ec2_filters.is_some() || ec2_set.is_some() {
        (info.ec2_tag_filters, info.ec2_tag_set) = (ec2_filters, ec2_set);
    }
    if filters.is_some() || set.is_some() {
        (info.on_premises_instance_tag_filters, info.on_premises_tag_set) = (filters, set);
    }
    selection(info).map(|_| ()).map_err(|broken| match broken {
        FilterError::TooMany(_) => error::tag_set_list_limit_exceeded_exception(broken.to_string()),
        _ => error::invalid_tag_exception(broken.to_string()),
    })
}

/// Tags of EC2 instances are kept but choose nothing, since there are none here.
fn check_ec2(filters: Option<&[EC2TagFilter]>, set: Option<&EC2TagSet>) -> Result<(), Error> {
    let lists = set.and_then(|set| set.ec2_tag_set_list.clone()).unwrap_or_default();
    let lists = lists.iter().map(Vec::as_slice).chain(filters);
    let parse = |it: &EC2TagFilter| Filter::parse(it.type_.as_deref(), it.key.as_deref(), it.value.as_deref());
    let lists: Result<Vec<Vec<Filter>>, _> = lists.map(|list| list.iter().map(parse).collect()).collect();
    lists.and_then(Selection::new).map(|_| ()).map_err(|broken| match broken {
        FilterError::TooMany(_) => error::tag_set_list_limit_exceeded_exception(broken.to_string()),
        _ => error::invalid_ec2_tag_exception(broken.to_string()),
    })
}

fn given<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}

fn check_role(role: Option<&str>, account: &str) -> Result<(), Error> {
    let role = role.unwrap_or_default();
    if role.is_empty() {
        return Err(error::role_required_exception("The serviceRoleArn of the deployment group is missing."));
    }
    match role.parse::<kernel::Arn>() {
        Ok(arn) if arn.service == "iam" && arn.resource.starts_with("role/") && arn.account == account => Ok(()),
        _ => Err(error::invalid_role_exception(format!("'{role}' is not the ARN of an IAM role of {account}."))),
    }
}

/// Events that can cause a rollback.
const ROLLBACK_EVENTS: usize = 3;
/// Most alarms of a group (CodeDeploy quotas).
const ALARMS: usize = 10;
/// Longest name of an alarm, in characters (CodeDeploy quotas).
const ALARM_NAME: usize = 255;

/// The rule for rolling back, of a group or of one deployment.
pub(super) fn check_rollback(rule: Option<&AutoRollbackConfiguration>) -> Result<(), Error> {
    let Some(rule) = rule else { return Ok(()) };
    if rule.events.as_ref().is_some_and(|events| events.len() > ROLLBACK_EVENTS) {
        let message = "An autoRollbackConfiguration names each of the three events at most once.";
        return Err(error::invalid_auto_rollback_config_exception(message));
    }
    if rule.enabled == Some(true) && !given(&rule.events) {
        let message = "An enabled autoRollbackConfiguration needs at least one of DEPLOYMENT_FAILURE, DEPLOYMENT_STOP_ON_ALARM and DEPLOYMENT_STOP_ON_REQUEST.";
        return Err(error::invalid_auto_rollback_config_exception(message));
    }
    Ok(())
}

/// An alarm rule: one that would be evaluated is refused.
pub(super) fn check_alarms(rule: Option<&AlarmConfiguration>) -> Result<(), Error> {
    let Some(rule) = rule else { return Ok(()) };
    let alarms = rule.alarms.as_deref().unwrap_or_default();
    if alarms.len() > ALARMS {
        return Err(error::alarms_limit_exceeded_exception(format!("At most {ALARMS} alarms can be named.")));
    }
    let too_long = |alarm: &Alarm| alarm.name.as_ref().is_some_and(|name| name.chars().count() > ALARM_NAME);
    if alarms.iter().any(too_long) {
        let message = format!("An alarm's name has at most {ALARM_NAME} characters.");
        return Err(error::invalid_alarm_config_exception(message));
    }
    if rule.enabled == Some(true) {
        let message = "Alarms are not evaluated in this version of Landfall: disable the alarm configuration.";
        return Err(error::invalid_alarm_config_exception(message));
    }
    Ok(())
}

fn refuse_unbuilt(settings: &UpdateDeploymentGroupInput) -> Result<(), Error> {
    check_alarms(settings.alarm_configuration.as_ref())?;
    if let Some(style) = &settings.deployment_style {
        check_style(style)?;
    }
    let unbuilt = |what: &str| format!("{what} are not built in this version of Landfall.");
    if settings.load_balancer_info.is_some() {
        return Err(error::invalid_load_balancer_info_exception(unbuilt("Load balancers of deployment groups")));
    }
    if settings.blue_green_deployment_configuration.is_some() {
        return Err(error::invalid_blue_green_deployment_configuration_exception(unbuilt("Blue/green deployments")));
    }
    if given(&settings.ecs_services) {
        let message = "Should not specify ECS services parameter for Server deployment group.";
        return Err(error::invalid_ecs_service_exception(message));
    }
    if given(&settings.auto_scaling_groups) || settings.termination_hook_enabled == Some(true) {
        return Err(error::invalid_auto_scaling_group_exception(unbuilt("Auto Scaling groups")));
    }
    if given(&settings.trigger_configurations) {
        return Err(error::invalid_trigger_config_exception(unbuilt("Triggers")));
    }
    Ok(())
}

fn check_style(style: &DeploymentStyle) -> Result<(), Error> {
    let kind = style.deployment_type.as_deref().unwrap_or(deployment_type::IN_PLACE);
    let option = style.deployment_option.as_deref().unwrap_or(deployment_option::WITHOUT_TRAFFIC_CONTROL);
    if kind == deployment_type::IN_PLACE && option == deployment_option::WITHOUT_TRAFFIC_CONTROL {
        return Ok(());
    }
    let message = format!(
        "The style {kind} {option} is not built in this version of Landfall: use IN_PLACE and WITHOUT_TRAFFIC_CONTROL."
    );
    Err(error::invalid_deployment_style_exception(message))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ACCOUNT: &str = "123456789012";

    fn tag(value: &str) -> TagFilter {
        TagFilter {
            key: Some("Env".to_owned()),
            value: Some(value.to_owned()),
            type_: Some("KEY_AND_VALUE".to_owned()),
        }
    }

    fn role() -> UpdateDeploymentGroupInput {
        let service_role_arn = Some("arn:aws:iam::123456789012:role/deploy".to_owned());
        UpdateDeploymentGroupInput { service_role_arn, ..UpdateDeploymentGroupInput::default() }
    }

    #[test]
    fn absent_settings_stay_and_an_empty_list_clears() {
        let mut info = DeploymentGroupInfo::default();
        let on_premises_instance_tag_filters = Some(vec![tag("prod")]);
        apply(&mut info, UpdateDeploymentGroupInput { on_premises_instance_tag_filters, ..role() }, ACCOUNT).unwrap();
        apply(&mut info, UpdateDeploymentGroupInput::default(), ACCOUNT).unwrap();
        assert_eq!(info.on_premises_instance_tag_filters, Some(vec![tag("prod")]));
        let on_premises_instance_tag_filters = Some(Vec::new());
        apply(
            &mut info,
            UpdateDeploymentGroupInput { on_premises_instance_tag_filters, ..Default::default() },
            ACCOUNT,
        )
        .unwrap();
        assert_eq!(info.on_premises_instance_tag_filters, Some(Vec::new()));
    }

    #[test]
    fn a_tag_set_replaces_filters_and_both_at_once_are_refused() {
        let mut info = DeploymentGroupInfo::default();
        let set = Some(OnPremisesTagSet { on_premises_tag_set_list: Some(vec![vec![tag("prod")]]) });
        let filters = Some(vec![tag("test")]);
        apply(
            &mut info,
            UpdateDeploymentGroupInput { on_premises_instance_tag_filters: filters.clone(), ..role() },
            ACCOUNT,
        )
        .unwrap();
        apply(&mut info, UpdateDeploymentGroupInput { on_premises_tag_set: set.clone(), ..role() }, ACCOUNT).unwrap();
        assert_eq!((&info.on_premises_instance_tag_filters, &info.on_premises_tag_set), (&None, &set));
        let both = UpdateDeploymentGroupInput {
            on_premises_instance_tag_filters: filters,
            on_premises_tag_set: set,
            ..role()
        };
        assert_eq!(apply(&mut info, both, ACCOUNT).unwrap_err().code, "InvalidOnPremisesTagCombinationException");
    }

    #[test]
    fn what_a_group_keeps_is_bounded() {
        let many = |count| Some(vec![EC2TagFilter { key: Some("Env".to_owned()), ..Default::default() }; count]);
        let alarms =
            |count| Some(AlarmConfiguration { alarms: Some(vec![Alarm::default(); count]), ..Default::default() });
        let events = |count| AutoRollbackConfiguration {
            enabled: None,
            events: Some(vec!["DEPLOYMENT_FAILURE".to_owned(); count]),
        };
        let ok = UpdateDeploymentGroupInput {
            ec2_tag_filters: many(10),
            alarm_configuration: alarms(10),
            auto_rollback_configuration: Some(events(3)),
            ..role()
        };
        apply(&mut DeploymentGroupInfo::default(), ok, ACCOUNT).unwrap();
        for (settings, code) in [
            (UpdateDeploymentGroupInput { ec2_tag_filters: many(11), ..role() }, "TagSetListLimitExceededException"),
            (
                UpdateDeploymentGroupInput { ec2_tag_filters: Some(vec![EC2TagFilter::default()]), ..role() },
                "InvalidEC2TagException",
            ),
            (UpdateDeploymentGroupInput { alarm_configuration: alarms(11), ..role() }, "AlarmsLimitExceededException"),
            (
                UpdateDeploymentGroupInput { auto_rollback_configuration: Some(events(4)), ..role() },
                "InvalidAutoRollbackConfigException",
            ),
        ] {
            assert_eq!(apply(&mut DeploymentGroupInfo::default(), settings, ACCOUNT).unwrap_err().code, code);
        }
    }

    #[test]
    fn what_is_wrong_or_not_built_is_refused_with_the_setting_s_own_error() {
        let enabled = Some(true);
        let input = UpdateDeploymentGroupInput::default;
        for (settings, code) in [
            (input(), "RoleRequiredException"),
            (
                UpdateDeploymentGroupInput { service_role_arn: Some("role".to_owned()), ..input() },
                "InvalidRoleException",
            ),
            (
                UpdateDeploymentGroupInput {
                    service_role_arn: Some("arn:aws:iam::999999999999:role/deploy".to_owned()),
                    ..input()
                },
                "InvalidRoleException",
            ),
            (
                UpdateDeploymentGroupInput {
                    alarm_configuration: Some(AlarmConfiguration { enabled, ..Default::default() }),
                    ..role()
                },
                "InvalidAlarmConfigException",
            ),
            (
                UpdateDeploymentGroupInput {
                    auto_rollback_configuration: Some(AutoRollbackConfiguration { enabled, events: None }),
                    ..role()
                },
                "InvalidAutoRollbackConfigException",
            ),
            (
                UpdateDeploymentGroupInput { load_balancer_info: Some(LoadBalancerInfo::default()), ..role() },
                "InvalidLoadBalancerInfoException",
            ),
            (
                UpdateDeploymentGroupInput { ecs_services: Some(vec![ECSService::default()]), ..role() },
                "InvalidECSServiceException",
            ),
            (
                UpdateDeploymentGroupInput { auto_scaling_groups: Some(vec!["a".to_owned()]), ..role() },
                "InvalidAutoScalingGroupException",
            ),
            (
                UpdateDeploymentGroupInput { trigger_configurations: Some(vec![TriggerConfig::default()]), ..role() },
                "InvalidTriggerConfigException",
            ),
            (
                UpdateDeploymentGroupInput {
                    deployment_style: Some(DeploymentStyle {
                        deployment_type: Some("BLUE_GREEN".to_owned()),
                        deployment_option: None,
                    }),
                    ..role()
                },
                "InvalidDeploymentStyleException",
            ),
        ] {
            assert_eq!(apply(&mut DeploymentGroupInfo::default(), settings, ACCOUNT).unwrap_err().code, code);
        }
    }
}
