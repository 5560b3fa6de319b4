//! A CodePipeline on a real store, among scripted sister services.

use std::sync::Arc;
use std::time::Duration;

use aws::codepipeline::{
    CodePipeline, CreatePipelineInput, GetPipelineStateInput, ListActionExecutionsInput, ListPipelineExecutionsInput,
    PipelineDeclaration, PipelineExecutionSummary, RetryStageExecutionInput, StartPipelineExecutionInput,
    StopPipelineExecutionInput, StopPipelineExecutionOutput,
};
use codepipeline::{Dependencies, Service};
use kernel::{
    Batch, Blobs, Caller, Document, Event, ManualClock, Scope, Seal, SequentialIds, Stop, Store, Subscription,
    Timestamp,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::sisters::Sisters;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) sisters: Arc<Sisters>,
    pub(crate) clock: ManualClock,
    ids: Arc<SequentialIds>,
    pub(crate) service: Arc<Service>,
    store: Arc<Store>,
    running: JoinHandle<()>,
    pub(crate) caller: Caller,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_800_000_000));
        let sisters = Arc::new(Sisters::default());
        let ids = Arc::new(SequentialIds::new(1));
        let (service, store, running) = open(&dir, &sisters, &clock, &ids);
        let caller = Caller::root(&scope(), "r");
        Self { dir, sisters, clock, ids, service, store, running, caller }
    }

    /// The server dies and starts again on the same folder.
    pub(crate) async fn restart(self) -> Self {
        let Self { dir, sisters, clock, ids, service, store, running, caller } = self;
        running.abort();
        let _ = running.await;
        drop((service, store));
        // The store's lock goes with its last handle, which an aborted step may still be dropping.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (service, store, running) = open(&dir, &sisters, &clock, &ids);
        Self { dir, sisters, clock, ids, service, store, running, caller }
    }

    /// Whether a text lies in clear in any file of the data folder.
    pub(crate) fn data_folder_contains(&self, text: &str) -> bool {
        let holds = |file: std::fs::DirEntry| {
            let content = std::fs::read(file.path()).unwrap_or_default();
            content.windows(text.len()).any(|window| window == text.as_bytes())
        };
        std::fs::read_dir(self.dir.path()).unwrap().any(|file| holds(file.unwrap()))
    }

    /// Whether there is any document of this kind.
    pub(crate) async fn has_any<T: Document>(&self) -> bool {
        !self.store.service("codepipeline").scopes::<T>().await.unwrap().is_empty()
    }

    /// Loses all that is too large for the store.
    pub(crate) fn lose_blobs(&self) {
        std::fs::remove_dir_all(self.dir.path().join("blobs/codepipeline")).unwrap();
    }

    pub(crate) async fn create(&self, declaration: Value) {
        let pipeline: PipelineDeclaration = serde_json::from_value(declaration).unwrap();
        let input = CreatePipelineInput { pipeline: Some(pipeline), tags: None };
        self.service.create_pipeline(&self.caller, input).await.unwrap();
    }

    pub(crate) async fn start(&self) -> String {
        let input = StartPipelineExecutionInput { name: Some("app".into()), ..StartPipelineExecutionInput::default() };
        self.service.start_pipeline_execution(&self.caller, input).await.unwrap().pipeline_execution_id.unwrap()
    }

    /// What CodePipeline publishes from now on.
    pub(crate) async fn events(&self) -> Subscription {
        self.store.bus().subscribe("test.events").await.unwrap().only("aws.codepipeline")
    }

    /// Stops the oldest execution.
    pub(crate) async fn stop(&self, abandon: bool) -> Result<StopPipelineExecutionOutput, aws::Error> {
        let input = StopPipelineExecutionInput {
            pipeline_name: Some("app".into()),
            pipeline_execution_id: self.executions().await[0].pipeline_execution_id.clone(),
            abandon: Some(abandon),
            reason: Some("wrong commit".into()),
        };
        self.service.stop_pipeline_execution(&self.caller, input).await
    }

    /// Retries a stage of the oldest execution.
    pub(crate) async fn retry(&self, stage: &str, mode: &str) -> Result<(), aws::Error> {
        let input = RetryStageExecutionInput {
            pipeline_name: Some("app".into()),
            stage_name: Some(stage.into()),
            pipeline_execution_id: self.executions().await[0].pipeline_execution_id.clone(),
            retry_mode: Some(mode.into()),
        };
        self.service.retry_stage_execution(&self.caller, input).await.map(drop)
    }

    /// All action executions as ListActionExecutions shows them, oldest first.
    pub(crate) async fn action_details(&self) -> Vec<Value> {
        let input =
            ListActionExecutionsInput { pipeline_name: Some("app".into()), ..ListActionExecutionsInput::default() };
        let listed = self.service.list_action_executions(&self.caller, input).await.unwrap();
        listed.action_execution_details.unwrap().iter().rev().map(|one| serde_json::to_value(one).unwrap()).collect()
    }

    /// A push to `app/main`: the branch moves, then the event is published.
    pub(crate) async fn push(&self, commit: &str) {
        self.sisters.set_head("app/main", commit);
        let detail = json!({"event": "referenceUpdated", "referenceType": "branch", "referenceName": "main",
                            "repositoryName": "app", "commitId": commit});
        self.publish("codecommit", "CodeCommit Repository State Change", detail).await;
    }

    pub(crate) async fn end_build(&self, index: usize, status: &str, exported: &[(&str, &str)]) {
        let id = self.sisters.end_build(index, status, exported);
        let arn = format!("arn:aws:codebuild:us-east-1:000000000000:build/{id}");
        self.publish("codebuild", "CodeBuild Build State Change", json!({"build-id": arn})).await;
    }

    pub(crate) async fn end_deployment(&self, index: usize, status: &str) {
        let id = self.sisters.end_deployment(index, status);
        self.publish("codedeploy", "CodeDeploy Deployment State-change Notification", json!({"deploymentId": id}))
            .await;
    }

    pub(crate) async fn publish(&self, service: &str, detail_type: &str, detail: Value) {
        self.clock.advance(Duration::from_secs(1));
        let event = Event {
            id: "e".into(),
            source: format!("aws.{service}"),
            detail_type: detail_type.into(),
            account: scope().account,
            region: scope().region,
            time: kernel::Clock::now(&self.clock),
            resources: vec![format!("arn:aws:{service}:us-east-1:000000000000:app")],
            detail,
        };
        self.store.service(service).commit(Batch::new(&scope()).publish(&event)).await.unwrap();
    }

    /// All executions, oldest first.
    pub(crate) async fn executions(&self) -> Vec<PipelineExecutionSummary> {
        let input =
            ListPipelineExecutionsInput { pipeline_name: Some("app".into()), ..ListPipelineExecutionsInput::default() };
        let listed = self.service.list_pipeline_executions(&self.caller, input).await.unwrap();
        listed.pipeline_execution_summaries.unwrap().into_iter().rev().collect()
    }

    /// The executions' statuses, oldest first.
    pub(crate) async fn statuses(&self) -> Vec<String> {
        self.executions().await.into_iter().map(|execution| execution.status.unwrap()).collect()
    }

    /// `Stage/Action Status` of all action executions, oldest first.
    pub(crate) async fn actions(&self) -> Vec<String> {
        let input =
            ListActionExecutionsInput { pipeline_name: Some("app".into()), ..ListActionExecutionsInput::default() };
        let listed = self.service.list_action_executions(&self.caller, input).await.unwrap();
        let text = |detail: &aws::codepipeline::ActionExecutionDetail| {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("{}/{} {}", part(&detail.stage_name), part(&detail.action_name), part(&detail.status))
        };
        listed.action_execution_details.unwrap().iter().rev().map(text).collect()
    }

    pub(crate) async fn state(&self) -> Value {
        let input = GetPipelineStateInput { name: Some("app".into()) };
        serde_json::to_value(self.service.get_pipeline_state(&self.caller, input).await.unwrap()).unwrap()
    }

    /// Waits until the executions have these statuses, oldest first.
    pub(crate) async fn until(&self, statuses: &[&str]) {
        let reached = async || self.statuses().await == statuses;
        assert!(
            eventually(reached).await,
            "{:?} instead of {statuses:?}: {:?}",
            self.statuses().await,
            self.actions().await
        );
    }

    /// Waits until there are `count` builds.
    pub(crate) async fn until_builds(&self, count: usize) {
        let reached = async || self.sisters.builds.lock().unwrap().len() >= count;
        assert!(eventually(reached).await, "no build {count}: {:?}", self.actions().await);
    }

    /// Waits until there are `count` deployments.
    pub(crate) async fn until_deployments(&self, count: usize) {
        let reached = async || self.sisters.deployments.lock().unwrap().len() >= count;
        assert!(eventually(reached).await, "no deployment {count}: {:?}", self.actions().await);
    }
}

