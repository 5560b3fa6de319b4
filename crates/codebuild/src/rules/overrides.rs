//! What StartBuild's overrides make of a project's settings (CodeBuild API Reference, `StartBuild`).

use aws::codebuild::{EnvironmentVariable, Project, ProjectEnvironment, ProjectSource, StartBuildInput};

use super::project;
use crate::model::Plan;

/// Minutes that a build may take where nobody says otherwise.
pub const DEFAULT_TIMEOUT: i32 = 60;
/// Minutes that a build may wait where nobody says otherwise.
pub const DEFAULT_QUEUED_TIMEOUT: i32 = 480;

/// The settings of one build. They obey the rules that projects do.
///
/// # Errors
/// The rule that they break: text of an InvalidInputException.
pub fn plan(project: &Project, input: &StartBuildInput) -> Result<Plan, String> {
    let settings = Plan {
        source: source(project.source.clone().unwrap_or_default(), input),
        source_version: input
            .source_version
            .clone()
            .or_else(|| project.source_version.clone())
            .filter(|version| !version.is_empty()),
        secondary_sources: or(&input.secondary_sources_override, &project.secondary_sources).unwrap_or_default(),
        secondary_source_versions: or(&input.secondary_sources_version_override, &project.secondary_source_versions)
            .unwrap_or_default(),
        artifacts: or(&input.artifacts_override, &project.artifacts).unwrap_or_default(),
        secondary_artifacts: or(&input.secondary_artifacts_override, &project.secondary_artifacts).unwrap_or_default(),
        cache: or(&input.cache_override, &project.cache),
        environment: environment(project.environment.clone().unwrap_or_default(), input),
        service_role: or(&input.service_role_override, &project.service_role).unwrap_or_default(),
        timeout_in_minutes: or(&input.timeout_in_minutes_override, &project.timeout_in_minutes)
            .unwrap_or(DEFAULT_TIMEOUT),
        queued_timeout_in_minutes: or(&input.queued_timeout_in_minutes_override, &project.queued_timeout_in_minutes)
            .unwrap_or(DEFAULT_QUEUED_TIMEOUT),
        encryption_key: or(&input.encryption_key_override, &project.encryption_key).unwrap_or_default(),
        logs_config: or(&input.logs_config_override, &project.logs_config),
        vpc_config: project.vpc_config.clone(),
        file_system_locations: project.file_system_locations.clone(),
        auto_retry_limit: or(&input.auto_retry_limit_override, &project.auto_retry_limit),
        debug_session: input.debug_session_enabled,
    };
    check(&settings)?;
    Ok(settings)
}

fn or<T: Clone>(chosen: &Option<T>, fallback: &Option<T>) -> Option<T> {
    chosen.clone().or_else(|| fallback.clone())
}

/// A changed type drops what only the old type has: its location and authorization.
fn source(mut source: ProjectSource, input: &StartBuildInput) -> ProjectSource {
    if input.source_type_override.as_ref().is_some_and(|changed| source.type_.as_ref() != Some(changed)) {
        (source.location, source.auth) = (None, None);
        source.type_.clone_from(&input.source_type_override);
    }
    lay(&mut source.location, &input.source_location_override);
    lay(&mut source.auth, &input.source_auth_override);
    lay(&mut source.git_clone_depth, &input.git_clone_depth_override);
    lay(&mut source.git_submodules_config, &input.git_submodules_config_override);
    lay(&mut source.buildspec, &input.buildspec_override);
    lay(&mut source.insecure_ssl, &input.insecure_ssl_override);
    lay(&mut source.report_build_status, &input.report_build_status_override);
    lay(&mut source.build_status_config, &input.build_status_config_override);
    source
}

fn environment(mut environment: ProjectEnvironment, input: &StartBuildInput) -> ProjectEnvironment {
    lay(&mut environment.type_, &input.environment_type_override);
    lay(&mut environment.image, &input.image_override);
    lay(&mut environment.compute_type, &input.compute_type_override);
    lay(&mut environment.certificate, &input.certificate_override);
    lay(&mut environment.privileged_mode, &input.privileged_mode_override);
    lay(&mut environment.registry_credential, &input.registry_credential_override);
    lay(&mut environment.image_pull_credentials_type, &input.image_pull_credentials_type_override);
    lay(&mut environment.fleet, &input.fleet_override);
    if let Some(variables) = &input.environment_variables_override {
        let own = environment.environment_variables.take().unwrap_or_default();
        environment.environment_variables = Some(merge(own, variables));
    }
    environment
}

fn lay<T: Clone>(member: &mut Option<T>, changed: &Option<T>) {
    if changed.is_some() {
        member.clone_from(changed);
    }
}

