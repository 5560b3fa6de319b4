//! What the server says at the end, as plain data.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, BUILD, DEPLOY, LOGS, PIPELINE, Service};
use super::plan::{PLANS, Plan, Source, Stage};
use super::revision::unzip;

/// Everything about one pipeline, oldest first.
pub(super) struct Facts {
    pub(super) plan: Plan,
    pub(super) executions: Vec<Execution>,
    pub(super) actions: Vec<Action>,
    pub(super) builds: Vec<Build>,
    pub(super) deployments: Vec<Deployment>,
    /// The versions of the inbox's object, for S3.
    pub(super) versions: usize,
    /// What the site has at the end.
    pub(super) site: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Execution {
    pub(super) pipeline_execution_id: String,
    pub(super) status: String,
    pub(super) execution_type: String,
    pub(super) start_time: f64,
    pub(super) trigger: Trigger,
    pub(super) source_revisions: Vec<SourceRevision>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Trigger {
    pub(super) trigger_type: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SourceRevision {
    pub(super) revision_id: String,
}

/// An action execution.
#[derive(Debug, Clone, Default)]
pub(super) struct Action {
    pub(super) execution: String,
    pub(super) id: String,
    pub(super) stage: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) external: String,
    pub(super) summary: String,
    pub(super) error: String,
    /// The output artifact's key.
    pub(super) key: String,
    /// The output artifact, if it is there: texts of files in it.
    pub(super) output: Option<Output>,
}

/// What is in an artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) text: String,
    pub(super) nonce: Option<String>,
    pub(super) proof: Option<String>,
}

/// A build and its log.
#[derive(Debug, Clone, Default)]
pub(super) struct Build {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) phases: String,
    pub(super) log: Vec<String>,
}

/// A deployment.
#[derive(Debug, Clone, Default)]
pub(super) struct Deployment {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) created: f64,
    pub(super) completed: f64,
    pub(super) error: String,
    /// Who made it: a pipeline's role, or CodeDeploy as a rollback.
    pub(super) creator: String,
    /// The artifact's key.
    pub(super) key: String,
}

/// Asks for everything.
///
/// # Errors
/// The server refuses a question, or does not answer.
pub(super) async fn gather(api: &mut Api) -> anyhow::Result<Vec<Facts>> {
    let mut all = Vec::new();
    for plan in PLANS {
        all.push(gather_one(api, plan).await.with_context(|| format!("the facts about {}", plan.name))?);
    }
    Ok(all)
}

async fn gather_one(api: &mut Api, plan: Plan) -> anyhow::Result<Facts> {
    let input = json!({"pipelineName": plan.name});
    let mut executions = pages(api, PIPELINE, "ListPipelineExecutions", &input, "pipelineExecutionSummaries").await?;
    let mut details = pages(api, PIPELINE, "ListActionExecutions", &input, "actionExecutionDetails").await?;
    executions.reverse();
    details.reverse();
    let mut actions = Vec::with_capacity(details.len());
    for detail in &details {
        actions.push(action(api, detail).await?);
    }
    Ok(Facts {
        executions: executions.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?,
        actions,
        builds: builds(api, &plan).await?,
        deployments: deployments(api, &plan).await?,
        versions: versions(api, &plan).await?,
        site: site(api, &plan).await?,
        plan,
    })
}

/// All pages of a list.
async fn pages(
    api: &mut Api,
    service: Service,
    operation: &str,
    input: &Value,
    member: &str,
) -> anyhow::Result<Vec<Value>> {
    let (mut all, mut input) = (Vec::new(), input.clone());
    loop {
        let page = api.insist(service, operation, &input).await?;
        all.extend(page[member].as_array().cloned().unwrap_or_default());
        match page["nextToken"].as_str() {
            Some(token) => input["nextToken"] = json!(token),
            None => return Ok(all),
        }
    }
}

async fn action(api: &mut Api, detail: &Value) -> anyhow::Result<Action> {
    let text = |pointer: &str| detail.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let time = |pointer: &str| detail.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
    let mut action = Action {
        execution: text("/pipelineExecutionId"),
        id: text("/actionExecutionId"),
        stage: text("/stageName"),
        name: text("/actionName"),
        status: text("/status"),
        start: time("/startTime"),
        end: time("/lastUpdateTime"),
        external: text("/output/executionResult/externalExecutionId"),
        summary: text("/output/executionResult/externalExecutionSummary"),
        error: text("/output/executionResult/errorDetails/message"),
        key: text("/output/outputArtifacts/0/s3location/key"),
        output: None,
    };
    let place = |member: &str| text(&format!("/output/outputArtifacts/0/s3location/{member}"));
    if action.status == "Succeeded" && !place("key").is_empty() {
        let content = object(api, &format!("/{}/{}", place("bucket"), place("key"))).await?;
        let content = content.with_context(|| format!("the artifact of {action:?}"))?;
        action.output = Some(output(&content).with_context(|| format!("the artifact of {action:?}"))?);
    }
    Ok(action)
}

fn output(content: &[u8]) -> anyhow::Result<Output> {
    if let Ok(dummy) = unzip(content, "dummy.txt") {
        return Ok(Output { text: dummy, ..Output::default() });
    }
    let text = unzip(content, super::revision::TEXT)?;
    Ok(Output { text, nonce: unzip(content, "out/nonce").ok(), proof: unzip(content, "out/proof").ok() })
}

/// An object, if it is there.
async fn object(api: &mut Api, target: &str) -> anyhow::Result<Option<Vec<u8>>> {
    match api.s3("GET", target).await {
        Ok(content) => Ok(Some(content)),
        Err(trouble) if trouble.is("NoSuchKey") => Ok(None),
        Err(trouble) => Err(trouble.into()),
    }
}

