//! One execution of a pipeline: what it ran with, and each action that it ran.

use askama::Template;
use async_trait::async_trait;
use aws::Error;
use aws::codepipeline::{
    ActionExecutionDetail, ActionExecutionFilter, GetPipelineExecutionInput, ListActionExecutionsInput,
    PipelineExecution, RollbackStageInput,
};
use kernel::{Event, Timestamp};

use super::{Failure, Part, Section, Subject};
use crate::rules::form::Fields;
use crate::rules::link;
use crate::rules::mark::{Mark, words};
use crate::rules::moment::{Elapsed, Moment};
use crate::rules::revision::Revision;
use crate::service::{Service, Visit};
use crate::view::board::short;
use crate::view::history;

/// Action executions of a page.
const PAGE: i32 = 100;

/// One execution.
pub(super) struct Execution {
    pub(super) pipeline: String,
    pub(super) id: String,
}

/// A name with a value.
#[derive(Debug, PartialEq, Eq)]
struct Pair {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "execution_facts.html")]
struct Facts {
    pipeline: String,
    pipeline_address: String,
    id: String,
    short: String,
    mark: Mark,
    summary: String,
    trigger: String,
    version: i32,
    mode: String,
    /// The execution that this one brought back.
    rolled_back_to: Option<(String, String)>,
    revisions: Vec<Revision>,
    variables: Vec<Pair>,
}

#[derive(Template)]
#[template(path = "execution_actions.html")]
struct Actions<'v> {
    rows: Vec<Row>,
    next: Option<String>,
    address: &'v str,
    form_token: &'v str,
    /// Stages that can be brought back to this execution.
    stages: Vec<String>,
}

/// One attempt at an action.
struct Row {
    id: String,
    stage: String,
    action: String,
    provider: String,
    mark: Mark,
    started: Option<Moment>,
    took: Option<Elapsed>,
    summary: String,
    problem: String,
    external: Option<String>,
    outputs: Vec<Pair>,
}

#[async_trait]
impl Subject for Execution {
    fn title(&self) -> String {
        format!("{} {}", self.pipeline, short(&self.id))
    }

    fn section(&self) -> Section {
        Section::Pipelines
    }

    fn concerns(&self, event: &Event) -> bool {
        event.source == "aws.codepipeline" && event.detail["execution-id"].as_str() == Some(&self.id)
    }

    async fn parts(&mut self, service: &Service, visit: &Visit, _: &[Event]) -> Result<Vec<Part>, Failure> {
        let input = GetPipelineExecutionInput {
            pipeline_name: Some(self.pipeline.clone()),
            pipeline_execution_id: Some(self.id.clone()),
        };
        let found = service.codepipeline.get_pipeline_execution(&visit.caller, input).await?;
        let facts = facts(&visit.region, &self.pipeline, found.pipeline_execution.unwrap_or_default());
        let succeeded = facts.mark.shape == "ok";
        let actions = self.actions(service, visit, succeeded).await?;
        Ok(vec![Part::new("facts", &facts)?, actions])
    }
}

impl Execution {
    async fn actions(&self, service: &Service, visit: &Visit, succeeded: bool) -> Result<Part, Failure> {
        let filter =
            ActionExecutionFilter { pipeline_execution_id: Some(self.id.clone()), ..ActionExecutionFilter::default() };
        let input = ListActionExecutionsInput {
            pipeline_name: Some(self.pipeline.clone()),
            filter: Some(filter),
            max_results: Some(PAGE),
            next_token: visit.query.get("after"),
        };
        let listed = service.codepipeline.list_action_executions(&visit.caller, input).await?;
        let details = listed.action_execution_details.unwrap_or_default();
        let address = link::execution(&visit.region, &self.pipeline, &self.id);
        let actions = Actions {
            stages: if succeeded { stages(&details) } else { Vec::new() },
            rows: details.iter().map(|detail| row(&visit.region, visit.now, detail)).collect(),
            next: listed.next_token.map(|token| format!("{address}?after={}", link::encode(&token))),
            address: &address,
            form_token: &visit.form_token,
        };
        Part::new("actions", &actions)
    }
}

fn facts(region: &str, pipeline: &str, execution: PipelineExecution) -> Facts {
    let id = execution.pipeline_execution_id.unwrap_or_default();
    let target = execution.rollback_metadata.and_then(|rollback| rollback.rollback_target_pipeline_execution_id);
    let mut revisions = Revision::of_artifacts(execution.artifact_revisions.as_ref());
    revisions.dedup();
    let variables = execution.variables.unwrap_or_default().into_iter();
    Facts {
        pipeline: pipeline.to_owned(),
        pipeline_address: link::pipeline(region, pipeline),
        short: short(&id),
        mark: Mark::of(execution.status.as_deref().unwrap_or_default()),
        summary: execution.status_summary.unwrap_or_default(),
        trigger: history::trigger(execution.trigger.as_ref()),
        version: execution.pipeline_version.unwrap_or(1),
        mode: words(execution.execution_mode.as_deref().unwrap_or("SUPERSEDED")),
        rolled_back_to: target.map(|target| (short(&target), link::execution(region, pipeline, &target))),
        revisions,
        variables: variables
            .map(|variable| Pair {
                name: variable.name.unwrap_or_default(),
                value: variable.resolved_value.unwrap_or_default(),
            })
            .collect(),
        id,
    }
}