pub(crate) async fn eventually(reached: impl AsyncFn() -> bool) -> bool {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < deadline {
        if reached().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

pub(crate) fn scope() -> Scope {
    Scope::new("000000000000", "us-east-1")
}

fn open(
    dir: &tempfile::TempDir,
    sisters: &Arc<Sisters>,
    clock: &ManualClock,
    ids: &Arc<SequentialIds>,
) -> (Arc<Service>, Arc<Store>, JoinHandle<()>) {
    let store = Store::open(dir.path(), Arc::new(clock.clone())).unwrap();
    let service = Service::new(Dependencies {
        documents: store.service("codepipeline"),
        blobs: Blobs::open(dir.path(), "codepipeline").unwrap(),
        clock: Arc::new(clock.clone()),
        ids: Arc::clone(ids) as _,
        seal: Arc::new(Seal::in_folder(dir.path()).unwrap()),
        principals: Arc::clone(sisters) as _,
        s3: Arc::clone(sisters) as _,
        codecommit: Arc::clone(sisters) as _,
        sources: Arc::clone(sisters) as _,
        codebuild: Arc::clone(sisters) as _,
        pipeline_builds: Arc::clone(sisters) as _,
        codedeploy: Arc::clone(sisters) as _,
        spool: dir.path().join("spool"),
    });
    let running = tokio::spawn(Arc::clone(&service).run(Stop::new()));
    (service, store, running)
}

/// Source (CodeCommit `app/main`) → Build (CodeBuild `app`) → Deploy (CodeDeploy `app`/`hosts`).
pub(crate) fn three_stages() -> Value {
    json!({
        "name": "app",
        "roleArn": "arn:aws:iam::000000000000:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [action("Git", "Source", "CodeCommit", &[], &["Code"],
                json!({"RepositoryName": "app", "BranchName": "main"}))]},
            {"name": "Build", "actions": [action("Compile", "Build", "CodeBuild", &["Code"], &["Built"],
                json!({"ProjectName": "app"}))]},
            {"name": "Deploy", "actions": [action("Hosts", "Deploy", "CodeDeploy", &["Built"], &[],
                json!({"ApplicationName": "app", "DeploymentGroupName": "hosts"}))]},
        ],
    })
}

/// An action of AWS.
pub(crate) fn action(
    name: &str,
    category: &str,
    provider: &str,
    inputs: &[&str],
    outputs: &[&str],
    configuration: Value,
) -> Value {
    let named = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
    json!({
        "name": name,
        "namespace": format!("{name}Variables"),
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "inputArtifacts": named(inputs),
        "outputArtifacts": named(outputs),
        "configuration": configuration,
    })
}
