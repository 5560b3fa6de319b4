//! Deployments, newest first.

use askama::Template;
use async_trait::async_trait;
use aws::codedeploy::{BatchGetDeploymentsInput, DeploymentInfo, ListDeploymentsInput};
use kernel::{Event, Timestamp};

use super::{Failure, Part, Section, Subject};
use crate::rules::link;
use crate::rules::mark::Mark;
use crate::rules::moment::{Elapsed, Moment};
use crate::service::{Service, Visit};

/// How many deployments one call tells of.
const BATCH: usize = 25;

/// All deployments.
pub(super) struct Deployments;

#[derive(Template)]
#[template(path = "deployments.html")]
struct Whole {
    rows: Vec<Row>,
    next: Option<String>,
}

/// One deployment.
struct Row {
    mark: Mark,
    id: String,
    address: String,
    application: String,
    group: String,
    creator: String,
    started: Option<Moment>,
    took: Option<Elapsed>,
}

#[async_trait]
impl Subject for Deployments {
    fn title(&self) -> String {
        "Deployments".to_owned()
    }

    fn section(&self) -> Section {
        Section::Deployments
    }

    fn concerns(&self, event: &Event) -> bool {
        event.source == "aws.codedeploy"
    }

    async fn parts(&mut self, service: &Service, visit: &Visit, _: &[Event]) -> Result<Vec<Part>, Failure> {
        let input = ListDeploymentsInput { next_token: visit.query.get("after"), ..ListDeploymentsInput::default() };
        let listed = service.codedeploy.list_deployments(&visit.caller, input).await?;
        let mut rows = Vec::new();
        for ids in listed.deployments.unwrap_or_default().chunks(BATCH) {
            let input = BatchGetDeploymentsInput { deployment_ids: Some(ids.to_vec()) };
            let found = service.codedeploy.batch_get_deployments(&visit.caller, input).await?;
            rows.extend(found.deployments_info.iter().flatten().map(|info| row(&visit.region, visit.now, info)));
        }
        let address = link::deployments(&visit.region);
        let next = listed.next_token.map(|token| format!("{address}?after={}", link::encode(&token)));
        Ok(vec![Part::new("deployments", &Whole { rows, next })?])
    }
}

fn row(region: &str, now: Timestamp, info: &DeploymentInfo) -> Row {
    let text = |member: &Option<String>| member.clone().unwrap_or_default();
    let id = text(&info.deployment_id);
    Row {
        mark: Mark::of(info.status.as_deref().unwrap_or_default()),
        address: link::deployment(region, &id),
        id,
        application: text(&info.application_name),
        group: text(&info.deployment_group_name),
        creator: text(&info.creator),
        started: info.create_time.map(|time| Moment::new(now, time)),
        took: info.create_time.map(|start| Elapsed::new(now, start, info.complete_time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row() {
        let info = DeploymentInfo {
            deployment_id: Some("d-1".into()),
            status: Some("InProgress".into()),
            create_time: Some(Timestamp::from_seconds(100)),
            ..DeploymentInfo::default()
        };
        let row = row("eu-west-1", Timestamp::from_seconds(104), &info);
        assert_eq!((row.mark.shape, row.address), ("run", link::deployment("eu-west-1", "d-1")));
        assert_eq!(row.took.map(|took| took.text).as_deref(), Some("4 s"));
    }
}
