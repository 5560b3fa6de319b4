//! What a project may be (CodeBuild API Reference, `CreateProject`, and the texts that AWS answers with).

use std::collections::BTreeSet;

use aws::codebuild::{EnvironmentVariable, Project, ProjectArtifacts, ProjectEnvironment, ProjectSource};

use super::buildspec_location::BuildspecLocation;
use super::{compute, ids};

type Rule = Result<(), String>;

const GIT_PROVIDERS: [&str; 5] = ["GITHUB", "GITHUB_ENTERPRISE", "GITLAB", "GITLAB_SELF_MANAGED", "BITBUCKET"];
const UNBADGED: [&str; 3] = ["S3", "CODEPIPELINE", "NO_SOURCE"];

/// Checks a whole project of `account`.
///
/// # Errors
/// The first rule that it breaks: text of an InvalidInputException.
pub fn check(project: &Project, account: &str) -> Rule {
    let (source, artifacts) =
        (project.source.clone().unwrap_or_default(), project.artifacts.clone().unwrap_or_default());
    if !ids::is_project_name(project.name.as_deref().unwrap_or_default()) {
        return refuse("Only alphanumeric characters, dash, and underscore are supported");
    }
    check_source(&source)?;
    check_artifacts(&artifacts, false)?;
    check_pairing(&source, &artifacts)?;
    check_secondary(
        project.secondary_sources.as_deref().unwrap_or_default(),
        project.secondary_artifacts.as_deref().unwrap_or_default(),
    )?;
    check_environment(&project.environment.clone().unwrap_or_default())?;
    check_role(project.service_role.as_deref().unwrap_or_default(), account)?;
    check_limits(project)?;
    check_badge(project, source.type_.as_deref().unwrap_or_default())
}

fn refuse(text: impl Into<String>) -> Rule {
    Err(text.into())
}

/// Checks one source.
///
/// # Errors
/// The rule that it breaks.
pub fn check_source(source: &ProjectSource) -> Rule {
    let has_location = source.location.as_ref().is_some_and(|location| !location.is_empty());
    let provider = source.type_.as_deref().unwrap_or_default();
    match provider {
        "CODEPIPELINE" => {}
        "NO_SOURCE" if !BuildspecLocation::of(source.buildspec.as_deref()).is_inline() => {
            return refuse("Invalid project source: source type NO_SOURCE requires a buildspec given inline");
        }
        "NO_SOURCE" => {}
        "S3" | "CODECOMMIT" if has_location => {}
        _ if GIT_PROVIDERS.contains(&provider) && has_location => {}
        "S3" | "CODECOMMIT" => return refuse("Project source location is required"),
        _ if GIT_PROVIDERS.contains(&provider) => return refuse("Project source location is required"),
        _ => return refuse("Invalid type provided: Project source type"),
    }
    if source.report_build_status == Some(true) && !GIT_PROVIDERS.contains(&provider) {
        return refuse(format!("Invalid project source: source type {provider} does not support reportBuildStatus"));
    }
    Ok(())
}

/// Checks one artifact; `secondary` ones have an identifier and cannot be a pipeline's.
///
/// # Errors
/// The rule that it breaks.
pub fn check_artifacts(artifacts: &ProjectArtifacts, secondary: bool) -> Rule {
    let kind = artifacts.type_.as_deref().unwrap_or_default();
    let has_location = artifacts.location.as_ref().is_some_and(|location| !location.is_empty());
    match kind {
        "CODEPIPELINE" if secondary => {
            return refuse("Invalid artifacts: artifact type CODEPIPELINE is not allowed for secondary artifacts");
        }
        "NO_ARTIFACTS" if has_location => {
            return refuse("Invalid artifacts: artifact type NO_ARTIFACTS should have null location");
        }
        "S3" if !has_location => return refuse("Invalid artifacts: artifact type S3 should have a location"),
        "CODEPIPELINE" | "NO_ARTIFACTS" | "S3" => {}
        _ => return refuse("Invalid type provided: Artifact type"),
    }
    if artifacts.encryption_disabled == Some(true) && kind != "S3" {
        return refuse(format!("Invalid artifacts: artifact type {kind} does not support encryptionDisabled"));
    }
    Ok(())
}

/// A pipeline's source and a pipeline's artifacts come together.
///
/// # Errors
/// When only one of them is CODEPIPELINE.
pub fn check_pairing(source: &ProjectSource, artifacts: &ProjectArtifacts) -> Rule {
    let pipeline = |kind: &Option<String>| kind.as_deref() == Some("CODEPIPELINE");
    if pipeline(&source.type_) == pipeline(&artifacts.type_) {
        return Ok(());
    }
    refuse("Invalid input: source type CODEPIPELINE and artifacts type CODEPIPELINE must be used together")
}

