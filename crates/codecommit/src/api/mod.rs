//! The operations, one file per resource.

mod branches;
mod commits;
mod content;
mod repositories;
mod tags;

use async_trait::async_trait;
use aws::Error;
use aws::codecommit::*;
use kernel::Caller;

use crate::Service;

#[async_trait]
impl CodeCommit for Service {
    async fn batch_get_repositories(
        &self,
        caller: &Caller,
        input: BatchGetRepositoriesInput,
    ) -> Result<BatchGetRepositoriesOutput, Error> {
        repositories::batch_get(self, caller, input).await
    }

    async fn create_branch(&self, caller: &Caller, input: CreateBranchInput) -> Result<CreateBranchOutput, Error> {
        branches::create(self, caller, input).await
    }

    async fn create_repository(
        &self,
        caller: &Caller,
        input: CreateRepositoryInput,
    ) -> Result<CreateRepositoryOutput, Error> {
        repositories::create(self, caller, input).await
    }

    async fn delete_branch(&self, caller: &Caller, input: DeleteBranchInput) -> Result<DeleteBranchOutput, Error> {
        branches::delete(self, caller, input).await
    }

    async fn delete_repository(
        &self,
        caller: &Caller,
        input: DeleteRepositoryInput,
    ) -> Result<DeleteRepositoryOutput, Error> {
        repositories::delete(self, caller, input).await
    }

    async fn get_branch(&self, caller: &Caller, input: GetBranchInput) -> Result<GetBranchOutput, Error> {
        branches::get(self, caller, input).await
    }

    async fn get_commit(&self, caller: &Caller, input: GetCommitInput) -> Result<GetCommitOutput, Error> {
        commits::get(self, caller, input).await
    }

    async fn get_file(&self, caller: &Caller, input: GetFileInput) -> Result<GetFileOutput, Error> {
        content::get_file(self, caller, input).await
    }

    async fn get_folder(&self, caller: &Caller, input: GetFolderInput) -> Result<GetFolderOutput, Error> {
        content::get_folder(self, caller, input).await
    }

    async fn get_repository(&self, caller: &Caller, input: GetRepositoryInput) -> Result<GetRepositoryOutput, Error> {
        repositories::get(self, caller, input).await
    }

    async fn list_branches(&self, caller: &Caller, input: ListBranchesInput) -> Result<ListBranchesOutput, Error> {
        branches::list(self, caller, input).await
    }

    async fn list_repositories(
        &self,
        caller: &Caller,
        input: ListRepositoriesInput,
    ) -> Result<ListRepositoriesOutput, Error> {
        repositories::list(self, caller, input).await
    }

    async fn list_tags_for_resource(
        &self,
        caller: &Caller,
        input: ListTagsForResourceInput,
    ) -> Result<ListTagsForResourceOutput, Error> {
        tags::list(self, caller, input).await
    }

    async fn tag_resource(&self, caller: &Caller, input: TagResourceInput) -> Result<TagResourceOutput, Error> {
        tags::tag(self, caller, input).await
    }

    async fn untag_resource(&self, caller: &Caller, input: UntagResourceInput) -> Result<UntagResourceOutput, Error> {
        tags::untag(self, caller, input).await
    }

    async fn update_default_branch(
        &self,
        caller: &Caller,
        input: UpdateDefaultBranchInput,
    ) -> Result<UpdateDefaultBranchOutput, Error> {
        branches::update_default(self, caller, input).await
    }

    async fn update_repository_description(
        &self,
        caller: &Caller,
        input: UpdateRepositoryDescriptionInput,
    ) -> Result<UpdateRepositoryDescriptionOutput, Error> {
        repositories::update_description(self, caller, input).await
    }

    async fn update_repository_name(
        &self,
        caller: &Caller,
        input: UpdateRepositoryNameInput,
    ) -> Result<UpdateRepositoryNameOutput, Error> {
        repositories::update_name(self, caller, input).await
    }
}
