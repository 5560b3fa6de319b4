//! ListActionExecutions: the history of actions, newest first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws::codepipeline::error::validation_exception;
use aws::codepipeline::{
    ActionExecutionDetail, ActionExecutionFilter, ActionExecutionInput, ActionExecutionOutput, ActionExecutionResult,
    ActionTypeId, ArtifactDetail, ListActionExecutionsInput, ListActionExecutionsOutput, S3Location,
};
use kernel::{Caller, Page, Scope, Stored};

use super::paging::Paging;
use super::state::{error_details, external_url, links};
use crate::error::Failed;
use crate::model::{ActionExecution, Artifact, Pipeline};
use crate::rules::definition::Definition;
use crate::rules::links::Links;
use crate::rules::secrets::{MASK, is_secret};
use crate::service::Service;

/// The most action executions of a page.
const PAGE: usize = 100;

/// Which action executions are wanted.
struct Wanted {
    /// Of this pipeline execution only.
    execution: Option<String>,
    /// Only the last attempt at each action.
    latest: bool,
}

impl Service {
    pub(super) async fn list_actions(
        &self,
        caller: &Caller,
        input: ListActionExecutionsInput,
    ) -> Result<ListActionExecutionsOutput, Failed> {
        let scope = &caller.scope();
        let pipeline = self.pipeline(scope, &input.pipeline_name.unwrap_or_default()).await?;
        let wanted = wanted(input.filter.unwrap_or_default())?;
        let execution = wanted.execution.as_deref().unwrap_or_default();
        let what = format!("ListActionExecutions/{}/{execution}/{}", pipeline.id, wanted.latest);
        let paging = Paging::new(scope, &what, input.next_token.as_deref(), input.max_results, PAGE)?;
        let (actions, next_token) = self.actions_page(scope, &pipeline, &wanted, &paging).await?;
        let definitions = self.definitions(scope, &pipeline, &actions).await?;
        let mut details = Vec::with_capacity(actions.len());
        for action in &actions {
            details.push(self.detail(caller, action, definitions.get(&action.pipeline_version)).await?);
        }
        Ok(ListActionExecutionsOutput { action_execution_details: Some(details), next_token })
    }

    /// The structures that these action executions belong to, by version.
    async fn definitions(
        &self,
        scope: &Scope,
        pipeline: &Pipeline,
        actions: &[Stored<ActionExecution>],
    ) -> Result<BTreeMap<i32, Arc<Definition>>, Failed> {
        let versions: BTreeSet<i32> = actions.iter().map(|action| action.pipeline_version).collect();
        let mut definitions = BTreeMap::new();
        for version in versions {
            definitions.insert(version, self.definition(scope, &pipeline.id, version).await?);
        }
        Ok(definitions)
    }

    async fn actions_page(
        &self,
        scope: &Scope,
        pipeline: &Pipeline,
        wanted: &Wanted,
        paging: &Paging,
    ) -> Result<(Vec<Stored<ActionExecution>>, Option<String>), Failed> {
        let page = paging.page().descending();
        let Some(id) = &wanted.execution else {
            let found = self.documents.find(scope, ActionExecution::PIPELINE, &pipeline.id, page).await?;
            return Ok(paging.cut(found));
        };
        let execution = self.execution(scope, pipeline, id).await?;
        let page = page.prefix(ActionExecution::prefix(&pipeline.id, execution.run.ordinal));
        if !wanted.latest {
            return Ok(paging.cut(self.documents.list(scope, page).await?));
        }
        self.latest_attempts(scope, page, paging).await
    }

