//! As whom a pipeline acts.

use kernel::{Caller, PrincipalError, Scope, Via};

use crate::actions::Trouble;
use crate::error::Failed;
use crate::model::{ActionExecution, pipeline_arn};
use crate::service::Service;

/// CodePipeline's service principal, which roles must trust.
pub(crate) const PRINCIPAL: &str = "codepipeline.amazonaws.com";

impl Service {
    /// The action's role in the action's region, on the pipeline's behalf. A role of the action's own is taken by the pipeline's
    /// role, not by CodePipeline.
    pub(super) async fn caller_of(&self, scope: &Scope, action: &ActionExecution) -> Result<Caller, Trouble> {
        let first = action.pipeline_role.as_ref().unwrap_or(&action.role);
        let assumed = self.principals.assume(scope, first, PRINCIPAL, &action.execution_id).await;
        let taken = |error| refused(first, error);
        let mut caller = assumed.map_err(taken)?.through(Via {
            service: PRINCIPAL.to_owned(),
            source_arn: Some(pipeline_arn(scope, &action.pipeline)),
            source_account: Some(scope.account.clone()),
        });
        if action.pipeline_role.is_some() {
            let chained = self.principals.chain(&caller, &action.role, &action.execution_id).await;
            caller = chained.map_err(|error| refused(&action.role, error))?;
        }
        if let Some(region) = &action.region {
            caller.region.clone_from(region);
        }
        caller.request_id = self.ids.uuid();
        Ok(caller)
    }
}

fn refused(role: &str, error: PrincipalError) -> Trouble {
    match error {
        PrincipalError::Store(error) => Trouble::Ours(Failed::Store(error)),
        refused => Trouble::permission(format!(
            "CodePipeline is not authorized to perform AssumeRole on role {role}: {refused}"
        )),
    }
}
