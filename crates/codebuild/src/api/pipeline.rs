//! Builds that a pipeline starts.

use async_trait::async_trait;
use aws::Error;
use aws::codebuild::{ProjectArtifacts, ProjectSource, StartBuildInput, error};
use aws::internal::codebuild::{PipelineBuild, PipelineBuilds, PipelineContext};
use kernel::Caller;

use super::{ATTEMPTS, projects, start};
use crate::Service;
use crate::model::PipelineStart;
use crate::rules::arns;
use crate::rules::source_location::S3Location;

#[async_trait]
impl PipelineBuilds for Service {
    async fn start_pipeline_build(
        &self,
        caller: &Caller,
        project: &str,
        context: PipelineContext,
    ) -> Result<PipelineBuild, Error> {
        let answer = |id: String| PipelineBuild { arn: arns::build(&caller.scope(), &id), id };
        for _ in 0..ATTEMPTS {
            let known =
                self.dependencies.documents.get::<PipelineStart>(&caller.scope(), &context.client_token).await?;
            if let Some(known) = known {
                return Ok(answer(known.value.build));
            }
            let project = projects::find(self, caller, project).await?;
            let settings = projects::settings(self, &project.value).await?;
            let initiator = format!("codepipeline/{}", context.pipeline);
            let mut order = start::plan(self, &settings, &input(&context)?, initiator).await?;
            order.pipeline = Some(context.clone());
            if let start::Placed::Accepted(build) = start::place(self, caller, &project, order, None).await? {
                return Ok(answer(build.id));
            }
        }
        Err(Error::internal("too many builds of this project are started at once"))
    }
}

/// The pipeline's sources and artifacts as overrides: the project's own ones do not count.
fn input(context: &PipelineContext) -> Result<StartBuildInput, Error> {
    let kind = || Some("CODEPIPELINE".to_owned());
    let primary = context
        .inputs
        .first()
        .ok_or_else(|| error::invalid_input_exception("A pipeline's build needs an input artifact"))?;
    let location = S3Location { bucket: primary.bucket.clone(), key: primary.key.clone() };
    let secondary = context.inputs.iter().skip(1).map(|artifact| ProjectSource {
        type_: kind(),
        source_identifier: Some(artifact.name.clone()),
        ..ProjectSource::default()
    });
    Ok(StartBuildInput {
        source_type_override: kind(),
        source_version: Some(location.arn()),
        secondary_sources_override: Some(secondary.collect()),
        secondary_sources_version_override: Some(vec![]),
        artifacts_override: Some(ProjectArtifacts { type_: kind(), ..ProjectArtifacts::default() }),
        secondary_artifacts_override: Some(vec![]),
        environment_variables_override: Some(context.environment.clone()),
        encryption_key_override: context.encryption_key.clone(),
        ..StartBuildInput::default()
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use aws::internal::codebuild::PipelineArtifact;

    use super::*;

    #[test]
    fn inputs_become_sources() {
        let artifact = |name: &str| PipelineArtifact {
            name: name.into(),
            bucket: "b".into(),
            key: format!("p/{name}/1"),
            version: None,
        };
        let context =
            PipelineContext { inputs: vec![artifact("Source"), artifact("Config")], ..PipelineContext::default() };
        let input = input(&context).unwrap();
        assert_eq!(input.source_version.as_deref(), Some("arn:aws:s3:::b/p/Source/1"));
        let secondary = input.secondary_sources_override.unwrap();
        assert_eq!(
            secondary.iter().map(|source| source.source_identifier.as_deref()).collect::<Vec<_>>(),
            [Some("Config")]
        );
    }

    #[test]
    fn a_pipeline_without_input_is_refused() {
        assert!(input(&PipelineContext::default()).unwrap_err().is("InvalidInputException"));
    }
}
