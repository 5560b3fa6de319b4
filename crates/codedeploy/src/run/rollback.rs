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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StopRequest;
    use crate::model::deployment::tests::{deployment, revision};
    use aws::codedeploy::DeploymentGroupInfo;
    use kernel::SequentialIds;

    fn rule(enabled: bool, events: &[&str]) -> AutoRollbackConfiguration {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        AutoRollbackConfiguration { enabled: Some(enabled), events: Some(events) }
    }

    /// A group whose last good revision is under `good`, where there is one.
    fn group(rule: Option<AutoRollbackConfiguration>, good: Option<&str>) -> DeploymentGroup {
        DeploymentGroup {
            id: "g".to_owned(),
            application_id: "a".to_owned(),
            name: "hosts".to_owned(),
            created: Timestamp::from_seconds(1),
            info: DeploymentGroupInfo {
                auto_rollback_configuration: rule,
                target_revision: good.map(revision),
                ..DeploymentGroupInfo::default()
            },
            tags: Default::default(),
            active_deployment: None,
        }
    }

    fn rolled_back(
        ended: &mut Deployment,
        group: &DeploymentGroup,
        last_good: Option<&Deployment>,
    ) -> Option<Deployment> {
        rollback_of(ended, group, last_good, &SequentialIds::new(0), Timestamp::from_seconds(30))
    }

    #[test]
    fn the_event_and_the_caller_decide() {
        let (failure, stop) = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST");
        for (status, asked, of_group, of_deployment, expected) in [
            (Status::Failed, None, Some(rule(true, &[failure])), None, true),
            (Status::Failed, None, Some(rule(true, &[stop])), None, false),
            (Status::Failed, None, Some(rule(false, &[failure])), None, false),
            (Status::Failed, None, None, None, false),
            (Status::Failed, None, None, Some(rule(true, &[failure])), true),
            (Status::Failed, None, Some(rule(true, &[failure])), Some(rule(false, &[])), false),
            (Status::Stopped, None, Some(rule(true, &[failure])), None, false),
            (Status::Stopped, None, Some(rule(true, &[failure, stop])), None, true),
            (Status::Stopped, Some(true), None, None, true),
            (Status::Stopped, Some(false), Some(rule(true, &[stop])), None, false),
            (Status::Succeeded, None, Some(rule(true, &[failure, stop])), None, false),
        ] {
            let mut ended = deployment(status, "bad");
            ended.stop = (status == Status::Stopped).then_some(StopRequest { roll_back: asked });
            ended.auto_rollback = of_deployment;
            let rollback = rolled_back(&mut ended, &group(of_group.clone(), Some("good")), None);
            assert_eq!(rollback.is_some(), expected, "{status:?} {asked:?} {of_group:?}");
            assert_eq!(ended.rollback.by, rollback.map(|rollback| rollback.id));
        }
    }

    #[test]
    fn a_rollback_repeats_the_last_good_deployment_on_all_hosts() {
        let (mut ended, mut good) = (deployment(Status::Failed, "bad"), deployment(Status::Succeeded, "good"));
        good.file_exists_behavior = "OVERWRITE".to_owned();
        let group = group(Some(rule(true, &["DEPLOYMENT_FAILURE"])), Some("good"));
        let rollback = rolled_back(&mut ended, &group, Some(&good));
        let expected = ("OVERWRITE", false, Some("Rollback of deployment d-1"), revision("good"), Status::Created);
        let actual = rollback.as_ref().map(|it| {
            let files = it.file_exists_behavior.as_str();
            let description = it.description.as_deref();
            (files, it.update_outdated_instances_only, description, it.revision.clone(), it.status)
        });
        assert_eq!(actual, Some(expected));
        let again = rollback.and_then(|mut rollback| {
            rollback.status = Status::Failed;
            rolled_back(&mut rollback, &group, Some(&good))
        });
        assert!(again.is_none(), "a rollback that fails is the end");
    }

    #[test]
    fn without_a_good_revision_there_is_only_a_message() {
        let mut ended = deployment(Status::Failed, "bad");
        let group = group(Some(rule(true, &["DEPLOYMENT_FAILURE"])), None);
        assert!(rolled_back(&mut ended, &group, None).is_none());
        assert!(ended.rollback.message.is_some_and(|message| message.contains("no successful deployment")));
        assert_eq!(ended.rollback.by, None);
    }
}