/// Checks secondary sources and artifacts: each has a legal identifier of its own.
///
/// # Errors
/// The rule that they break.
pub fn check_secondary(sources: &[ProjectSource], artifacts: &[ProjectArtifacts]) -> Rule {
    check_identifiers(sources.iter().map(|source| source.source_identifier.as_deref()))?;
    check_identifiers(artifacts.iter().map(|artifact| artifact.artifact_identifier.as_deref()))?;
    sources.iter().try_for_each(check_source)?;
    artifacts.iter().try_for_each(|artifact| check_artifacts(artifact, true))
}

fn check_identifiers<'a>(identifiers: impl Iterator<Item = Option<&'a str>>) -> Rule {
    let mut seen = BTreeSet::new();
    for identifier in identifiers.map(Option::unwrap_or_default) {
        ids::check_identifier(identifier)?;
        if !seen.insert(identifier) {
            return refuse(format!("Invalid input: identifier {identifier} is used more than once"));
        }
    }
    Ok(())
}

/// Checks an environment: kind, size and variables.
///
/// # Errors
/// The rule that it breaks.
pub fn check_environment(environment: &ProjectEnvironment) -> Rule {
    let variables = environment.environment_variables.as_deref().unwrap_or_default();
    let mut names = BTreeSet::new();
    for variable in variables {
        check_variable(variable)?;
        if !names.insert(variable.name.as_deref()) {
            return refuse(format!("Duplicate environment variable: {}", variable.name.as_deref().unwrap_or_default()));
        }
    }
    if environment.registry_credential.is_some()
        && environment.image_pull_credentials_type.as_deref() != Some("SERVICE_ROLE")
    {
        return refuse("Invalid environment: registryCredential requires imagePullCredentialsType SERVICE_ROLE");
    }
    Ok(())
}

fn check_variable(variable: &EnvironmentVariable) -> Rule {
    let name = variable.name.as_deref().unwrap_or_default();
    if name.is_empty()
        || name.contains(['=', '\0'])
        || variable.value.as_ref().is_some_and(|value| value.contains('\0'))
    {
        return refuse(format!("Invalid environment variable name: {name:?}"));
    }
    if name.starts_with("CODEBUILD_") {
        return refuse(format!("Invalid environment variable name: {name}: the prefix CODEBUILD_ is reserved"));
    }
    Ok(())
}

/// Checks that Landfall can run builds in this environment.
///
/// # Errors
/// Which member names what it cannot run.
pub fn check_runnable(environment: &ProjectEnvironment) -> Rule {
    let kind = environment.type_.as_deref().unwrap_or_default();
    let size = environment.compute_type.as_deref().unwrap_or_default();
    if !compute::is_linux_container(kind) {
        return refuse(format!("Invalid type provided: {kind}. This server runs builds in Linux containers only"));
    }
    if compute::size(size).is_none() {
        return refuse(format!(
            "Invalid compute type provided: {size}. This server runs BUILD_GENERAL1_SMALL to BUILD_GENERAL1_2XLARGE"
        ));
    }
    Ok(())
}

fn check_role(role: &str, account: &str) -> Rule {
    let owner = role.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(3));
    match owner {
        Some(owner) if owner == account => Ok(()),
        Some(_) => refuse("Invalid service role: Service role account ID does not match caller's account"),
        None => refuse(format!("Invalid service role: {role} is not the ARN of a role")),
    }
}

fn check_limits(project: &Project) -> Rule {
    let within = |value: Option<i32>, range: std::ops::RangeInclusive<i32>, name: &str| match value {
        Some(value) if !range.contains(&value) => {
            refuse(format!("Invalid {name}: {value}. It must be between {} and {}", range.start(), range.end()))
        }
        _ => Ok(()),
    };
    within(project.timeout_in_minutes, 5..=2160, "timeoutInMinutes")?;
    within(project.queued_timeout_in_minutes, 5..=480, "queuedTimeoutInMinutes")?;
    within(project.auto_retry_limit, 0..=10, "autoRetryLimit")?;
    within(project.concurrent_build_limit, 1..=i32::MAX, "concurrentBuildLimit")?;
    let cache = project.cache.as_ref();
    if cache.is_some_and(|cache| {
        cache.type_.as_deref() == Some("S3") && cache.location.as_deref().unwrap_or_default().is_empty()
    }) {
        return refuse("Invalid cache: cache type S3 requires a location");
    }
    Ok(())
}