/// All stages but the first, which no execution can be brought back in.
fn stages(details: &[ActionExecutionDetail]) -> Vec<String> {
    let mut stages: Vec<String> = Vec::new();
    for stage in details.iter().rev().filter_map(|detail| detail.stage_name.as_ref()) {
        if !stages.contains(stage) {
            stages.push(stage.clone());
        }
    }
    stages.into_iter().skip(1).collect()
}

fn row(region: &str, now: Timestamp, detail: &ActionExecutionDetail) -> Row {
    let text = |member: Option<&String>| member.cloned().unwrap_or_default();
    let kind = detail.input.as_ref().and_then(|input| input.action_type_id.as_ref());
    let provider = text(kind.and_then(|kind| kind.provider.as_ref()));
    let output = detail.output.clone().unwrap_or_default();
    let result = output.execution_result.unwrap_or_default();
    let problem = result.error_details.and_then(|error| error.message).unwrap_or_default();
    let mark = Mark::of(detail.status.as_deref().unwrap_or_default());
    let end = detail.last_update_time.filter(|_| !mark.is_moving());
    let (id, url) = (result.external_execution_id.as_deref(), result.external_execution_url.as_deref());
    Row {
        id: text(detail.action_execution_id.as_ref()),
        stage: text(detail.stage_name.as_ref()),
        action: text(detail.action_name.as_ref()),
        external: link::external(region, &provider, id, url),
        provider,
        started: detail.start_time.map(|time| Moment::new(now, time)),
        took: detail.start_time.map(|start| Elapsed::new(now, start, end)),
        summary: result.external_execution_summary.filter(|summary| *summary != problem).unwrap_or_default(),
        problem,
        outputs: pairs(output.output_variables.unwrap_or_default()),
        mark,
    }
}

fn pairs(values: impl IntoIterator<Item = (String, String)>) -> Vec<Pair> {
    values.into_iter().map(|(name, value)| Pair { name, value }).collect()
}

/// Brings a stage back to this execution.
pub(super) async fn act(
    service: &Service,
    visit: &Visit,
    (pipeline, id): (&str, &str),
    form: &Fields,
) -> Result<Option<String>, Error> {
    let input = RollbackStageInput {
        pipeline_name: Some(pipeline.to_owned()),
        stage_name: form.get("stage"),
        target_pipeline_execution_id: Some(id.to_owned()),
    };
    service.codepipeline.rollback_stage(&visit.caller, input).await?;
    Ok(Some(link::pipeline(&visit.region, pipeline)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::codepipeline::{
        ActionExecutionInput, ActionExecutionOutput, ActionExecutionResult, ActionTypeId, ErrorDetails,
    };

    fn detail(stage: &str, status: &str) -> ActionExecutionDetail {
        let kind = ActionTypeId { provider: Some("CodeBuild".into()), ..ActionTypeId::default() };
        let result = ActionExecutionResult {
            external_execution_id: Some("app:1".into()),
            external_execution_summary: Some("said".into()),
            error_details: Some(ErrorDetails { code: None, message: Some("said".into()) }),
            ..ActionExecutionResult::default()
        };
        ActionExecutionDetail {
            stage_name: Some(stage.into()),
            status: Some(status.into()),
            start_time: Some(Timestamp::from_seconds(100)),
            last_update_time: Some(Timestamp::from_seconds(130)),
            input: Some(ActionExecutionInput { action_type_id: Some(kind), ..ActionExecutionInput::default() }),
            output: Some(ActionExecutionOutput {
                execution_result: Some(result),
                output_variables: Some([("A".into(), "1".into())].into()),
                ..ActionExecutionOutput::default()
            }),
            ..ActionExecutionDetail::default()
        }
    }

    #[test]
    fn a_row_shows_what_the_action_drove_and_why_it_failed() {
        let shown = row("eu-west-1", Timestamp::from_seconds(200), &detail("Build", "Failed"));
        assert_eq!(shown.external, Some(link::build("eu-west-1", "app:1")));
        assert_eq!((shown.problem.as_str(), shown.summary.as_str()), ("said", ""));
        assert_eq!(shown.took.map(|took| took.text).as_deref(), Some("30 s"));
        assert_eq!(shown.outputs, [Pair { name: "A".into(), value: "1".into() }]);
        let running = row("eu-west-1", Timestamp::from_seconds(200), &detail("Build", "InProgress"));
        assert_eq!(running.took.map(|took| took.text).as_deref(), Some("1 min 40 s"));
    }

    #[test]
    fn every_stage_but_the_first_can_be_rolled_back() {
        let newest_first = ["Deploy", "Test", "Test", "Source"].map(|stage| detail(stage, "Succeeded"));
        assert_eq!(stages(&newest_first), ["Test", "Deploy"]);
        assert_eq!(stages(&[]), [""; 0]);
    }
}
