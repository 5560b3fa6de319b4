//! The last commit of a build: it is complete, and where it is to be tried again, the next build is there.

use kernel::{Batch, CommitError, StepError};

use super::record::Record;
use crate::api;
use crate::model::{Build, Context, Status};
use crate::rules::auto_retry;
use crate::rules::buildspec::Buildspec;

impl Record {
    /// Ends FINALIZING. Both builds and their links are one commit, so a build is tried again exactly once.
    pub(super) async fn complete(&mut self, status: Status, context: Context) -> Result<(), StepError> {
        loop {
            let now = self.now();
            let mut next = self.stored().clone();
            next.value.life.advance(status, context.clone(), now);
            let again = if self.is_tried_again(&next.value).await {
                api::again(self.service(), self.scope(), &next.value).await?
            } else {
                None
            };
            next.value.tries.next = again.as_ref().map(|again| again.build.id.clone());
            let batch = Batch::new(self.scope()).replace(&next).fenced(self.lease());
            let batch = api::publish(self.service(), batch, self.scope(), Some(self.build()), &next.value);
            let batch = match again {
                Some(again) => again.add_to(self.service(), batch, self.scope()),
                None => batch,
            };
            match self.service().dependencies.documents.commit(batch).await {
                Ok(()) => {
                    kernel::crash_point!("codebuild_after_completion");
                    return self.refresh().await;
                }
                // StopBuild, or another start in the project, came between.
                Err(CommitError::Conflict { .. } | CommitError::Exists { .. }) => self.refresh().await?,
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// A buildspec that is lost or malformed asks for nothing: the build must end all the same.
    async fn is_tried_again(&self, build: &Build) -> bool {
        if !auto_retry::is_possible(build) {
            return false;
        }
        let text = self.service().read_text(build.buildspec.as_ref()).await.unwrap_or_else(|error| {
            tracing::warn!(%error, build = build.id, "the buildspec of a build that failed cannot be read");
            None
        });
        let buildspec = text.and_then(|text| Buildspec::parse(&text).ok());
        auto_retry::is_due(build, buildspec.as_ref())
    }
}
