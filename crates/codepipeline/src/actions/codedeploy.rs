//! Deploy/CodeDeploy: a deployment of the input artifact.
//!
//! CreateDeployment knows no client token. The deployment's description carries the action execution's id instead: a start that may
//! have been begun before looks for it first, among the deployments made since the action started.

use async_trait::async_trait;
use aws::codedeploy::{
    BatchGetDeploymentsInput, CreateDeploymentInput, DeploymentInfo, GetDeploymentInput, ListDeploymentsInput,
    RevisionLocation, S3Location, TimeRange,
};

use super::{Completion, Course, Job, Provider, Trouble};
use crate::model::External;
use crate::service::Service;

/// How many deployments BatchGetDeployments takes.
const BATCH: usize = 25;

pub(super) struct CodeDeployAction;

#[async_trait]
impl Provider for CodeDeployAction {
    async fn start(&self, service: &Service, job: &Job) -> Result<Course, Trouble> {
        let begun = if job.again { find(service, job).await? } else { None };
        let id = match begun {
            Some(id) => id,
            None => create(service, job).await?,
        };
        Ok(Course::Runs(External { id, url: None }))
    }

    async fn look(&self, service: &Service, job: &Job, external: &External) -> Result<Course, Trouble> {
        let input = GetDeploymentInput { deployment_id: Some(external.id.clone()) };
        let found = service.codedeploy.get_deployment(&job.caller, input).await?;
        course(&found.deployment_info.unwrap_or_default(), external)
    }
}

fn description(job: &Job) -> String {
    format!("Deployed by CodePipeline {}, action execution {}", job.pipeline, job.token)
}

async fn create(service: &Service, job: &Job) -> Result<String, Trouble> {
    let Some(input) = job.inputs.first() else {
        return Err(Trouble::configuration("the action has no input artifact"));
    };
    let location = S3Location {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        bundle_type: Some("zip".to_owned()),
        ..S3Location::default()
    };
    let revision = RevisionLocation {
        revision_type: Some("S3".to_owned()),
        s3_location: Some(location),
        ..RevisionLocation::default()
    };
    let deployment = CreateDeploymentInput {
        application_name: Some(job.setting("ApplicationName").to_owned()),
        deployment_group_name: Some(job.setting("DeploymentGroupName").to_owned()),
        revision: Some(revision),
        description: Some(description(job)),
        ..CreateDeploymentInput::default()
    };
    let created = service.codedeploy.create_deployment(&job.caller, deployment).await?;
    created.deployment_id.ok_or_else(|| Trouble::job_failed("CodeDeploy gave no deployment id"))
}

/// The deployment that an earlier process made for this action execution, if it came so far.
async fn find(service: &Service, job: &Job) -> Result<Option<String>, Trouble> {
    let mut page = ListDeploymentsInput {
        application_name: Some(job.setting("ApplicationName").to_owned()),
        deployment_group_name: Some(job.setting("DeploymentGroupName").to_owned()),
        create_time_range: Some(TimeRange { start: Some(job.started), end: None }),
        ..ListDeploymentsInput::default()
    };
    loop {
        let listed = service.codedeploy.list_deployments(&job.caller, page.clone()).await?;
        for ids in listed.deployments.unwrap_or_default().chunks(BATCH) {
            let input = BatchGetDeploymentsInput { deployment_ids: Some(ids.to_vec()) };
            let found = service.codedeploy.batch_get_deployments(&job.caller, input).await?;
            let ours = |info: &DeploymentInfo| info.description.as_ref() == Some(&description(job));
            if let Some(info) = found.deployments_info.unwrap_or_default().into_iter().find(ours) {
                return Ok(info.deployment_id);
            }
        }
        page.next_token = listed.next_token;
        if page.next_token.is_none() {
            return Ok(None);
        }
    }
}

fn course(deployment: &DeploymentInfo, external: &External) -> Result<Course, Trouble> {
    match deployment.status.as_deref() {
        Some("Succeeded") => {
            Ok(Course::done(Completion { summary: Some("Deployment Succeeded".to_owned()), ..Completion::default() }))
        }
        Some(status @ ("Failed" | "Stopped")) => {
            let error = deployment.error_information.as_ref();
            let reason = error.and_then(|error| error.message.as_deref());
            let rollback = deployment.rollback_info.as_ref().and_then(|rollback| rollback.rollback_message.as_deref());
            let said: Vec<&str> = reason.into_iter().chain(rollback).collect();
            let ended = format!("Deployment {} {}", external.id, status.to_lowercase());
            let message = if said.is_empty() { ended.clone() } else { format!("{ended}: {}", said.join(" ")) };
            Err(Trouble::job_failed_in_short(ended, message))
        }
        _ => Ok(Course::Runs(external.clone())),
    }
}

#[cfg(test)]
mod tests {
    use aws::codedeploy::{ErrorInformation, RollbackInfo};

    use super::*;

    #[test]
    fn a_deployment_ends_as_its_status_says() {
        let external = External { id: "d-1".into(), url: None };
        let deployment = |status: &str| DeploymentInfo {
            status: Some(status.into()),
            error_information: Some(ErrorInformation { code: None, message: Some("too few hosts".into()) }),
            ..DeploymentInfo::default()
        };
        for status in ["Created", "Queued", "InProgress", "Baking", "Ready"] {
            assert_eq!(course(&deployment(status), &external).unwrap(), Course::Runs(external.clone()));
        }
        let Course::Done(completion) = course(&deployment("Succeeded"), &external).unwrap() else { panic!() };
        assert_eq!(completion.summary.as_deref(), Some("Deployment Succeeded"));
        let Err(Trouble::Fails(failure)) = course(&deployment("Failed"), &external) else { panic!() };
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            ("JobFailed", "Deployment d-1 failed: too few hosts")
        );
        assert_eq!(failure.summary.as_deref(), Some("Deployment d-1 failed"));
        let rollback = RollbackInfo { rollback_message: Some("Rolled back by d-2.".into()), ..RollbackInfo::default() };
        let rolled_back = DeploymentInfo { rollback_info: Some(rollback), ..deployment("Failed") };
        let Err(Trouble::Fails(failure)) = course(&rolled_back, &external) else { panic!() };
        assert_eq!(failure.message, "Deployment d-1 failed: too few hosts Rolled back by d-2.");
        let silent = DeploymentInfo { error_information: None, ..deployment("Stopped") };
        let Err(Trouble::Fails(failure)) = course(&silent, &external) else { panic!() };
        assert_eq!(failure.message, "Deployment d-1 stopped");
    }
}