/// The project's variables with those of the start laid over them, by name.
#[must_use]
pub fn merge(mut own: Vec<EnvironmentVariable>, over: &[EnvironmentVariable]) -> Vec<EnvironmentVariable> {
    for variable in over {
        match own.iter_mut().find(|old| old.name == variable.name) {
            Some(old) => *old = variable.clone(),
            None => own.push(variable.clone()),
        }
    }
    own
}

fn check(plan: &Plan) -> Result<(), String> {
    project::check_source(&plan.source)?;
    project::check_artifacts(&plan.artifacts, false)?;
    project::check_pairing(&plan.source, &plan.artifacts)?;
    project::check_secondary(&plan.secondary_sources, &plan.secondary_artifacts)?;
    project::check_environment(&plan.environment)?;
    project::check_runnable(&plan.environment)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use aws::codebuild::ProjectArtifacts;

    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn variable(name: &str, value: &str) -> EnvironmentVariable {
        EnvironmentVariable { name: text(name), value: text(value), ..EnvironmentVariable::default() }
    }

    fn project() -> Project {
        Project {
            name: text("demo"),
            source: Some(ProjectSource {
                type_: text("CODECOMMIT"),
                location: text("https://h/v1/repos/r"),
                ..ProjectSource::default()
            }),
            source_version: text("main"),
            artifacts: Some(ProjectArtifacts { type_: text("NO_ARTIFACTS"), ..ProjectArtifacts::default() }),
            environment: Some(ProjectEnvironment {
                type_: text("LINUX_CONTAINER"),
                image: text("host"),
                compute_type: text("BUILD_GENERAL1_SMALL"),
                environment_variables: Some(vec![variable("A", "1"), variable("B", "2")]),
                ..ProjectEnvironment::default()
            }),
            service_role: text("arn:aws:iam::000000000000:role/build"),
            ..Project::default()
        }
    }

    #[test]
    fn without_overrides_it_is_the_project() {
        let plan = plan(&project(), &StartBuildInput::default()).unwrap();
        assert_eq!((plan.timeout_in_minutes, plan.queued_timeout_in_minutes), (60, 480));
        assert_eq!(plan.source_version.as_deref(), Some("main"));
        assert_eq!(Some(plan.source), project().source);
    }

    #[test]
    fn variables_merge_by_name() {
        let input = StartBuildInput {
            environment_variables_override: Some(vec![variable("B", "x"), variable("C", "3")]),
            ..StartBuildInput::default()
        };
        let variables = plan(&project(), &input).unwrap().environment.environment_variables.unwrap();
        assert_eq!(variables, [variable("A", "1"), variable("B", "x"), variable("C", "3")]);
    }

    #[test]
    fn overrides_replace() {
        let input = StartBuildInput {
            source_version: text("abc"),
            buildspec_override: text("version: 0.2\nphases: {}"),
            timeout_in_minutes_override: Some(5),
            image_override: text("debian:12"),
            privileged_mode_override: Some(true),
            service_role_override: text("arn:aws:iam::000000000000:role/other"),
            artifacts_override: Some(ProjectArtifacts {
                type_: text("S3"),
                location: text("b"),
                ..ProjectArtifacts::default()
            }),
            ..StartBuildInput::default()
        };
        let plan = plan(&project(), &input).unwrap();
        assert_eq!(plan.source_version.as_deref(), Some("abc"));
        assert_eq!(plan.source.buildspec.as_deref(), Some("version: 0.2\nphases: {}"));
        assert_eq!((plan.timeout_in_minutes, plan.environment.privileged_mode), (5, Some(true)));
        assert_eq!(plan.environment.image.as_deref(), Some("debian:12"));
        assert_eq!(plan.service_role, "arn:aws:iam::000000000000:role/other");
        assert_eq!(plan.artifacts.location.as_deref(), Some("b"));
    }

    #[test]
    fn another_source_type_drops_the_old_location() {
        let input = StartBuildInput { source_type_override: text("S3"), ..StartBuildInput::default() };
        assert_eq!(plan(&project(), &input).unwrap_err(), "Project source location is required");
        let input = StartBuildInput { source_location_override: text("b/k.zip"), ..input };
        assert_eq!(plan(&project(), &input).unwrap().source.location.as_deref(), Some("b/k.zip"));
    }

    #[test]
    fn what_cannot_run_here_is_said_at_once() {
        let input =
            StartBuildInput { environment_type_override: text("WINDOWS_CONTAINER"), ..StartBuildInput::default() };
        assert!(plan(&project(), &input).unwrap_err().contains("WINDOWS_CONTAINER"));
        let input = StartBuildInput { source_type_override: text("CODEPIPELINE"), ..StartBuildInput::default() };
        assert!(plan(&project(), &input).unwrap_err().contains("CODEPIPELINE"));
    }
}
