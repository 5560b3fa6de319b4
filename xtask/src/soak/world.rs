//! What there is before anybody is killed: roles, buckets, repositories, projects, hosts, the ten pipelines.

use std::path::Path;

use anyhow::Context as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::api::{Api, BUILD, COMMIT, DEPLOY, PIPELINE};
use super::hosts::{self, Host};
use super::plan::{ACCOUNT, HOSTS, Plan, Source, Stage, role};

/// Makes roles, the artifact bucket, and hosts whose agents do not run yet.
pub(super) async fn found(api: &mut Api, agent: &Path, folder: &Path) -> anyhow::Result<Vec<Host>> {
    for service in ["codepipeline", "codebuild", "codedeploy"] {
        make_role(api, service).await?;
    }
    api.put("/soak-artifacts", b"").await?;
    let mut made = Vec::new();
    for number in 0..HOSTS {
        made.push(make_host(api, agent, folder, number).await?);
    }
    Ok(made)
}

async fn make_role(api: &mut Api, service: &str) -> anyhow::Result<()> {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": format!("{service}.amazonaws.com")}, "Action": "sts:AssumeRole"}]});
    let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let encoded = |text: String| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
    let name = format!("RoleName=soak-{service}");
    api.iam("CreateRole", &format!("{name}&AssumeRolePolicyDocument={}", encoded(trust.to_string()))).await?;
    let policy = format!("{name}&PolicyName=all&PolicyDocument={}", encoded(all.to_string()));
    api.iam("PutRolePolicy", &policy).await.map(drop)
}

async fn make_host(api: &mut Api, agent: &Path, folder: &Path, number: usize) -> anyhow::Result<Host> {
    let name = hosts::name(number);
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
    api.iam("CreateUser", &format!("UserName={name}")).await?;
    let key = api.iam("CreateAccessKey", &format!("UserName={name}")).await?;
    let text = |tag: &str| {
        let (_, rest) = key.split_once(&format!("<{tag}>"))?;
        rest.split_once('<').map(|(text, _)| text)
    };
    let key = (text("AccessKeyId").context("no key")?, text("SecretAccessKey").context("no secret")?);
    let register = json!({"instanceName": name, "iamUserArn": arn});
    api.insist(DEPLOY, "RegisterOnPremisesInstance", &register).await?;
    Host::new(agent, folder.join("hosts").join(&name), &api.client().authority, &arn, key)
}

/// Makes a pipeline and what it stands on; its source has its first revision already.
pub(super) async fn make(api: &mut Api, plan: &Plan, packed: bool, image: &str) -> anyhow::Result<()> {
    if plan.has(|stage| matches!(stage, Stage::Build(_))) {
        let project = json!({
            "name": plan.name, "source": {"type": "CODEPIPELINE"}, "artifacts": {"type": "CODEPIPELINE"},
            "environment": {"type": "LINUX_CONTAINER", "image": image, "computeType": "BUILD_GENERAL1_SMALL"},
            "serviceRole": role("codebuild"),
        });
        api.insist(BUILD, "CreateProject", &project).await?;
    }
    if plan.has(|stage| *stage == Stage::Site) {
        api.put(&format!("/{}", plan.site()), b"").await?;
    }
    if !plan.hosts().is_empty() {
        make_group(api, plan).await?;
    }
    api.insist(PIPELINE, "CreatePipeline", &plan.declaration(packed)).await.map(drop)
}

/// The repository or the bucket with versions that revisions are put into.
pub(super) async fn make_inbox(api: &mut Api, plan: &Plan) -> anyhow::Result<()> {
    let name = plan.inbox();
    if plan.source == Source::CodeCommit {
        return api.insist(COMMIT, "CreateRepository", &json!({"repositoryName": name})).await.map(drop);
    }
    api.put(&format!("/{name}"), b"").await?;
    let versions = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    api.put(&format!("/{name}?versioning"), versions).await.map(drop)
}

async fn make_group(api: &mut Api, plan: &Plan) -> anyhow::Result<()> {
    let names: Vec<String> = plan.hosts().iter().map(|host| hosts::name(*host)).collect();
    // A tag of its own for each pipeline: a host may be of several fleets.
    let tag = json!({"Key": format!("soak-{}", plan.name), "Value": "yes"});
    api.insist(DEPLOY, "AddTagsToOnPremisesInstances", &json!({"instanceNames": names, "tags": [tag]})).await?;
    api.insist(DEPLOY, "CreateApplication", &json!({"applicationName": plan.name})).await?;
    let group = json!({
        "applicationName": plan.name, "deploymentGroupName": "hosts", "serviceRoleArn": role("codedeploy"),
        "deploymentConfigName": "CodeDeployDefault.OneAtATime",
        "autoRollbackConfiguration": {"enabled": plan.name == "release", "events": ["DEPLOYMENT_FAILURE"]},
        "onPremisesInstanceTagFilters": [{"Key": tag["Key"], "Value": tag["Value"], "Type": "KEY_AND_VALUE"}],
    });
    api.insist(DEPLOY, "CreateDeploymentGroup", &group).await.map(drop)
}
