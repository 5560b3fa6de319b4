//! What a host may do beyond its user's policies: speak this protocol, read its deployments' revisions.

use crate::Service;
use crate::model::{Deployment, DeploymentTarget};
use async_trait::async_trait;
use aws::Error;
use aws::codedeploy_commands::HostGrants;
use kernel::{Caller, Page, Stored};

/// Deployments that run on one host at the same time: one for each group it belongs to.
const ACTIVE: usize = 1_000;

#[async_trait]
impl HostGrants for Service {
    async fn is_host(&self, caller: &Caller) -> Result<bool, Error> {
        Ok(self.instance_of(&caller.scope(), &caller.arn()).await?.is_some())
    }

    async fn may_read_object(&self, caller: &Caller, bucket: &str, key: &str) -> Result<bool, Error> {
        let scope = caller.scope();
        if self.instance_of(&scope, &caller.arn()).await?.is_none() {
            return Ok(false);
        }
        let active: Vec<Stored<DeploymentTarget>> =
            self.documents.find(&scope, "active", &caller.arn(), Page::first(ACTIVE)).await?;
        let ids: Vec<&str> = active.iter().map(|target| target.deployment.as_str()).collect();
        let deployments: Vec<Option<Stored<Deployment>>> = self.documents.get_many(&scope, &ids).await?;
        Ok(deployments.into_iter().flatten().any(|deployment| is_at(&deployment, bucket, key)))
    }
}

fn is_at(deployment: &Deployment, bucket: &str, key: &str) -> bool {
    deployment
        .revision
        .s3_location
        .as_ref()
        .is_some_and(|location| location.bucket.as_deref() == Some(bucket) && location.key.as_deref() == Some(key))
}
