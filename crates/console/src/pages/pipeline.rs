//! A pipeline: its stages as they stand, and its history.

use askama::Template;
use async_trait::async_trait;
use aws::Error;
use aws::codepipeline::{
    ApprovalResult, DisableStageTransitionInput, EnableStageTransitionInput, GetPipelineInput, GetPipelineStateInput,
    ListPipelineExecutionsInput, PutApprovalResultInput, RetryStageExecutionInput, StartPipelineExecutionInput,
    StopPipelineExecutionInput,
};
use kernel::Event;

use super::{Failure, Part, Section, Subject};
use crate::rules::form::Fields;
use crate::rules::link;
use crate::rules::mark::words;
use crate::rules::route::Deed;
use crate::service::{Service, Visit};
use crate::view::board::{self, Place, Stage};
use crate::view::history::{self, Row};

/// Executions of a page.
const PAGE: i32 = 20;

/// One pipeline.
pub(super) struct Pipeline {
    pub(super) name: String,
}

#[derive(Template)]
#[template(path = "pipeline_board.html")]
struct Board<'v> {
    name: &'v str,
    address: &'v str,
    form_token: &'v str,
    version: i32,
    mode: String,
    stages: Vec<Stage>,
    /// Those that can be stopped.
    running: Vec<Row>,
}

#[derive(Template)]
#[template(path = "pipeline_history.html")]
struct History {
    address: String,
    rows: Vec<Row>,
    next: Option<String>,
    paged: bool,
}

#[async_trait]
impl Subject for Pipeline {
    fn title(&self) -> String {
        self.name.clone()
    }

    fn section(&self) -> Section {
        Section::Pipelines
    }

    fn concerns(&self, event: &Event) -> bool {
        event.source == "aws.codepipeline" && event.detail["pipeline"].as_str() == Some(&self.name)
    }

    async fn parts(&mut self, service: &Service, visit: &Visit, _: &[Event]) -> Result<Vec<Part>, Failure> {
        let history = self.history(service, visit).await?;
        let running = history.rows.iter().filter(|row| row.running).cloned().collect();
        let board = self.board(service, visit, running).await?;
        Ok(vec![board, Part::new("history", &history)?])
    }
}

impl Pipeline {
    async fn board(&self, service: &Service, visit: &Visit, running: Vec<Row>) -> Result<Part, Failure> {
        let pipelines = &service.codepipeline;
        let input = GetPipelineStateInput { name: Some(self.name.clone()) };
        let state = pipelines.get_pipeline_state(&visit.caller, input).await?;
        let input = GetPipelineInput { name: Some(self.name.clone()), version: None };
        let declared = pipelines.get_pipeline(&visit.caller, input).await?.pipeline;
        let place = Place { region: &visit.region, pipeline: &self.name, now: visit.now };
        let mode = declared.as_ref().and_then(|pipeline| pipeline.execution_mode.as_deref()).unwrap_or("SUPERSEDED");
        let board = Board {
            name: &self.name,
            address: &link::pipeline(&visit.region, &self.name),
            form_token: &visit.form_token,
            version: state.pipeline_version.unwrap_or(1),
            mode: words(mode),
            stages: board::stages(place, &state, declared.as_ref()),
            running,
        };
        Part::new("board", &board)
    }

    async fn history(&self, service: &Service, visit: &Visit) -> Result<History, Failure> {
        let after = visit.query.get("after");
        let input = ListPipelineExecutionsInput {
            pipeline_name: Some(self.name.clone()),
            max_results: Some(PAGE),
            next_token: after.clone(),
            ..ListPipelineExecutionsInput::default()
        };
        let listed = service.codepipeline.list_pipeline_executions(&visit.caller, input).await?;
        let place = Place { region: &visit.region, pipeline: &self.name, now: visit.now };
        let summaries = listed.pipeline_execution_summaries.unwrap_or_default();
        let address = link::pipeline(&visit.region, &self.name);
        Ok(History {
            rows: summaries.iter().map(|summary| history::row(place, summary)).collect(),
            next: listed.next_token.map(|token| format!("{address}?after={}#history", link::encode(&token))),
            paged: after.is_some(),
            address,
        })
    }
}

/// What the buttons do.
pub(super) async fn act(
    service: &Service,
    visit: &Visit,
    name: &str,
    deed: Deed,
    form: &Fields,
) -> Result<Option<String>, Error> {
    match deed {
        Deed::Release => release(service, visit, name).await?,
        Deed::Stop => stop(service, visit, name, form).await?,
        Deed::Retry => retry(service, visit, name, form).await?,
        Deed::Approve => approve(service, visit, name, form).await?,
        Deed::Transition => switch(service, visit, name, form).await?,
        _ => return Err(Error::internal("a deed of another page")),
    }
    Ok(None)
}

async fn release(service: &Service, visit: &Visit, name: &str) -> Result<(), Error> {
    let input = StartPipelineExecutionInput { name: Some(name.to_owned()), ..StartPipelineExecutionInput::default() };
    service.codepipeline.start_pipeline_execution(&visit.caller, input).await.map(drop)
}

async fn stop(service: &Service, visit: &Visit, name: &str, form: &Fields) -> Result<(), Error> {
    let input = StopPipelineExecutionInput {
        pipeline_name: Some(name.to_owned()),
        pipeline_execution_id: form.get("execution"),
        abandon: Some(form.text("how") == "abandon"),
        reason: form.get("reason"),
    };
    service.codepipeline.stop_pipeline_execution(&visit.caller, input).await.map(drop)
}

async fn retry(service: &Service, visit: &Visit, name: &str, form: &Fields) -> Result<(), Error> {
    let mode = if form.text("mode") == "all" { "ALL_ACTIONS" } else { "FAILED_ACTIONS" };
    let input = RetryStageExecutionInput {
        pipeline_name: Some(name.to_owned()),
        stage_name: form.get("stage"),
        pipeline_execution_id: form.get("execution"),
        retry_mode: Some(mode.to_owned()),
    };
    service.codepipeline.retry_stage_execution(&visit.caller, input).await.map(drop)
}

async fn approve(service: &Service, visit: &Visit, name: &str, form: &Fields) -> Result<(), Error> {
    let status = if form.text("decision") == "approve" { "Approved" } else { "Rejected" };
    let result = ApprovalResult { status: Some(status.to_owned()), summary: Some(form.text("comment").to_owned()) };
    let input = PutApprovalResultInput {
        pipeline_name: Some(name.to_owned()),
        stage_name: form.get("stage"),
        action_name: form.get("action"),
        token: form.get("approval"),
        result: Some(result),
    };
    service.codepipeline.put_approval_result(&visit.caller, input).await.map(drop)
}

async fn switch(service: &Service, visit: &Visit, name: &str, form: &Fields) -> Result<(), Error> {
    let (pipeline_name, stage_name) = (Some(name.to_owned()), form.get("stage"));
    let transition_type = Some("Inbound".to_owned());
    if form.text("to") == "enabled" {
        let input = EnableStageTransitionInput { pipeline_name, stage_name, transition_type };
        return service.codepipeline.enable_stage_transition(&visit.caller, input).await.map(drop);
    }
    let reason = Some(form.get("reason").unwrap_or_else(|| "Disabled in the console".to_owned()));
    let input = DisableStageTransitionInput { pipeline_name, stage_name, transition_type, reason };
    service.codepipeline.disable_stage_transition(&visit.caller, input).await.map(drop)
}
