//! How long an action may take (user guide, "Quotas": action timeouts).

use std::time::Duration;

use super::definition::Action;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The time after which an action fails: as declared, else as its type has it.
#[must_use]
pub fn action_timeout(action: &Action) -> Duration {
    if let Some(minutes) = action.timeout_minutes.and_then(|minutes| u64::try_from(minutes).ok()) {
        return Duration::from_secs(minutes * MINUTE);
    }
    let hours = match (action.kind.category.as_str(), action.kind.provider.as_str()) {
        ("Deploy", "S3") => return Duration::from_secs(90 * MINUTE),
        ("Build", "CodeBuild") => 36,
        ("Test", "CodeBuild") => 8,
        ("Deploy", "CodeDeploy" | "CodeDeployToECS") => 5 * 24,
        ("Deploy", "CloudFormation" | "CloudFormationStackSet" | "CloudFormationStackInstances") => 3 * 24,
        ("Approval", _) | ("Invoke", "StepFunctions") => 7 * 24,
        ("Invoke", "Lambda") => 24,
        _ => 1,
    };
    Duration::from_secs(hours * HOUR)
}

#[cfg(test)]
mod tests {
    use super::super::definition::ActionKind;
    use super::*;

    #[test]
    fn each_type_has_the_time_that_aws_gives_it() {
        for (category, provider, hours) in [
            ("Build", "CodeBuild", 36),
            ("Test", "CodeBuild", 8),
            ("Deploy", "CodeDeploy", 120),
            ("Approval", "Manual", 168),
            ("Source", "CodeCommit", 1),
        ] {
            let kind = ActionKind { category: category.into(), provider: provider.into(), ..ActionKind::default() };
            let action = Action { kind, ..Action::default() };
            assert_eq!(action_timeout(&action).as_secs(), hours * HOUR, "{category}/{provider}");
            let declared = Action { timeout_minutes: Some(5), ..action };
            assert_eq!(action_timeout(&declared).as_secs(), 5 * MINUTE, "{category}/{provider}");
        }
    }
}
