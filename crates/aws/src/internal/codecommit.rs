//! What CodePipeline and CodeBuild use of CodeCommit and no public operation offers:
//! a commit's tree as an archive, and a working copy.

use crate::s3::Body;
use crate::{Error, Guard};
use async_trait::async_trait;
use kernel::Caller;
use std::sync::Arc;

/// A working copy on its way out.
pub struct Checkout {
    /// The full commit id that the version named; none of a folder that has no history.
    pub commit: Option<String>,
    /// A tar of the working tree with its `.git` folder.
    pub tar: Body,
}

/// Repositories as other services read them.
#[async_trait]
pub trait Sources: Send + Sync {
    /// A zip of a commit's tree, without history; keeps symbolic links and executable
    /// bits. `commit` is a full commit id. Authorized as `codecommit:UploadArchive`.
    ///
    /// # Errors
    /// `RepositoryDoesNotExistException`, `CommitDoesNotExistException`.
    async fn archive(&self, caller: &Caller, repository: &str, commit: &str) -> Result<Body, Error>;

    /// A working copy at `version`: a commit id, branch, tag or full reference; the
    /// default branch without one. `depth` limits the history. Authorized as
    /// `codecommit:GitPull`.
    ///
    /// # Errors
    /// `RepositoryDoesNotExistException`, `CommitDoesNotExistException` where the
    /// version names nothing.
    async fn checkout(
        &self,
        caller: &Caller,
        repository: &str,
        version: Option<&str>,
        depth: Option<u32>,
    ) -> Result<Checkout, Error>;
}

/// Repositories behind their gate.
pub struct Gated {
    sources: Arc<dyn Sources>,
    guard: Guard,
}

impl Gated {
    /// Guards `sources`.
    pub fn new(sources: Arc<dyn Sources>, guard: Guard) -> Self {
        Self { sources, guard }
    }

    async fn pass(&self, caller: &Caller, operation: &str, repository: &str) -> Result<(), Error> {
        let Caller { partition, region, account, .. } = caller;
        let arn = format!("arn:{partition}:codecommit:{region}:{account}:{repository}");
        self.guard.pass(caller, "codecommit", operation, &format!("codecommit:{operation}"), &[arn]).await
    }
}

#[async_trait]
impl Sources for Gated {
    async fn archive(&self, caller: &Caller, repository: &str, commit: &str) -> Result<Body, Error> {
        self.pass(caller, "UploadArchive", repository).await?;
        self.sources.archive(caller, repository, commit).await
    }

    async fn checkout(
        &self,
        caller: &Caller,
        repository: &str,
        version: Option<&str>,
        depth: Option<u32>,
    ) -> Result<Checkout, Error> {
        self.pass(caller, "GitPull", repository).await?;
        self.sources.checkout(caller, repository, version, depth).await
    }
}
