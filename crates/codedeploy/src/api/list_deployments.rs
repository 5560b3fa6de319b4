//! ListDeployments: newest first, of a group or of all.

use super::{PAGE, invalid_token, query};
use crate::Service;
use crate::model::Deployment;
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::paging::{self, Token};
use kernel::{Page, Scope, Stored};

/// Pages of documents that one call looks through for what fits its filters; then its token goes on.
const MOST_PAGES: usize = 10;

pub(super) async fn list(
    service: &Service,
    scope: &Scope,
    input: ListDeploymentsInput,
) -> Result<ListDeploymentsOutput, Error> {
    check(&input)?;
    let (index, value) = match &input.application_name {
        Some(_) => {
            let application = service.application(scope, input.application_name.as_deref()).await?;
            let group = service.group(scope, &application, input.deployment_group_name.as_deref()).await?;
            ("group", group.value.id)
        }
        None => ("all", String::new()),
    };
    let query = query("ListDeployments", scope, (&value, &input.include_only_statuses, &input.create_time_range));
    let mut after = paging::start(&query, input.next_token.as_deref()).map_err(invalid_token)?;
    let mut deployments = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = Page::first(PAGE).after(after.take()).descending();
        let found: Vec<Stored<Deployment>> = service.documents.find(scope, index, &value, page).await?;
        let whole = found.len() < PAGE;
        for deployment in found {
            after = Some(deployment.position().to_owned());
            if fits(&deployment, &input) {
                deployments.push(deployment.value.id);
            }
            if deployments.len() == PAGE {
                return Ok(output(deployments, after, &query));
            }
        }
        if whole {
            return Ok(output(deployments, None, &query));
        }
    }
    Ok(output(deployments, after, &query))
}

fn output(deployments: Vec<String>, after: Option<String>, query: &str) -> ListDeploymentsOutput {
    let next_token = after.map(|position| Token::new(position).encode(query));
    ListDeploymentsOutput { deployments: Some(deployments), next_token }
}

fn check(input: &ListDeploymentsInput) -> Result<(), Error> {
    match (&input.application_name, &input.deployment_group_name) {
        (None, Some(_)) => {
            return Err(error::application_name_required_exception(
                "A deployment group's name needs its application's name.",
            ));
        }
        (Some(_), None) => {
            return Err(error::deployment_group_name_required_exception(
                "An application's name needs a deployment group's name.",
            ));
        }
        _ => {}
    }
    if input.external_id.is_some() {
        return Err(error::invalid_external_id_exception("No deployment of this server has an external id."));
    }
    let range = input.create_time_range.clone().unwrap_or_default();
    match (range.start, range.end) {
        (Some(start), Some(end)) if start > end => {
            Err(error::invalid_time_range_exception("The time range ends before it starts."))
        }
        _ => Ok(()),
    }
}

fn fits(deployment: &Deployment, input: &ListDeploymentsInput) -> bool {
    let statuses = input.include_only_statuses.as_deref().unwrap_or_default();
    let range = input.create_time_range.clone().unwrap_or_default();
    (statuses.is_empty() || statuses.iter().any(|status| status == deployment.status.name()))
        && range.start.is_none_or(|start| deployment.created >= start)
        && range.end.is_none_or(|end| deployment.created <= end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;
    use crate::model::deployment::tests::deployment;
    use kernel::Timestamp;

    fn between(start: Option<i64>, end: Option<i64>) -> ListDeploymentsInput {
        let time = |seconds: Option<i64>| seconds.map(Timestamp::from_seconds);
        let range = TimeRange { start: time(start), end: time(end) };
        ListDeploymentsInput { create_time_range: Some(range), ..ListDeploymentsInput::default() }
    }

    #[test]
    fn statuses_and_times_choose() {
        let statuses = |names: &[&str]| ListDeploymentsInput {
            include_only_statuses: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            ..ListDeploymentsInput::default()
        };
        // Made at second 10.
        let deployment = deployment(Status::Failed, "k");
        for (input, expected) in [
            (ListDeploymentsInput::default(), true),
            (statuses(&[]), true),
            (statuses(&["Succeeded", "Failed"]), true),
            (statuses(&["Succeeded"]), false),
            (between(None, None), true),
            (between(Some(10), Some(10)), true),
            (between(Some(11), None), false),
            (between(None, Some(9)), false),
        ] {
            assert_eq!(fits(&deployment, &input), expected, "{input:?}");
        }
    }

    #[test]
    fn names_come_in_pairs_and_times_in_order() {
        let text = |text: &str| Some(text.to_owned());
        let input = ListDeploymentsInput::default;
        for (input, code) in [
            (ListDeploymentsInput { application_name: text("a"), ..input() }, "DeploymentGroupNameRequiredException"),
            (ListDeploymentsInput { deployment_group_name: text("g"), ..input() }, "ApplicationNameRequiredException"),
            (ListDeploymentsInput { external_id: text("x"), ..input() }, "InvalidExternalIdException"),
            (between(Some(2), Some(1)), "InvalidTimeRangeException"),
            (between(Some(1), Some(1)), ""),
            (input(), ""),
        ] {
            assert_eq!(check(&input).err().map_or(String::new(), |error| error.code), code, "{input:?}");
        }
    }
}
