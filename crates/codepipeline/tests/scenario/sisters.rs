//! The services beside CodePipeline, scripted: what they were asked is kept, what they answer a test decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use aws::Error;
use aws::codebuild::{BatchGetBuildsInput, BatchGetBuildsOutput, Build, CodeBuild, ExportedEnvironmentVariable};
use aws::codecommit::{
    BranchInfo, CodeCommit, Commit, GetBranchInput, GetBranchOutput, GetCommitInput, GetCommitOutput, UserInfo,
};
use aws::codedeploy::{
    BatchGetDeploymentsInput, BatchGetDeploymentsOutput, CodeDeploy, CreateDeploymentInput, CreateDeploymentOutput,
    DeploymentInfo, GetDeploymentInput, GetDeploymentOutput, ListDeploymentsInput, ListDeploymentsOutput,
};
use aws::internal::codebuild::{PipelineBuild, PipelineBuilds, PipelineContext};
use aws::internal::codecommit::{Checkout, Sources};
use aws::s3::Body;
use kernel::{Caller, Credentials, Principal, PrincipalError, Principals, Scope, Session};

/// All sister services in one.
#[derive(Default)]
pub(crate) struct Sisters {
    /// Branch heads by `repository/branch`.
    pub(crate) heads: Mutex<BTreeMap<String, String>>,
    /// Builds by id, in the order of their start.
    pub(crate) builds: Mutex<Vec<(PipelineContext, Build)>>,
    /// Deployments in the order of their creation.
    pub(crate) deployments: Mutex<Vec<(CreateDeploymentInput, DeploymentInfo)>>,
    /// The callers of all requests, in order.
    pub(crate) callers: Mutex<Vec<Caller>>,
    /// Operations that do their work and then never answer, as if the server died.
    pub(crate) mute: Mutex<BTreeSet<&'static str>>,
    /// Operations that fail for a fault of the server.
    pub(crate) broken: Mutex<BTreeSet<&'static str>>,
    /// Objects by `bucket/key`.
    pub(crate) objects: Mutex<BTreeMap<String, String>>,
    /// Roles that were taken by a role: by whom, and which.
    pub(crate) chains: Mutex<Vec<(String, String)>>,
    /// Roles that cannot be assumed.
    pub(crate) distrustful: Mutex<BTreeSet<String>>,
}

impl Sisters {
    fn called_by(&self, caller: &Caller) {
        self.callers.lock().unwrap().push(caller.clone());
    }

    async fn answer<T>(&self, operation: &'static str, answer: T) -> T {
        if self.mute.lock().unwrap().contains(operation) {
            std::future::pending::<()>().await;
        }
        answer
    }

    /// Moves a branch.
    pub(crate) fn set_head(&self, branch: &str, commit: &str) {
        self.heads.lock().unwrap().insert(branch.to_owned(), commit.to_owned());
    }

    /// Gives build number `index` its status and exported variables; its id.
    pub(crate) fn end_build(&self, index: usize, status: &str, exported: &[(&str, &str)]) -> String {
        let mut builds = self.builds.lock().unwrap();
        let build = &mut builds[index].1;
        build.build_status = Some(status.to_owned());
        let variable = |(name, value): &(&str, &str)| ExportedEnvironmentVariable {
            name: Some((*name).to_owned()),
            value: Some((*value).to_owned()),
        };
        build.exported_environment_variables = Some(exported.iter().map(variable).collect());
        build.id.clone().unwrap()
    }

    /// Gives deployment number `index` its status; its id.
    pub(crate) fn end_deployment(&self, index: usize, status: &str) -> String {
        let mut deployments = self.deployments.lock().unwrap();
        let deployment = &mut deployments[index].1;
        deployment.status = Some(status.to_owned());
        deployment.deployment_id.clone().unwrap()
    }
}

impl Sisters {
    /// Lets all builds and deployments succeed.
    pub(crate) fn end_all(&self) {
        for (_, build) in self.builds.lock().unwrap().iter_mut() {
            build.build_status = Some("SUCCEEDED".to_owned());
        }
        for (_, deployment) in self.deployments.lock().unwrap().iter_mut() {
            deployment.status = Some("Succeeded".to_owned());
        }
    }
}

#[async_trait]
impl Principals for Sisters {
    async fn assume(
        &self,
        scope: &Scope,
        role_arn: &str,
        service: &str,
        session: &str,
    ) -> Result<Caller, PrincipalError> {
        if self.distrustful.lock().unwrap().contains(role_arn) {
            return Err(PrincipalError::NotTrusted { service: service.to_owned(), role_arn: role_arn.to_owned() });
        }
        let name = role_arn.rsplit('/').next().unwrap_or_default().to_owned();
        let session = Some(Session { name: session.to_owned(), ..Session::default() });
        Ok(Caller { principal: Principal::Role { name, id: "AROA".to_owned() }, session, ..Caller::root(scope, "r") })
    }

    async fn chain(&self, caller: &Caller, role_arn: &str, session: &str) -> Result<Caller, PrincipalError> {
        let Caller { via, region, .. } = caller.clone();
        let taken = self.assume(&caller.scope(), role_arn, &caller.arn(), session).await?;
        self.chains.lock().unwrap().push((caller.arn(), role_arn.to_owned()));
        Ok(Caller { via, region, ..taken })
    }

