//! The overview: all pipelines of a region with their stages and actions.

use std::collections::BTreeSet;

use askama::Template;
use async_trait::async_trait;
use aws::codepipeline::{
    GetPipelineStateInput, ListPipelineExecutionsInput, ListPipelinesInput, PipelineExecutionSummary,
};
use kernel::Event;

use super::{Failure, Part, Section, Subject};
use crate::rules::link;
use crate::rules::mark::Mark;
use crate::service::{Service, Visit};
use crate::view::board::{self, Place, Stage};
use crate::view::history::{self, Row};

/// Pipelines of a page.
const PAGE: i32 = 50;

/// All pipelines.
pub(super) struct Overview {
    /// Those that the page shows.
    shown: BTreeSet<String>,
}

/// One of them.
struct Pipeline {
    name: String,
    address: String,
    stages: Vec<Stage>,
    latest: Option<Row>,
    /// What matters more than how the latest execution is.
    mark: Option<Mark>,
}

impl Pipeline {
    /// Whether the latest execution has not come to this stage: what the stage shows is of an earlier one.
    fn is_earlier(&self, stage: &Stage) -> bool {
        let latest = self.latest.as_ref().map(|latest| &latest.id);
        stage.execution.as_ref().is_some_and(|execution| Some(&execution.id) != latest)
    }
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Whole {
    /// The cards, rendered.
    cards: Vec<Part>,
    region: String,
    next: Option<String>,
    paged: bool,
}

#[derive(Template)]
#[template(path = "overview_card.html")]
struct Card {
    id: String,
    pipeline: Pipeline,
}

impl Overview {
    pub(super) fn new() -> Self {
        Self { shown: BTreeSet::new() }
    }

    async fn whole(&mut self, service: &Service, visit: &Visit) -> Result<Part, Failure> {
        let input = ListPipelinesInput { max_results: Some(PAGE), next_token: visit.query.get("after") };
        let listed = service.codepipeline.list_pipelines(&visit.caller, input).await?;
        let names = listed.pipelines.unwrap_or_default().into_iter().filter_map(|pipeline| pipeline.name);
        self.shown = names.collect();
        let mut cards = Vec::with_capacity(self.shown.len());
        for name in &self.shown {
            match card(service, visit, name).await {
                // Deleted since it was listed.
                Err(Failure::Aws(error)) if error.is("PipelineNotFoundException") => {}
                card => cards.push(card?),
            }
        }
        let address = link::overview(&visit.region);
        let next = listed.next_token.map(|token| format!("{address}?after={}", link::encode(&token)));
        let whole = Whole { cards, region: visit.region.clone(), next, paged: visit.query.get("after").is_some() };
        Part::new("pipelines", &whole)
    }
}

#[async_trait]
impl Subject for Overview {
    fn title(&self) -> String {
        "Pipelines".to_owned()
    }

    fn section(&self) -> Section {
        Section::Pipelines
    }

    fn concerns(&self, event: &Event) -> bool {
        event.source == "aws.codepipeline"
    }

    async fn parts(&mut self, service: &Service, visit: &Visit, news: &[Event]) -> Result<Vec<Part>, Failure> {
        let changed: BTreeSet<&str> = news.iter().filter_map(|event| event.detail["pipeline"].as_str()).collect();
        // Only those that changed, if they are all on the page; a deleted one is seen by the list.
        let mut parts = Vec::new();
        if !changed.is_empty() && changed.iter().all(|name| self.shown.contains(*name)) {
            for name in changed {
                match card(service, visit, name).await {
                    Ok(part) => parts.push(part),
                    Err(_) => return Ok(vec![self.whole(service, visit).await?]),
                }
            }
            return Ok(parts);
        }
        Ok(vec![self.whole(service, visit).await?])
    }
}

async fn card(service: &Service, visit: &Visit, name: &str) -> Result<Part, Failure> {
    let input = GetPipelineStateInput { name: Some(name.to_owned()) };
    let state = service.codepipeline.get_pipeline_state(&visit.caller, input).await?;
    let place = Place { region: &visit.region, pipeline: name, now: visit.now };
    let stages = board::stages(place, &state, None);
    let decides = stages.iter().any(|stage| stage.mark == Mark::approval());
    let pipeline = Pipeline {
        name: name.to_owned(),
        address: link::pipeline(&visit.region, name),
        latest: latest(service, visit, name).await?.map(|summary| history::row(place, &summary)),
        mark: decides.then(Mark::approval),
        stages,
    };
    let id = format!("pipeline-{name}");
    Part::new(id.clone(), &Card { id, pipeline })
}

async fn latest(service: &Service, visit: &Visit, name: &str) -> Result<Option<PipelineExecutionSummary>, Failure> {
    let input = ListPipelineExecutionsInput {
        pipeline_name: Some(name.to_owned()),
        max_results: Some(1),
        ..ListPipelineExecutionsInput::default()
    };
    let listed = service.codepipeline.list_pipeline_executions(&visit.caller, input).await?;
    Ok(listed.pipeline_execution_summaries.unwrap_or_default().into_iter().next())
}
