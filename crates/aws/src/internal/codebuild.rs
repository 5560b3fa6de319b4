//! What CodePipeline uses of CodeBuild and no public operation offers: a build with a
//! pipeline's context.

use crate::codebuild::EnvironmentVariable;
use crate::{Error, Guard};
use async_trait::async_trait;
use kernel::Caller;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Starts builds for pipelines. Authorized as `codebuild:StartBuild` on the project.
#[async_trait]
pub trait PipelineBuilds: Send + Sync {
    /// Starts a build whose sources and artifacts are the pipeline's. Idempotent by
    /// `context.client_token`, as long as the build is kept.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, `InvalidInputException`, `AccountLimitExceededException`.
    async fn start_pipeline_build(
        &self,
        caller: &Caller,
        project: &str,
        context: PipelineContext,
    ) -> Result<PipelineBuild, Error>;
}

/// The build that was started; read on with `BatchGetBuilds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineBuild {
    /// `project:uuid`.
    pub id: String,
    /// The build's ARN.
    pub arn: String,
}

/// What a pipeline tells a build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PipelineContext {
    /// The pipeline's name; the build's initiator is `codepipeline/<name>`.
    pub pipeline: String,
    /// The pipeline execution's id.
    pub execution: String,
    /// The action's name.
    pub action: String,
    /// Derived from (execution, action, attempt).
    pub client_token: String,
    /// Input artifacts, the primary one first; each further one is a secondary source
    /// whose identifier is the artifact's name.
    pub inputs: Vec<PipelineArtifact>,
    /// Output artifacts: one is the buildspec's `artifacts`, several are its
    /// `secondary-artifacts` by name.
    pub outputs: Vec<PipelineArtifact>,
    /// The commit id that the primary input came from.
    pub resolved_source_version: Option<String>,
    /// The action's environment variables, which win over the project's.
    pub environment: Vec<EnvironmentVariable>,
    /// The artifact store's key.
    pub encryption_key: Option<String>,
}

/// Where an artifact lies in the pipeline's artifact store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineArtifact {
    /// Its name in the pipeline.
    pub name: String,
    /// The store's bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The object's version, of an input.
    pub version: Option<String>,
}

/// Pipeline builds behind their gate.
pub struct Gated {
    builds: Arc<dyn PipelineBuilds>,
    guard: Guard,
}

impl Gated {
    /// Guards `builds`.
    pub fn new(builds: Arc<dyn PipelineBuilds>, guard: Guard) -> Self {
        Self { builds, guard }
    }
}

#[async_trait]
impl PipelineBuilds for Gated {
    async fn start_pipeline_build(
        &self,
        caller: &Caller,
        project: &str,
        context: PipelineContext,
    ) -> Result<PipelineBuild, Error> {
        let Caller { partition, region, account, .. } = caller;
        let arn = format!("arn:{partition}:codebuild:{region}:{account}:project/{project}");
        self.guard.pass(caller, "codebuild", "StartBuild", "codebuild:StartBuild", &[arn]).await?;
        self.builds.start_pipeline_build(caller, project, context).await
    }
}
