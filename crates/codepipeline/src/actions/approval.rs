//! Approval/Manual: waits until somebody answers with the token (PutApprovalResult), or until its time is over.
//!
//! On AWS `NotificationArn` names an SNS topic that is told of the request. Until SNS is here the pipeline is accepted as it is,
//! and the action's summary says that nobody was told.

use std::time::Duration;

use async_trait::async_trait;

use super::{Course, Job, Provider, Trouble};
use crate::model::External;
use crate::service::Service;

pub(super) struct ManualApproval;

#[async_trait]
impl Provider for ManualApproval {
    /// A token that was made before a crash was never seen by anybody.
    async fn start(&self, service: &Service, job: &Job) -> Result<Course, Trouble> {
        if let Some(remark) = self.remark(job) {
            tracing::warn!(pipeline = job.pipeline, action = job.action, remark);
        }
        Ok(Course::Runs(External { id: service.ids.uuid(), url: None }))
    }

    /// The answer ends the action by itself.
    async fn look(&self, _: &Service, _: &Job, external: &External) -> Result<Course, Trouble> {
        Ok(Course::Runs(external.clone()))
    }

    fn looks_every(&self) -> Option<Duration> {
        None
    }

    fn remark(&self, job: &Job) -> Option<String> {
        let topic = job.configuration.get("NotificationArn")?;
        Some(format!("No notification was sent to {topic}: this server has no Amazon SNS yet"))
    }
}
