//! As whom a pipeline acts.

use kernel::{Caller, PrincipalError, Scope, Via};

use crate::actions::Trouble;
use crate::error::Failed;
use crate::model::{ActionExecution, pipeline_arn};
use crate::service::Service;

/// CodePipeline's service principal, which roles must trust.
pub(crate) const PRINCIPAL: &str = "codepipeline.amazonaws.com";

impl Service {
    /// The action's role in the action's region, on the pipeline's behalf.
    pub(super) async fn caller_of(&self, scope: &Scope, action: &ActionExecution) -> Result<Caller, Trouble> {
        let assumed = self.principals.assume(scope, &action.role, PRINCIPAL, &action.execution_id).await;
        let mut caller = assumed.map_err(|error| match error {
            PrincipalError::Store(error) => Trouble::Ours(Failed::Store(error)),
            refused => Trouble::permission(format!(
                "CodePipeline is not authorized to perform AssumeRole on role {}: {refused}",
                action.role
            )),
        })?;
        if let Some(region) = &action.region {
            caller.region.clone_from(region);
        }
        caller.request_id = self.ids.uuid();
        Ok(caller.through(Via {
            service: PRINCIPAL.to_owned(),
            source_arn: Some(pipeline_arn(scope, &action.pipeline)),
            source_account: Some(scope.account.clone()),
        }))
    }
}