    /// The last attempt at each action. Attempts are newest first, so that the first seen of each is the last made.
    async fn latest_attempts(
        &self,
        scope: &Scope,
        page: Page,
        paging: &Paging,
    ) -> Result<(Vec<Stored<ActionExecution>>, Option<String>), Failed> {
        let start = page.after.clone();
        let whole = Page { limit: Page::MOST, after: None, ..page };
        let mut seen = BTreeSet::new();
        let attempts = self.documents.list::<ActionExecution>(scope, whole).await?;
        let mut last: Vec<Stored<ActionExecution>> =
            attempts.into_iter().filter(|action| seen.insert((action.stage.clone(), action.action.clone()))).collect();
        if let Some(start) = start {
            last.retain(|action| action.position() < start.as_str());
        }
        let more = last.len() > paging.limit();
        last.truncate(paging.limit());
        let next = last.last().filter(|_| more).map(|action| paging.token(action.position()));
        Ok((last, next))
    }

    async fn detail(
        &self,
        caller: &Caller,
        action: &ActionExecution,
        definition: Option<&Arc<Definition>>,
    ) -> Result<ActionExecutionDetail, Failed> {
        let declared = definition.and_then(|definition| definition.action(&action.stage, &action.action));
        let resolved = match &action.resolved_configuration {
            Some(text) => Some(serde_json::from_str(&text.read(&self.blobs).await?)?),
            None => None,
        };
        let input = ActionExecutionInput {
            action_type_id: Some(type_id(action)),
            configuration: declared.map(|declared| masked(action, declared.configuration.clone())),
            resolved_configuration: resolved.map(|resolved| masked(action, resolved)),
            role_arn: declared.and_then(|declared| declared.role.clone()),
            region: action.region.clone(),
            input_artifacts: Some(action.inputs.iter().map(artifact).collect()),
            namespace: action.namespace.clone(),
        };
        let output = ActionExecutionOutput {
            output_artifacts: Some(action.outputs.iter().map(artifact).collect()),
            execution_result: Some(result(action, links(caller, action.region.as_deref()))),
            output_variables: Some(self.output_variables(action).await?),
        };
        Ok(ActionExecutionDetail {
            pipeline_execution_id: Some(action.execution_id.clone()),
            action_execution_id: Some(action.id.clone()),
            pipeline_version: Some(action.pipeline_version),
            stage_name: Some(action.stage.clone()),
            action_name: Some(action.action.clone()),
            start_time: Some(action.started),
            last_update_time: Some(action.updated),
            updated_by: action.updated_by.clone(),
            status: Some(action.status.api().to_owned()),
            input: Some(input),
            output: Some(output),
        })
    }
}

fn wanted(filter: ActionExecutionFilter) -> Result<Wanted, Failed> {
    match (filter.pipeline_execution_id, filter.latest_in_pipeline_execution) {
        (Some(_), Some(_)) => {
            let text = "A filter has either pipelineExecutionId or latestInPipelineExecution, not both";
            Err(validation_exception(text).into())
        }
        (Some(id), None) => Ok(Wanted { execution: Some(id), latest: false }),
        (None, Some(latest)) => Ok(Wanted {
            execution: latest.pipeline_execution_id,
            latest: latest.start_time_range.as_deref() == Some("Latest"),
        }),
        (None, None) => Ok(Wanted { execution: None, latest: false }),
    }
}

fn masked(action: &ActionExecution, mut settings: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for (key, value) in &mut settings {
        if is_secret(&action.kind.provider, key) {
            MASK.clone_into(value);
        }
    }
    settings
}

fn type_id(action: &ActionExecution) -> ActionTypeId {
    let kind = action.kind.clone();
    ActionTypeId {
        category: Some(kind.category),
        owner: Some(kind.owner),
        provider: Some(kind.provider),
        version: Some(kind.version),
    }
}

fn artifact(artifact: &Artifact) -> ArtifactDetail {
    let location = S3Location { bucket: Some(artifact.bucket.clone()), key: Some(artifact.key.clone()) };
    ArtifactDetail { name: Some(artifact.name.clone()), s3location: Some(location) }
}

fn result(action: &ActionExecution, links: Links<'_>) -> ActionExecutionResult {
    ActionExecutionResult {
        external_execution_id: action.external_id().map(str::to_owned),
        external_execution_summary: action.summary.clone(),
        external_execution_url: external_url(action, links),
        error_details: action.failure.as_ref().map(error_details),
        ..ActionExecutionResult::default()
    }
}
