//! Waits that a user may end early. Deployments in place, the ones that are built, have none.

use crate::Service;
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::Scope;

/// Refuses as AWS does for deployments in place.
pub(super) async fn continue_deployment(
    service: &Service,
    scope: &Scope,
    input: ContinueDeploymentInput,
) -> Result<ContinueDeploymentOutput, Error> {
    Err(refusal(service, scope, input.deployment_id.as_deref(), "continued").await)
}

/// The older form of ContinueDeployment with `TERMINATION_WAIT`.
pub(super) async fn skip(
    service: &Service,
    scope: &Scope,
    input: SkipWaitTimeForInstanceTerminationInput,
) -> Result<SkipWaitTimeForInstanceTerminationOutput, Error> {
    Err(refusal(service, scope, input.deployment_id.as_deref(), "told to skip a wait").await)
}

async fn refusal(service: &Service, scope: &Scope, id: Option<&str>, what: &str) -> Error {
    match service.deployment(scope, id).await {
        Err(error) => error,
        Ok(deployment) if deployment.status.ended() => super::deployments::already_ended(&deployment),
        Ok(deployment) => error::unsupported_action_for_deployment_type_exception(format!(
            "Only blue/green deployments wait and can be {what}; {} is in place.",
            deployment.id
        )),
    }
}
