//! Whether one action is declared as its type demands.

use super::catalogue::{self, ActionType};
use super::definition::Action;
use super::invalid::Invalid;

/// Checks an action by itself; how it hangs together with others is [`wiring`](super::wiring)'s.
///
/// # Errors
/// The first broken rule.
pub fn check_action(action: &Action, region: &str) -> Result<(), Invalid> {
    let kind = catalogue::find(&action.kind).ok_or_else(|| unavailable(action, region))?;
    check_commands(action)?;
    check_count(action, "input", action.inputs.len(), kind.inputs)?;
    check_count(action, "output", action.outputs.len(), kind.outputs)?;
    check_settings(action, kind)?;
    check_timeout(action)?;
    check_region(action, region)
}

fn check_timeout(action: &Action) -> Result<(), Invalid> {
    if action.timeout_minutes.is_some() && action.kind.category != "Approval" {
        let text = format!(
            "The following action cannot contain a timeoutInMinutes field: {}. Only approval actions have one",
            action.name
        );
        return Err(Invalid::action(text));
    }
    Ok(())
}

fn unavailable(action: &Action, region: &str) -> Invalid {
    let kind = &action.kind;
    Invalid::action(format!(
        "ActionType (Category: '{}', Provider: '{}', Owner: '{}', Version: '{}') in action '{}' is not available in region '{}'",
        kind.category,
        kind.provider,
        kind.owner,
        kind.version,
        action.name,
        region.to_uppercase().replace('-', "_"),
    ))
}

fn check_count(action: &Action, what: &str, count: usize, (least, most): (usize, usize)) -> Result<(), Invalid> {
    let name = &action.name;
    if count < least {
        let text =
            format!("Action {name} declares {count} {what} artifacts which is less than the minimum count ({least})");
        return Err(Invalid::action(text));
    }
    if count > most {
        let text =
            format!("Action {name} declares {count} {what} artifacts which is more than the maximum count ({most})");
        return Err(Invalid::action(text));
    }
    Ok(())
}

fn check_settings(action: &Action, kind: &ActionType) -> Result<(), Invalid> {
    let name = &action.name;
    if let Some(missing) = kind.required.iter().find(|key| !action.configuration.contains_key(**key)) {
        let text = format!("Action configuration for action '{name}' is missing required configuration '{missing}'");
        return Err(Invalid::action(text));
    }
    if let Some(unknown) = action.configuration.keys().find(|key| !kind.knows(key)) {
        let text = format!("Action configuration for action '{name}' contains unknown configuration '{unknown}'");
        return Err(Invalid::action(text));
    }
    check_primary_source(action)?;
    check_object_key(action)
}

/// Deploy/S3: an artifact that is not extracted needs a key to lie under.
fn check_object_key(action: &Action) -> Result<(), Invalid> {
    if !action.kind.is_aws("Deploy", "S3") {
        return Ok(());
    }
    let name = &action.name;
    match action.setting("Extract").unwrap_or_default().to_ascii_lowercase().as_str() {
        "true" => Ok(()),
        "false" if action.setting("ObjectKey").is_some() => Ok(()),
        "false" => Err(Invalid::action(format!(
            "Action configuration for action '{name}' is missing required configuration 'ObjectKey', which Extract=false needs"
        ))),
        _ => Err(Invalid::action(format!("Extract of action '{name}' must be true or false"))),
    }
}

fn check_primary_source(action: &Action) -> Result<(), Invalid> {
    if action.kind.provider != "CodeBuild" {
        return Ok(());
    }
    let name = &action.name;
    match action.setting("PrimarySource") {
        None if action.inputs.len() > 1 => Err(Invalid::action(format!(
            "Action configuration for action '{name}' is missing required configuration 'PrimarySource', which says which of its input artifacts is the primary one"
        ))),
        Some(primary) if !action.inputs.iter().any(|input| input == primary) => Err(Invalid::action(format!(
            "PrimarySource '{primary}' of action '{name}' is not one of its input artifacts ({})",
            action.inputs.join(", ")
        ))),
        _ => Ok(()),
    }
}

fn check_commands(action: &Action) -> Result<(), Invalid> {
    let name = &action.name;
    let is_compute = action.kind.category == "Compute";
    if is_compute && action.commands.is_empty() {
        return Err(Invalid::action(format!("Action {name} must have a non-empty commands field")));
    }
    if !is_compute && (!action.commands.is_empty() || action.names_output_files) {
        let text = format!(
            "The following action cannot contain a commands field: {name}. To use the commands field, use a compute action."
        );
        return Err(Invalid::action(text));
    }
    Ok(())
}

