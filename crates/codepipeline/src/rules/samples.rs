//! Definitions that the rules' tests start from.

use super::definition::{Action, ActionKind, Definition, Stage};

fn action(name: &str, category: &str, provider: &str, settings: &[(&str, &str)]) -> Action {
    Action {
        name: name.into(),
        kind: ActionKind {
            category: category.into(),
            owner: "AWS".into(),
            provider: provider.into(),
            version: "1".into(),
        },
        run_order: 1,
        configuration: settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        ..Action::default()
    }
}

/// A CodeCommit source.
pub(super) fn source(name: &str, output: &str) -> Action {
    let settings = [("RepositoryName", "app"), ("BranchName", "main")];
    Action { outputs: vec![output.into()], ..action(name, "Source", "CodeCommit", &settings) }
}

/// A CodeBuild build.
pub(super) fn build(name: &str, input: &str, output: &str) -> Action {
    let build = action(name, "Build", "CodeBuild", &[("ProjectName", "app")]);
    Action { inputs: vec![input.into()], outputs: vec![output.into()], ..build }
}

/// A CodeDeploy deployment.
pub(super) fn deploy(name: &str, input: &str) -> Action {
    let settings = [("ApplicationName", "app"), ("DeploymentGroupName", "hosts")];
    Action { inputs: vec![input.into()], ..action(name, "Deploy", "CodeDeploy", &settings) }
}

/// A stage.
pub(super) fn stage(name: &str, actions: Vec<Action>) -> Stage {
    Stage { name: name.into(), actions, ..Stage::default() }
}

/// Source → Build → Deploy.
pub(super) fn pipeline() -> Definition {
    Definition {
        name: "app".into(),
        version: 1,
        role: "arn:aws:iam::000000000000:role/pipeline".into(),
        store: Some("artifacts".into()),
        stages: vec![
            stage("Source", vec![source("Git", "Code")]),
            stage("Build", vec![build("Compile", "Code", "Built")]),
            stage("Deploy", vec![deploy("Deploy", "Built")]),
        ],
        ..Definition::default()
    }
}
