//! CodePipeline with all that it stands on.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use aws::codebuild::CodeBuild;
use aws::codecommit::CodeCommit;
use aws::codedeploy::CodeDeploy;
use aws::internal::codebuild::PipelineBuilds;
use aws::internal::codecommit::Sources;
use aws::s3::S3;
use kernel::{Blobs, Clock, Documents, Ids, Principals, Seal};

/// What CodePipeline stands on. The sister services are the gated ones: what a pipeline may do, its role decides.
pub struct Dependencies {
    /// Its documents: `store.service("codepipeline")`.
    pub documents: Documents,
    /// Large texts.
    pub blobs: Blobs,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn Ids>,
    /// For secret settings at rest.
    pub seal: Arc<Seal>,
    /// Roles.
    pub principals: Arc<dyn Principals>,
    /// Artifact stores and S3 sources.
    pub s3: Arc<dyn S3>,
    /// CodeCommit sources.
    pub codecommit: Arc<dyn CodeCommit>,
    /// Their archives.
    pub sources: Arc<dyn Sources>,
    /// Builds, to look at.
    pub codebuild: Arc<dyn CodeBuild>,
    /// Builds, to start.
    pub pipeline_builds: Arc<dyn PipelineBuilds>,
    /// Deployments.
    pub codedeploy: Arc<dyn CodeDeploy>,
    /// A folder for what must lie in a file for a moment; it is made when it is needed.
    pub spool: PathBuf,
}

/// CodePipeline.
pub struct Service {
    on: Dependencies,
}

impl Service {
    /// CodePipeline on these. Nothing moves before [`Service::run`] does.
    #[must_use]
    pub fn new(dependencies: Dependencies) -> Arc<Self> {
        Arc::new(Self { on: dependencies })
    }
}

impl Deref for Service {
    type Target = Dependencies;

    fn deref(&self) -> &Dependencies {
        &self.on
    }
}
