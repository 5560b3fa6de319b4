//! Build/CodeBuild and Test/CodeBuild: a build whose sources and artifacts are the pipeline's.

use async_trait::async_trait;
use aws::codebuild::{BatchGetBuildsInput, Build, EnvironmentVariable, status_type};
use aws::internal::codebuild::{PipelineArtifact, PipelineContext};

use super::{Completion, Course, Job, Provider, Trouble};
use crate::model::{Artifact, External};
use crate::service::Service;

pub(super) struct CodeBuildAction;

#[async_trait]
impl Provider for CodeBuildAction {
    async fn start(&self, service: &Service, job: &Job) -> Result<Course, Trouble> {
        if job.setting("BatchEnabled").eq_ignore_ascii_case("true") {
            return Err(Trouble::configuration("BatchEnabled is not supported by this server yet. Leave it out"));
        }
        let context = context(job)?;
        let started =
            service.pipeline_builds.start_pipeline_build(&job.caller, job.setting("ProjectName"), context).await;
        let build = started.map_err(start_trouble)?;
        Ok(Course::Runs(External { id: build.id, url: None }))
    }

    async fn look(&self, service: &Service, job: &Job, external: &External) -> Result<Course, Trouble> {
        let input = BatchGetBuildsInput { ids: Some(vec![external.id.clone()]) };
        let found = service.codebuild.batch_get_builds(&job.caller, input).await?;
        let build = found.builds.and_then(|builds| builds.into_iter().next());
        let build =
            build.ok_or_else(|| Trouble::job_failed(format!("Build {} does not exist any more", external.id)))?;
        course(&build, external)
    }
}

/// A refused start reads as AWS words it.
fn start_trouble(error: aws::Error) -> Trouble {
    let text = format!(
        "Error calling startBuild: {} (Service: AWSCodeBuild; Status Code: {}; Error Code: {})",
        error.message, error.status, error.code
    );
    match Trouble::from(error) {
        Trouble::Fails(mut failure) => {
            failure.message = text;
            Trouble::Fails(failure)
        }
        ours => ours,
    }
}

fn context(job: &Job) -> Result<PipelineContext, Trouble> {
    let primary = job.configuration.get("PrimarySource");
    let mut inputs: Vec<&Artifact> = job.inputs.iter().collect();
    inputs.sort_by_key(|input| Some(&input.name) != primary);
    Ok(PipelineContext {
        pipeline: job.pipeline.clone(),
        execution: job.execution.clone(),
        action: job.action.clone(),
        client_token: job.token.clone(),
        inputs: inputs.into_iter().map(artifact).collect(),
        outputs: job.outputs.iter().map(artifact).collect(),
        resolved_source_version: job.source_revision.clone(),
        environment: environment(job.configuration.get("EnvironmentVariables"))?,
        encryption_key: None,
    })
}

fn artifact(artifact: &Artifact) -> PipelineArtifact {
    let Artifact { name, bucket, key } = artifact.clone();
    PipelineArtifact { name, bucket, key, version: None }
}

/// `EnvironmentVariables` is a JSON array of `{name, value, type}`.
fn environment(setting: Option<&String>) -> Result<Vec<EnvironmentVariable>, Trouble> {
    let Some(text) = setting else { return Ok(Vec::new()) };
    let wrong = |what: String| {
        Trouble::configuration(format!(
            "EnvironmentVariables must be a JSON array of objects with name, value and type: {what}"
        ))
    };
    let variables: Vec<EnvironmentVariable> = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    for variable in &variables {
        if variable.name.is_none() || variable.value.is_none() {
            return Err(wrong("an object without name or value".to_owned()));
        }
        let kind = variable.type_.as_deref().unwrap_or("PLAINTEXT");
        if !["PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"].contains(&kind) {
            return Err(wrong(format!("type {kind} is not PLAINTEXT, PARAMETER_STORE or SECRETS_MANAGER")));
        }
    }
    Ok(variables)
}

fn course(build: &Build, external: &External) -> Result<Course, Trouble> {
    let status = build.build_status.as_deref().unwrap_or(status_type::IN_PROGRESS);
    match status {
        status_type::IN_PROGRESS => Ok(Course::Runs(external.clone())),
        status_type::SUCCEEDED => {
            let exported = build.exported_environment_variables.iter().flatten();
            let variables =
                exported.filter_map(|variable| Some((variable.name.clone()?, variable.value.clone()?))).collect();
            Ok(Course::done(Completion { variables, ..Completion::default() }))
        }
        status => Err(Trouble::job_failed(format!("Build terminated with state: {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use aws::codebuild::ExportedEnvironmentVariable;

    use super::*;

    fn external() -> External {
        External { id: "app:1".into(), url: None }
    }

    fn build(status: &str) -> Build {
        let exported = ExportedEnvironmentVariable { name: Some("V".into()), value: Some("1".into()) };
        Build {
            build_status: Some(status.into()),
            exported_environment_variables: Some(vec![exported]),
            ..Build::default()
        }
    }

    #[test]
    fn a_build_ends_as_its_status_says() {
        assert_eq!(course(&build("IN_PROGRESS"), &external()).unwrap(), Course::Runs(external()));
        let Course::Done(completion) = course(&build("SUCCEEDED"), &external()).unwrap() else { panic!() };
        assert_eq!(completion.variables["V"], "1");
        for status in ["FAILED", "STOPPED", "TIMED_OUT", "FAULT"] {
            let Err(Trouble::Fails(failure)) = course(&build(status), &external()) else { panic!() };
            assert_eq!(failure.message, format!("Build terminated with state: {status}"));
            assert_eq!(failure.code, "JobFailed");
        }
    }

    #[test]
    fn environment_variables_are_a_json_array() {
        let parse = |text: &str| environment(Some(&text.to_owned()));
        assert_eq!(environment(None).unwrap(), []);
        let variables =
            parse(r#"[{"name":"A","value":"1"},{"name":"B","value":"/p","type":"PARAMETER_STORE"}]"#).unwrap();
        assert_eq!(variables.len(), 2);
        for wrong in ["{", "{}", r#"[{"name":"A"}]"#, r#"[{"name":"A","value":"1","type":"SECRET"}]"#] {
            let Err(Trouble::Fails(failure)) = parse(wrong) else { panic!("{wrong}") };
            assert_eq!(failure.code, "ConfigurationError");
        }
    }

    #[test]
    fn a_refused_start_is_worded_as_aws_words_it() {
        let error =
            aws::Error::new("AccountLimitExceededException", "Cannot have more than 1 builds in queue for the account");
        let Trouble::Fails(failure) = start_trouble(error) else { panic!() };
        assert_eq!(
            failure.message,
            "Error calling startBuild: Cannot have more than 1 builds in queue for the account \
             (Service: AWSCodeBuild; Status Code: 400; Error Code: AccountLimitExceededException)"
        );
    }
}
