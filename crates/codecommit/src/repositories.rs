//! Finding repositories, references and commits: what the API, Git and sister services share.

use aws::Error;
use aws::codecommit::error;
use kernel::{Scope, StoreError, Stored};

use crate::Service;
use crate::git::GitError;
use crate::model::{Reference, Repository};
use crate::rules::specifier::{self, Specifier};

impl Service {
    /// The repository called `name`.
    ///
    /// # Errors
    /// `RepositoryDoesNotExistException`.
    pub(crate) async fn repository(&self, scope: &Scope, name: &str) -> Result<Stored<Repository>, Error> {
        let found = self.documents.get::<Repository>(scope, name).await?;
        found.ok_or_else(|| error::repository_does_not_exist_exception(format!("{name} does not exist")))
    }

    /// The regions in which `account` has a repository called `name`: where a Git client that names no region may
    /// mean it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn regions_of(&self, account: &str, name: &str) -> Result<Vec<String>, StoreError> {
        let mut regions = Vec::new();
        for scope in self.documents.scopes::<Repository>().await? {
            if scope.account == account && self.documents.get::<Repository>(&scope, name).await?.is_some() {
                regions.push(scope.region);
            }
        }
        Ok(regions)
    }

    /// What the reference with this full name points at.
    pub(crate) async fn reference(&self, scope: &Scope, id: &str, name: &str) -> Result<Option<String>, Error> {
        let found = self.documents.get::<Reference>(scope, &Reference::key_of(id, name)).await?;
        Ok(found.map(|reference| reference.value.target))
    }

    /// The object that a commit specifier means; `None` where it names nothing. It may be a tag, and with a full id
    /// anything.
    pub(crate) async fn resolve(
        &self,
        scope: &Scope,
        repository: &Repository,
        specifier: Option<&str>,
    ) -> Result<Option<String>, Error> {
        match specifier::parse(specifier) {
            Specifier::Object(id) => Ok(Some(id)),
            Specifier::Default => match &repository.default_branch {
                Some(branch) => {
                    self.reference(scope, &repository.id, &format!("{}{branch}", crate::model::HEADS)).await
                }
                None => Ok(None),
            },
            Specifier::References(names) => {
                for name in names {
                    if let Some(id) = self.reference(scope, &repository.id, &name).await? {
                        return Ok(Some(id));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// A failure of Git is ours, not the client's.
pub(crate) fn internal(error: GitError) -> Error {
    Error::internal(error)
}
