//! Repositories as CodePipeline and CodeBuild read them.

use async_trait::async_trait;
use aws::Error;
use aws::codecommit::error;
use aws::internal::codecommit::{Checkout, Sources};
use aws::s3::Body;
use kernel::{Caller, Stored};

use crate::Service;
use crate::git;
use crate::model::Repository;
use crate::repositories::internal;

#[async_trait]
impl Sources for Service {
    async fn archive(&self, caller: &Caller, repository: &str, commit: &str) -> Result<Body, Error> {
        let repository = self.repository(&caller.scope(), repository).await?;
        let commit = self.commit_id(caller, &repository, Some(commit)).await?;
        let folder = self.git.ensure(&repository.id).await.map_err(internal)?;
        git::archive(&self.git, &folder, &commit).map_err(internal)
    }

    async fn checkout(
        &self,
        caller: &Caller,
        repository: &str,
        version: Option<&str>,
        depth: Option<u32>,
    ) -> Result<Checkout, Error> {
        let repository = self.repository(&caller.scope(), repository).await?;
        let commit = self.commit_id(caller, &repository, version).await?;
        let folder = self.git.ensure(&repository.id).await.map_err(internal)?;
        let origin = self.clone_url(caller, &repository.name);
        let tar = git::check_out(&self.git, &folder, &commit, depth, &origin).await.map_err(internal)?;
        Ok(Checkout { commit: Some(commit), tar })
    }
}

impl Service {
    /// The full id of the commit that `version` means.
    async fn commit_id(
        &self,
        caller: &Caller,
        repository: &Stored<Repository>,
        version: Option<&str>,
    ) -> Result<String, Error> {
        let folder = self.git.ensure(&repository.id).await.map_err(internal)?;
        if let Some(id) = self.resolve(&caller.scope(), repository, version).await? {
            let mut objects = self.git.objects(&folder).map_err(internal)?;
            if let Some((id, _)) = objects.commit(&id).await.map_err(internal)? {
                return Ok(id);
            }
        }
        let named = version.unwrap_or("the default branch");
        let name = &repository.name;
        Err(error::commit_does_not_exist_exception(format!("repository {name} has no commit at {named}")))
    }
}
