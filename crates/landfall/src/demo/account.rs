//! The AWS resources of the demo, made over the API as any client makes them.

use super::example::PIPELINE;
use crate::client::{AccessKey, Client, element};
use anyhow::Context;
use aws::{codebuild, codecommit, codedeploy, codepipeline, iam};
use serde_json::{Value, json};

/// The name of the repository, project, application and pipeline.
pub(super) const NAME: &str = "hello-service";
/// The deployment group, and the tag of its hosts.
const GROUP: &str = "hosts";

/// What the demo makes in the account.
pub(super) struct Account(Client);

impl Account {
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }

    pub(super) fn client(&self) -> &Client {
        &self.0
    }

    /// Everything but the hosts and the pipeline.
    pub(super) async fn prepare(&self) -> anyhow::Result<()> {
        let Self(client) = self;
        client.create_bucket("hello-service-artifacts").await?;
        client.call(&codecommit::MODEL, "CreateRepository", json!({"repositoryName": NAME})).await?;
        for (role, service) in [("build", "codebuild"), ("deploy", "codedeploy"), ("pipeline", "codepipeline")] {
            self.create_role(&format!("{NAME}-{role}"), service).await?;
        }
        client.call(&codebuild::MODEL, "CreateProject", project()).await?;
        client.call(&codedeploy::MODEL, "CreateApplication", json!({"applicationName": NAME})).await?;
        client.call(&codedeploy::MODEL, "CreateDeploymentGroup", deployment_group()).await?;
        Ok(())
    }

    async fn create_role(&self, name: &str, service: &str) -> anyhow::Result<()> {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": format!("{service}.amazonaws.com")},
            "Action": "sts:AssumeRole",
        }]});
        let fields = [("RoleName", name), ("AssumeRolePolicyDocument", &trust.to_string())];
        self.0.query(&iam::MODEL, "CreateRole", &fields).await?;
        Ok(())
    }

    /// Registers a host as an on-premises instance with a user of its own.
    pub(super) async fn register_host(&self, name: &str) -> anyhow::Result<HostKey> {
        let Self(client) = self;
        let fields = [("UserName", name), ("Path", "/AWS/CodeDeploy/")];
        let user = client.query(&iam::MODEL, "CreateUser", &fields).await?;
        let user_arn = element(&user, "Arn").context("CreateUser answered no Arn")?.to_owned();
        let key = client.query(&iam::MODEL, "CreateAccessKey", &[("UserName", name)]).await?;
        let text = |field: &str| element(&key, field).map(str::to_owned).with_context(|| format!("no {field}"));
        let key = AccessKey::new(&text("AccessKeyId")?, &text("SecretAccessKey")?);
        let instance = json!({"instanceName": name, "iamUserArn": user_arn});
        client.call(&codedeploy::MODEL, "RegisterOnPremisesInstance", instance).await?;
        let tags = json!({"instanceNames": [name], "tags": [{"Key": "group", "Value": GROUP}]});
        client.call(&codedeploy::MODEL, "AddTagsToOnPremisesInstances", tags).await?;
        Ok(HostKey { user_arn, key })
    }

    /// Makes the pipeline of `examples/hello-service/pipeline.json`, which starts it.
    pub(super) async fn create_pipeline(&self) -> anyhow::Result<()> {
        let pipeline: Value = serde_json::from_str(PIPELINE)?;
        self.0.call(&codepipeline::MODEL, "CreatePipeline", pipeline).await?;
        Ok(())
    }
}

/// Who a host is.
pub(super) struct HostKey {
    pub(super) user_arn: String,
    pub(super) key: AccessKey,
}

fn project() -> Value {
    json!({
        "name": NAME,
        "source": {"type": "CODEPIPELINE"},
        "artifacts": {"type": "CODEPIPELINE"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        "serviceRole": format!("arn:aws:iam::000000000000:role/{NAME}-build"),
    })
}

fn deployment_group() -> Value {
    json!({
        "applicationName": NAME,
        "deploymentGroupName": GROUP,
        "deploymentConfigName": "CodeDeployDefault.OneAtATime",
        "onPremisesInstanceTagFilters": [{"Key": "group", "Value": GROUP, "Type": "KEY_AND_VALUE"}],
        "serviceRoleArn": format!("arn:aws:iam::000000000000:role/{NAME}-deploy"),
    })
}
