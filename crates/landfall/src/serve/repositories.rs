//! Where an account's repositories are, for the door: Git's credentials name no region.

use async_trait::async_trait;
use std::sync::Arc;

/// CodeCommit's answer to the door's question.
pub(super) struct Repositories(pub(super) Arc<codecommit::Service>);

#[async_trait]
impl iam::RepositoryRegions for Repositories {
    async fn regions(&self, account: &str, repository: &str) -> Result<Vec<String>, aws::Error> {
        Ok(self.0.regions_of(account, repository).await?)
    }
}
