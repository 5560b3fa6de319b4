//! Automatic rollback: the last successful revision as a new deployment.
//!
//! Source: CodeDeploy user guide, "Redeploy and roll back a deployment".

use crate::model::{Deployment, DeploymentGroup, Overview, Rollback, Status};
use aws::codedeploy::AutoRollbackConfiguration;
use kernel::{Ids, Timestamp};

/// The creator of a rollback.
pub(crate) const CREATOR: &str = "codeDeployRollback";

/// The letters of a deployment's id.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A new deployment's id: `d-` and nine letters or digits.
pub(crate) fn deployment_id(ids: &dyn Ids) -> String {
    format!("d-{}", ids.token(ALPHABET, 9))
}

/// The rollback of a deployment that just ended, if its rule asks for one and there is a revision to go back to.
/// Both deployments then name each other. It goes to all hosts of the group again, and treats files as the
/// deployment did that it repeats (`last_good`, where that is still known).
pub(super) fn rollback_of(
    ended: &mut Deployment,
    group: &DeploymentGroup,
    last_good: Option<&Deployment>,
    ids: &dyn Ids,
    now: Timestamp,
) -> Option<Deployment> {
    let rule = ended.auto_rollback.as_ref().or(group.info.auto_rollback_configuration.as_ref());
    if ended.creator == CREATOR || !wanted(ended, rule) {
        return None;
    }
    let Some(revision) = group.target_revision() else {
        let message = "The deployment was not rolled back, because the deployment group has no successful deployment to roll back to.";
        ended.rollback.message = Some(message.to_owned());
        return None;
    };
    let id = deployment_id(ids);
    ended.rollback.by = Some(id.clone());
    ended.rollback.message =
        Some(format!("Deployment {} terminated. Automatic rollback is triggered with a DeploymentId {id}.", ended.id));
    let message = format!("Deployment {id} is triggered to roll back deployment {}.", ended.id);
    let rollback = Rollback { of: Some(ended.id.clone()), by: None, message: Some(message) };
    let file_exists_behavior = last_good.unwrap_or(ended).file_exists_behavior.clone();
    Some(Deployment {
        id,
        revision: revision.clone(),
        previous_revision: Some(revision.clone()),
        status: Status::Created,
        fault: None,
        created: now,
        started: None,
        completed: None,
        overview: Overview::default(),
        description: Some(format!("Rollback of deployment {}", ended.id)),
        creator: CREATOR.to_owned(),
        update_outdated_instances_only: false,
        file_exists_behavior,
        rollback,
        stop: None,
        due: Some(now),
        ..ended.clone()
    })
}

fn wanted(ended: &Deployment, rule: Option<&AutoRollbackConfiguration>) -> bool {
    let event = match ended.status {
        Status::Failed => "DEPLOYMENT_FAILURE",
        Status::Stopped => match ended.stop.and_then(|stop| stop.roll_back) {
            Some(roll_back) => return roll_back,
            None => "DEPLOYMENT_STOP_ON_REQUEST",
        },
        Status::Created | Status::InProgress | Status::Succeeded => return false,
    };
    rule.is_some_and(|rule| {
        rule.enabled == Some(true) && rule.events.as_ref().is_some_and(|events| events.iter().any(|it| it == event))
    })
}