async fn builds(api: &mut Api, plan: &Plan) -> anyhow::Result<Vec<Build>> {
    if !plan.has(|stage| matches!(stage, Stage::Build(_))) {
        return Ok(Vec::new());
    }
    let ids = pages(api, BUILD, "ListBuildsForProject", &json!({"projectName": plan.name}), "ids").await?;
    let mut builds = Vec::with_capacity(ids.len());
    for ids in ids.chunks(100) {
        let answer = api.insist(BUILD, "BatchGetBuilds", &json!({"ids": ids})).await?;
        for build in answer["builds"].as_array().into_iter().flatten() {
            let id = build["id"].as_str().unwrap_or_default().to_owned();
            let group = format!("/aws/codebuild/{}", plan.name);
            let stream = id.rsplit(':').next().unwrap_or_default();
            let log = log(api, &group, stream).await?;
            let status = build["buildStatus"].as_str().unwrap_or_default().to_owned();
            builds.push(Build { id, status, phases: build["phases"].to_string(), log });
        }
    }
    Ok(builds)
}

/// All lines of a log stream.
async fn log(api: &mut Api, group: &str, stream: &str) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut input = json!({"logGroupName": group, "logStreamName": stream, "startFromHead": true});
    loop {
        let page = match api.insist(LOGS, "GetLogEvents", &input).await {
            // A build that was stopped in the queue has none.
            Err(error)
                if error.to_string().contains("GetLogEvents") && format!("{error:#}").contains("ResourceNotFound") =>
            {
                return Ok(lines);
            }
            page => page?,
        };
        let events = page["events"].as_array().cloned().unwrap_or_default();
        lines.extend(events.iter().map(|event| event["message"].as_str().unwrap_or_default().trim_end().to_owned()));
        if input["nextToken"] == page["nextForwardToken"] || events.is_empty() {
            return Ok(lines);
        }
        input["nextToken"] = page["nextForwardToken"].clone();
    }
}

async fn deployments(api: &mut Api, plan: &Plan) -> anyhow::Result<Vec<Deployment>> {
    if plan.hosts().is_empty() {
        return Ok(Vec::new());
    }
    let input = json!({"applicationName": plan.name, "deploymentGroupName": "hosts"});
    let ids = pages(api, DEPLOY, "ListDeployments", &input, "deployments").await?;
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        let answer = api.insist(DEPLOY, "GetDeployment", &json!({"deploymentId": id})).await?;
        let info = &answer["deploymentInfo"];
        let text = |pointer: &str| info.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        all.push(Deployment {
            id: text("/deploymentId"),
            status: text("/status"),
            created: info["createTime"].as_f64().unwrap_or_default(),
            completed: info["completeTime"].as_f64().unwrap_or_default(),
            error: text("/errorInformation/message"),
            creator: text("/creator"),
            key: text("/revision/s3Location/key"),
        });
    }
    all.sort_by(|one, other| one.created.total_cmp(&other.created));
    Ok(all)
}

async fn versions(api: &mut Api, plan: &Plan) -> anyhow::Result<usize> {
    if plan.source != Source::S3 {
        return Ok(0);
    }
    let (mut count, mut marker) = (0, String::new());
    loop {
        let page = api.s3("GET", &format!("/{}?versions{marker}", plan.inbox())).await?;
        let page = String::from_utf8_lossy(&page).into_owned();
        count += page.matches("<VersionId>").count();
        let next = |tag: &str| Some(page.split_once(&format!("<{tag}>"))?.1.split_once('<')?.0.to_owned());
        match (next("NextKeyMarker"), next("NextVersionIdMarker")) {
            (Some(key), Some(version)) => marker = format!("&key-marker={key}&version-id-marker={version}"),
            _ => return Ok(count),
        }
    }
}

async fn site(api: &mut Api, plan: &Plan) -> anyhow::Result<Option<String>> {
    if !plan.has(|stage| *stage == Stage::Site) {
        return Ok(None);
    }
    let content = object(api, &format!("/{}/{}", plan.site(), super::revision::TEXT)).await?;
    Ok(content.map(|content| String::from_utf8_lossy(&content).into_owned()))
}

/// Builds and deployments that go on.
///
/// # Errors
/// As [`gather`].
pub(super) async fn going_on(api: &mut Api) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for plan in PLANS {
        if !plan.hosts().is_empty() {
            let statuses = ["Created", "Queued", "InProgress", "Ready"];
            let input =
                json!({"applicationName": plan.name, "deploymentGroupName": "hosts", "includeOnlyStatuses": statuses});
            let found = pages(api, DEPLOY, "ListDeployments", &input, "deployments").await?;
            all.extend(found.iter().map(ToString::to_string));
        }
        if plan.has(|stage| matches!(stage, Stage::Build(_))) {
            let answer = api.insist(BUILD, "ListBuildsForProject", &json!({"projectName": plan.name})).await?;
            let ids = answer["ids"].as_array().cloned().unwrap_or_default();
            if ids.is_empty() {
                continue;
            }
            let answer = api.insist(BUILD, "BatchGetBuilds", &json!({"ids": ids})).await?;
            let builds = answer["builds"].as_array().cloned().unwrap_or_default();
            all.extend(
                builds
                    .iter()
                    .filter(|build| build["buildStatus"] == "IN_PROGRESS")
                    .map(|build| build["id"].to_string()),
            );
        }
    }
    Ok(all)
}
