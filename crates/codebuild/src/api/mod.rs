//! The operations of CodeBuild that are built.

mod answer;
mod builds;
mod images;
mod lists;
mod pipeline;
mod projects;
mod start;

use async_trait::async_trait;
use aws::Error;
use aws::codebuild::{self, CodeBuild, error};
use kernel::{Caller, CommitError, StoreError};

use crate::Service;

pub(crate) use start::{again, publish};

#[async_trait]
impl CodeBuild for Service {
    async fn create_project(
        &self,
        caller: &Caller,
        input: codebuild::CreateProjectInput,
    ) -> Result<codebuild::CreateProjectOutput, Error> {
        projects::create(self, caller, input).await
    }

    async fn update_project(
        &self,
        caller: &Caller,
        input: codebuild::UpdateProjectInput,
    ) -> Result<codebuild::UpdateProjectOutput, Error> {
        projects::update(self, caller, input).await
    }

    async fn delete_project(
        &self,
        caller: &Caller,
        input: codebuild::DeleteProjectInput,
    ) -> Result<codebuild::DeleteProjectOutput, Error> {
        projects::delete(self, caller, input).await
    }

    async fn batch_get_projects(
        &self,
        caller: &Caller,
        input: codebuild::BatchGetProjectsInput,
    ) -> Result<codebuild::BatchGetProjectsOutput, Error> {
        projects::batch_get(self, caller, input).await
    }

    async fn list_projects(
        &self,
        caller: &Caller,
        input: codebuild::ListProjectsInput,
    ) -> Result<codebuild::ListProjectsOutput, Error> {
        lists::projects(self, caller, input).await
    }

    async fn start_build(
        &self,
        caller: &Caller,
        input: codebuild::StartBuildInput,
    ) -> Result<codebuild::StartBuildOutput, Error> {
        start::start(self, caller, input).await
    }

    async fn retry_build(
        &self,
        caller: &Caller,
        input: codebuild::RetryBuildInput,
    ) -> Result<codebuild::RetryBuildOutput, Error> {
        start::retry(self, caller, input).await
    }

    async fn stop_build(
        &self,
        caller: &Caller,
        input: codebuild::StopBuildInput,
    ) -> Result<codebuild::StopBuildOutput, Error> {
        builds::stop(self, caller, input).await
    }

    async fn batch_get_builds(
        &self,
        caller: &Caller,
        input: codebuild::BatchGetBuildsInput,
    ) -> Result<codebuild::BatchGetBuildsOutput, Error> {
        builds::batch_get(self, caller, input).await
    }

    async fn batch_delete_builds(
        &self,
        caller: &Caller,
        input: codebuild::BatchDeleteBuildsInput,
    ) -> Result<codebuild::BatchDeleteBuildsOutput, Error> {
        builds::batch_delete(self, caller, input).await
    }

    async fn list_builds(
        &self,
        caller: &Caller,
        input: codebuild::ListBuildsInput,
    ) -> Result<codebuild::ListBuildsOutput, Error> {
        lists::builds(self, caller, input).await
    }

    async fn list_builds_for_project(
        &self,
        caller: &Caller,
        input: codebuild::ListBuildsForProjectInput,
    ) -> Result<codebuild::ListBuildsForProjectOutput, Error> {
        lists::builds_for_project(self, caller, input).await
    }

    async fn list_curated_environment_images(
        &self,
        _: &Caller,
        _: codebuild::ListCuratedEnvironmentImagesInput,
    ) -> Result<codebuild::ListCuratedEnvironmentImagesOutput, Error> {
        Ok(images::curated())
    }
}

/// A commit that failed although nobody else wrote: too large a document is the caller's, all else ours.
fn refused(error: CommitError) -> Error {
    match error {
        CommitError::Store(StoreError::Encode { reason, .. }) => {
            error::invalid_input_exception(format!("The request is too large: {reason}"))
        }
        other => Error::internal(other),
    }
}

/// Whether another writer came between, so that it is worth reading and trying again.
fn is_race(error: &CommitError) -> bool {
    matches!(error, CommitError::Conflict { .. } | CommitError::Exists { .. })
}

/// How often a write is tried again when others write in between.
const ATTEMPTS: usize = 32;
