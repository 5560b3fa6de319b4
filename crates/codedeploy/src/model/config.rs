//! Deployment configurations: AWS's own and custom ones.

use crate::rules::wave::MinimumHealthy;
use kernel::tags::Tags;
use kernel::{Document, Timestamp};
use serde::{Deserialize, Serialize};

/// What a group uses that names no configuration.
pub const DEFAULT_CONFIG: &str = "CodeDeployDefault.OneAtATime";

/// How one of AWS's own configurations deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predefined {
    /// To hosts, of which so many stay healthy.
    Server(MinimumHealthy),
    /// To a Lambda function's alias.
    Lambda(Traffic),
    /// To an ECS service.
    Ecs(Traffic),
}

/// How traffic moves to a new version: a percentage, and minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// At once.
    AllAtOnce,
    /// A share first, the rest after an interval.
    Canary(i32, i32),
    /// Equal shares with an interval between them.
    Linear(i32, i32),
}

/// AWS's configurations; they cannot be changed or deleted. Source: CodeDeploy user guide, "Predefined deployment
/// configurations" for the three compute platforms.
pub const PREDEFINED: [(&str, Predefined); 17] = [
    ("CodeDeployDefault.AllAtOnce", Predefined::Server(MinimumHealthy::HostCount(0))),
    ("CodeDeployDefault.ECSAllAtOnce", Predefined::Ecs(Traffic::AllAtOnce)),
    ("CodeDeployDefault.ECSCanary10Percent15Minutes", Predefined::Ecs(Traffic::Canary(10, 15))),
    ("CodeDeployDefault.ECSCanary10Percent5Minutes", Predefined::Ecs(Traffic::Canary(10, 5))),
    ("CodeDeployDefault.ECSLinear10PercentEvery1Minutes", Predefined::Ecs(Traffic::Linear(10, 1))),
    ("CodeDeployDefault.ECSLinear10PercentEvery3Minutes", Predefined::Ecs(Traffic::Linear(10, 3))),
    ("CodeDeployDefault.HalfAtATime", Predefined::Server(MinimumHealthy::FleetPercent(50))),
    ("CodeDeployDefault.LambdaAllAtOnce", Predefined::Lambda(Traffic::AllAtOnce)),
    ("CodeDeployDefault.LambdaCanary10Percent10Minutes", Predefined::Lambda(Traffic::Canary(10, 10))),
    ("CodeDeployDefault.LambdaCanary10Percent15Minutes", Predefined::Lambda(Traffic::Canary(10, 15))),
    ("CodeDeployDefault.LambdaCanary10Percent30Minutes", Predefined::Lambda(Traffic::Canary(10, 30))),
    ("CodeDeployDefault.LambdaCanary10Percent5Minutes", Predefined::Lambda(Traffic::Canary(10, 5))),
    ("CodeDeployDefault.LambdaLinear10PercentEvery10Minutes", Predefined::Lambda(Traffic::Linear(10, 10))),
    ("CodeDeployDefault.LambdaLinear10PercentEvery1Minute", Predefined::Lambda(Traffic::Linear(10, 1))),
    ("CodeDeployDefault.LambdaLinear10PercentEvery2Minutes", Predefined::Lambda(Traffic::Linear(10, 2))),
    ("CodeDeployDefault.LambdaLinear10PercentEvery3Minutes", Predefined::Lambda(Traffic::Linear(10, 3))),
    (DEFAULT_CONFIG, Predefined::Server(MinimumHealthy::OneAtATime)),
];

/// The predefined configuration of this name.
pub fn predefined(name: &str) -> Option<Predefined> {
    PREDEFINED.iter().find(|(predefined, _)| *predefined == name).map(|(_, config)| *config)
}

/// A custom configuration for hosts. Nothing but its tags changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeploymentConfig {
    /// The unique name.
    pub name: String,
    /// A UUID.
    pub id: String,
    /// Hosts that stay healthy.
    pub minimum: MinimumHealthy,
    /// When it was made.
    pub created: Timestamp,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Document for DeploymentConfig {
    const KIND: &'static str = "codedeploy.config";

    fn key(&self) -> String {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_predefined_configurations_are_sorted_and_say_in_their_names_what_they_do() {
        assert!(PREDEFINED.is_sorted_by(|a, b| a.0 < b.0));
        for (name, config) in PREDEFINED {
            let rest = name.strip_prefix("CodeDeployDefault.").unwrap_or_default();
            let (platform, traffic) = match config {
                Predefined::Server(_) => continue,
                Predefined::Lambda(traffic) => ("Lambda", traffic),
                Predefined::Ecs(traffic) => ("ECS", traffic),
            };
            let said = match traffic {
                Traffic::AllAtOnce => format!("{platform}AllAtOnce"),
                Traffic::Canary(percent, minutes) => format!("{platform}Canary{percent}Percent{minutes}Minute"),
                Traffic::Linear(percent, minutes) => format!("{platform}Linear{percent}PercentEvery{minutes}Minute"),
            };
            assert_eq!(rest.trim_end_matches('s'), said);
        }
        assert_eq!(predefined("CodeDeployDefault.None"), None);
    }
}