fn check_badge(project: &Project, source: &str) -> Rule {
    let badged = project.badge.as_ref().is_some_and(|badge| badge.badge_enabled == Some(true));
    if badged && UNBADGED.contains(&source) {
        return refuse(format!("Build badges are not supported for source type {source}"));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn project(change: serde_json::Value) -> Project {
        let mut value = serde_json::json!({
            "name": "demo",
            "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {}"},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": {"type": "LINUX_CONTAINER", "image": "host", "computeType": "BUILD_GENERAL1_SMALL"},
            "serviceRole": "arn:aws:iam::000000000000:role/build",
        });
        value.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_allowed() {
        for change in [
            serde_json::json!({}),
            serde_json::json!({"source": {"type": "S3", "location": "b/k.zip"}, "artifacts": {"type": "S3", "location": "b"}}),
            serde_json::json!({"source": {"type": "CODEPIPELINE"}, "artifacts": {"type": "CODEPIPELINE"}}),
            serde_json::json!({"source": {"type": "GITHUB", "location": "https://github.com/o/r", "reportBuildStatus": true}}),
            serde_json::json!({"secondarySources": [{"type": "S3", "location": "b/k", "sourceIdentifier": "one"}]}),
        ] {
            assert_eq!(check(&project(change.clone()), "000000000000"), Ok(()), "{change}");
        }
    }

    #[test]
    fn what_is_refused() {
        let source = |kind: &str| serde_json::json!({"source": {"type": kind}});
        for (change, text) in [
            (serde_json::json!({"name": "a b"}), "Only alphanumeric characters, dash, and underscore are supported"),
            (source("S3"), "Project source location is required"),
            (source("GITHUB"), "Project source location is required"),
            (source("SVN"), "Invalid type provided: Project source type"),
            (source("NO_SOURCE"), "requires a buildspec given inline"),
            (source("CODEPIPELINE"), "must be used together"),
            (
                serde_json::json!({"artifacts": {"type": "NO_ARTIFACTS", "location": "b"}}),
                "artifact type NO_ARTIFACTS should have null location",
            ),
            (serde_json::json!({"artifacts": {"type": "S3"}}), "should have a location"),
            (serde_json::json!({"artifacts": {"type": "TAPE"}}), "Invalid type provided: Artifact type"),
            (
                serde_json::json!({"artifacts": {"type": "NO_ARTIFACTS", "encryptionDisabled": true}}),
                "encryptionDisabled",
            ),
            (
                serde_json::json!({"serviceRole": "arn:aws:iam::111111111111:role/x"}),
                "Service role account ID does not match",
            ),
            (serde_json::json!({"serviceRole": "build"}), "is not the ARN of a role"),
            (serde_json::json!({"concurrentBuildLimit": 0}), "Invalid concurrentBuildLimit: 0"),
            (serde_json::json!({"autoRetryLimit": 11}), "Invalid autoRetryLimit: 11"),
            (serde_json::json!({"cache": {"type": "S3"}}), "cache type S3 requires a location"),
            (serde_json::json!({"badge": {"badgeEnabled": true}}), "badges are not supported"),
            (
                serde_json::json!({"secondaryArtifacts": [{"type": "CODEPIPELINE", "artifactIdentifier": "a"}]}),
                "secondary artifacts",
            ),
            (
                serde_json::json!({"secondarySources": [{"type": "S3", "location": "b/k", "sourceIdentifier": "a-b"}]}),
                "Invalid input: identifier must contain only",
            ),
        ] {
            let error = check(&project(change.clone()), "000000000000").unwrap_err();
            assert!(error.contains(text), "{change}: {error}");
        }
    }

    #[test]
    fn variables() {
        let with = |variables: serde_json::Value| {
            check_environment(&serde_json::from_value(serde_json::json!({"environmentVariables": variables})).unwrap())
        };
        assert_eq!(with(serde_json::json!([{"name": "A", "value": ""}])), Ok(()));
        for (variables, text) in [
            (serde_json::json!([{"name": "CODEBUILD_X", "value": "1"}]), "reserved"),
            (serde_json::json!([{"name": "A=B", "value": "1"}]), "Invalid environment variable name"),
            (
                serde_json::json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
                "Duplicate environment variable: A",
            ),
        ] {
            assert!(with(variables).unwrap_err().contains(text));
        }
    }
}
