//! The events that deployments and their hosts publish, in EventBridge's shape.
//!
//! Source: CodeDeploy user guide, "Monitoring deployments with Amazon CloudWatch Events".

use crate::model::{Deployment, DeploymentTarget};
use crate::rules::wave::Progress;
use kernel::{Arn, Event, Ids, Scope, Timestamp};
use serde_json::{Value, json};

/// What happened to a deployment, under its name in the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Start,
    Success,
    Failure,
    Stop,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Stop => "STOP",
        }
    }
}

/// Makes events of one scope.
pub(crate) struct Reporter<'a> {
    pub(crate) ids: &'a dyn Ids,
    pub(crate) scope: &'a Scope,
    pub(crate) now: Timestamp,
}

impl Reporter<'_> {
    /// `CodeDeploy Deployment State-change Notification`.
    pub(crate) fn deployment(&self, deployment: &Deployment, state: State) -> Event {
        let detail = json!({
            "region": self.scope.region,
            "deploymentId": deployment.id,
            "instanceGroupId": deployment.group_id,
            "deploymentGroup": deployment.group,
            "state": state.name(),
            "application": deployment.application,
        });
        let resources = self.resources(&deployment.application, &deployment.group);
        self.event("CodeDeploy Deployment State-change Notification", resources, detail)
    }

    /// `CodeDeploy Instance State-change Notification`, for a target that began or ended; skipped ones have none.
    pub(crate) fn target(&self, target: &DeploymentTarget) -> Option<Event> {
        let state = match target.progress {
            Progress::InProgress => State::Start,
            Progress::Succeeded => State::Success,
            Progress::Failed => State::Failure,
            Progress::Pending | Progress::Skipped => return None,
        };
        let detail = json!({
            "region": self.scope.region,
            "deploymentId": target.deployment,
            "instanceGroupId": target.group_id,
            "deploymentGroup": target.group,
            "state": state.name(),
            "application": target.application,
            "instanceId": target.id,
        });
        let mut resources = self.resources(&target.application, &target.group);
        resources.push(target.arn.clone());
        Some(self.event("CodeDeploy Instance State-change Notification", resources, detail))
    }

    fn resources(&self, application: &str, group: &str) -> Vec<String> {
        let arn = |resource: String| Arn::new("codedeploy", self.scope, resource).to_string();
        vec![arn(format!("application:{application}")), arn(format!("deploymentgroup:{application}/{group}"))]
    }

    fn event(&self, detail_type: &str, resources: Vec<String>, detail: Value) -> Event {
        Event {
            id: self.ids.uuid(),
            source: "aws.codedeploy".to_owned(),
            detail_type: detail_type.to_owned(),
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            time: self.now,
            resources,
            detail,
        }
    }
}
