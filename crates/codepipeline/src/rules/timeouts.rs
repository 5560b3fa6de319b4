//! How long an action may take (user guide, "Quotas": action timeouts).

use std::time::Duration;

use super::definition::ActionKind;

const HOUR: u64 = 60 * 60;

/// The time after which an action of that type fails.
#[must_use]
pub fn action_timeout(kind: &ActionKind) -> Duration {
    let hours = match (kind.category.as_str(), kind.provider.as_str()) {
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
            assert_eq!(action_timeout(&kind).as_secs(), hours * HOUR, "{category}/{provider}");
        }
    }
}