fn check_region(action: &Action, region: &str) -> Result<(), Invalid> {
    let elsewhere = action.region.as_deref().filter(|other| *other != region);
    let stays = action.kind.category == "Source" || action.kind.owner != "AWS";
    match elsewhere {
        Some(other) if stays => {
            let text = format!(
                "Action {} cannot run in region {other}: source, third-party and custom actions run in the pipeline's own region ({region})",
                action.name
            );
            Err(Invalid::action(text))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::ActionKind;
    use super::super::samples::{build, deploy, source};
    use super::*;

    fn refusal(action: &Action) -> String {
        check_action(action, "us-east-1").expect_err("should be refused").text
    }

    #[test]
    fn an_unknown_type_is_named_with_all_its_parts() {
        let mut action = source("A", "Out");
        action.kind.owner = "Custom".into();
        action.kind.provider = "P".into();
        assert_eq!(
            refusal(&action),
            "ActionType (Category: 'Source', Provider: 'P', Owner: 'Custom', Version: '1') in action 'A' is not available in region 'US_EAST_1'"
        );
    }

    #[test]
    fn artifacts_are_counted() {
        let mut action = deploy("X", "In");
        action.inputs.clear();
        assert_eq!(refusal(&action), "Action X declares 0 input artifacts which is less than the minimum count (1)");
        action.inputs = vec!["A".into(), "B".into()];
        assert_eq!(refusal(&action), "Action X declares 2 input artifacts which is more than the maximum count (1)");
        let mut action = deploy("X", "In");
        action.outputs = vec!["O".into()];
        assert_eq!(refusal(&action), "Action X declares 1 output artifacts which is more than the maximum count (0)");
    }

    #[test]
    fn settings_are_checked_both_ways() {
        let mut action = source("S", "Out");
        action.configuration.insert("Brnch".into(), "main".into());
        assert_eq!(refusal(&action), "Action configuration for action 'S' contains unknown configuration 'Brnch'");
        action.configuration.remove("BranchName");
        assert_eq!(
            refusal(&action),
            "Action configuration for action 'S' is missing required configuration 'BranchName'"
        );
    }

    #[test]
    fn a_build_with_two_inputs_names_its_primary_source() {
        let mut action = build("B", "One", "Out");
        action.inputs.push("Two".into());
        assert!(refusal(&action).contains("missing required configuration 'PrimarySource'"));
        action.configuration.insert("PrimarySource".into(), "Three".into());
        assert!(refusal(&action).contains("not one of its input artifacts (One, Two)"));
        action.configuration.insert("PrimarySource".into(), "Two".into());
        assert_eq!(check_action(&action, "us-east-1"), Ok(()));
    }

    #[test]
    fn commands_belong_to_compute_actions() {
        let mut action = build("X", "In", "Out");
        action.commands = vec!["make".into()];
        assert_eq!(
            refusal(&action),
            "The following action cannot contain a commands field: X. To use the commands field, use a compute action."
        );
        action.kind.category = "Compute".into();
        action.kind.provider = "Commands".into();
        action.configuration.clear();
        assert_eq!(check_action(&action, "us-east-1"), Ok(()));
        action.commands.clear();
        assert_eq!(refusal(&action), "Action X must have a non-empty commands field");
    }

    #[test]
    fn only_approvals_have_a_time_limit_of_their_own() {
        let mut action = build("B", "In", "Out");
        action.timeout_minutes = Some(10);
        assert!(refusal(&action).contains("timeoutInMinutes field: B"));
        let approval = Action {
            kind: ActionKind { category: "Approval".into(), provider: "Manual".into(), ..action.kind.clone() },
            timeout_minutes: Some(10),
            ..Action::default()
        };
        assert_eq!(check_action(&approval, "us-east-1"), Ok(()));
    }

    #[test]
    fn an_artifact_deployed_whole_needs_a_key() {
        let mut action = deploy("D", "In");
        action.kind.provider = "S3".into();
        let set = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        for (pairs, accepted) in [
            (vec![("BucketName", "b"), ("Extract", "true")], true),
            (vec![("BucketName", "b"), ("Extract", "True"), ("ObjectKey", "site")], true),
            (vec![("BucketName", "b"), ("Extract", "false"), ("ObjectKey", "app.zip")], true),
            (vec![("BucketName", "b"), ("Extract", "false")], false),
            (vec![("BucketName", "b"), ("Extract", "maybe")], false),
        ] {
            action.configuration = set(&pairs);
            assert_eq!(check_action(&action, "us-east-1").is_ok(), accepted, "{pairs:?}");
        }
    }

    #[test]
    fn a_source_stays_in_the_pipelines_region() {
        let mut action = source("S", "Out");
        action.region = Some("eu-west-1".into());
        assert!(refusal(&action).contains("cannot run in region eu-west-1"));
        action.region = Some("us-east-1".into());
        assert_eq!(check_action(&action, "us-east-1"), Ok(()));
    }
}