    async fn session_credentials(&self, _: &Caller, _: std::time::Duration) -> Result<Credentials, PrincipalError> {
        Err(PrincipalError::Invalid("a pipeline needs no keys".to_owned()))
    }
}

#[async_trait]
impl CodeCommit for Sisters {
    async fn get_branch(&self, caller: &Caller, input: GetBranchInput) -> Result<GetBranchOutput, Error> {
        self.called_by(caller);
        if self.broken.lock().unwrap().contains("get_branch") {
            return Err(Error::internal("a full disk"));
        }
        let branch = format!("{}/{}", input.repository_name.unwrap(), input.branch_name.unwrap());
        let head = self.heads.lock().unwrap().get(&branch).cloned();
        let commit_id = head.ok_or_else(|| Error::new("BranchDoesNotExistException", format!("no branch {branch}")))?;
        let branch = BranchInfo { commit_id: Some(commit_id), ..BranchInfo::default() };
        Ok(GetBranchOutput { branch: Some(branch) })
    }

    async fn get_commit(&self, _: &Caller, input: GetCommitInput) -> Result<GetCommitOutput, Error> {
        let id = input.commit_id.unwrap();
        let user = UserInfo { date: Some("1700000000 +0000".to_owned()), ..UserInfo::default() };
        let commit = Commit {
            message: Some(format!("Say \"{id}\"")),
            commit_id: Some(id),
            author: Some(user.clone()),
            committer: Some(user),
            ..Commit::default()
        };
        Ok(GetCommitOutput { commit: Some(commit) })
    }
}

#[async_trait]
impl Sources for Sisters {
    async fn archive(&self, _: &Caller, repository: &str, commit: &str) -> Result<Body, Error> {
        Ok(Body::from(format!("zip of {repository} at {commit}")))
    }

    async fn checkout(&self, _: &Caller, _: &str, _: Option<&str>, _: Option<u32>) -> Result<Checkout, Error> {
        Err(Error::new("NotScripted", "a pipeline checks nothing out"))
    }
}

#[async_trait]
impl PipelineBuilds for Sisters {
    async fn start_pipeline_build(
        &self,
        caller: &Caller,
        project: &str,
        context: PipelineContext,
    ) -> Result<PipelineBuild, Error> {
        self.called_by(caller);
        let id = {
            let mut builds = self.builds.lock().unwrap();
            let known = builds.iter().find(|(known, _)| known.client_token == context.client_token);
            let id = known.and_then(|(_, build)| build.id.clone()).unwrap_or(format!("{project}:{}", builds.len()));
            if known.is_none() {
                let status = Some("IN_PROGRESS".to_owned());
                builds.push((context, Build { id: Some(id.clone()), build_status: status, ..Build::default() }));
            }
            id
        };
        let arn = format!("arn:aws:codebuild:us-east-1:000000000000:build/{id}");
        Ok(self.answer("start_pipeline_build", PipelineBuild { id, arn }).await)
    }
}

#[async_trait]
impl CodeBuild for Sisters {
    async fn batch_get_builds(&self, _: &Caller, input: BatchGetBuildsInput) -> Result<BatchGetBuildsOutput, Error> {
        let ids = input.ids.unwrap();
        let builds = self.builds.lock().unwrap();
        let wanted = builds.iter().map(|(_, build)| build).filter(|build| ids.contains(build.id.as_ref().unwrap()));
        Ok(BatchGetBuildsOutput { builds: Some(wanted.cloned().collect()), ..BatchGetBuildsOutput::default() })
    }
}

#[async_trait]
impl CodeDeploy for Sisters {
    async fn create_deployment(
        &self,
        _: &Caller,
        input: CreateDeploymentInput,
    ) -> Result<CreateDeploymentOutput, Error> {
        let id = {
            let mut deployments = self.deployments.lock().unwrap();
            let id = format!("d-{}", deployments.len());
            let info = DeploymentInfo {
                deployment_id: Some(id.clone()),
                description: input.description.clone(),
                status: Some("InProgress".to_owned()),
                ..DeploymentInfo::default()
            };
            deployments.push((input, info));
            id
        };
        Ok(self.answer("create_deployment", CreateDeploymentOutput { deployment_id: Some(id) }).await)
    }

    async fn get_deployment(&self, _: &Caller, input: GetDeploymentInput) -> Result<GetDeploymentOutput, Error> {
        let deployments = self.deployments.lock().unwrap();
        let found = deployments.iter().map(|(_, info)| info).find(|info| info.deployment_id == input.deployment_id);
        Ok(GetDeploymentOutput { deployment_info: found.cloned() })
    }

    async fn list_deployments(&self, _: &Caller, _: ListDeploymentsInput) -> Result<ListDeploymentsOutput, Error> {
        let deployments = self.deployments.lock().unwrap();
        let ids = deployments.iter().filter_map(|(_, info)| info.deployment_id.clone()).collect();
        Ok(ListDeploymentsOutput { deployments: Some(ids), next_token: None })
    }

    async fn batch_get_deployments(
        &self,
        _: &Caller,
        input: BatchGetDeploymentsInput,
    ) -> Result<BatchGetDeploymentsOutput, Error> {
        let ids = input.deployment_ids.unwrap();
        let deployments = self.deployments.lock().unwrap();
        let wanted =
            deployments.iter().map(|(_, info)| info).filter(|info| ids.contains(info.deployment_id.as_ref().unwrap()));
        Ok(BatchGetDeploymentsOutput { deployments_info: Some(wanted.cloned().collect()) })
    }
}
