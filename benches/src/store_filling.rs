//! A store made large: what is in it once, many times over.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use codebuild::model::Build;
use codedeploy::model::Deployment;
use codepipeline::model::{ActionExecution, Execution, Pipeline, PipelineVersion};
use kernel::{Batch, Document, Documents, Ids, Page, Scope, Store, Stored, SystemClock, SystemIds};
use testbed::client::REGION;

/// Documents of one commit.
const AT_ONCE: usize = 400;

/// How many of each there are to be.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) pipelines: usize,
    pub(crate) executions: usize,
    pub(crate) builds: usize,
    pub(crate) deployments: usize,
}

impl Sizes {
    /// A tenth as many pipelines, builds and deployments as executions.
    pub(crate) fn of(executions: usize) -> Self {
        let tenth = (executions / 10).max(1);
        Self { pipelines: tenth, executions: tenth * 10, builds: tenth, deployments: tenth }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pipelines, executions, .. } = self;
        write!(f, "{pipelines} pipelines and {executions} executions")
    }
}

/// Makes the store of a data folder that large. It must have one ended execution, build and deployment, and no server.
pub(crate) async fn fill(data: &Path, sizes: Sizes) -> anyhow::Result<()> {
    let store = Store::open(data, Arc::new(SystemClock))?;
    let scope = Scope::new("000000000000", REGION);
    fill_pipelines(&Filling::of(&store, "codepipeline", &scope), sizes).await?;
    fill_builds(&Filling::of(&store, "codebuild", &scope), sizes.builds).await?;
    fill_deployments(&Filling::of(&store, "codedeploy", &scope), sizes.deployments).await
}

/// The documents of one service.
struct Filling<'s> {
    documents: Documents,
    scope: &'s Scope,
    ids: SystemIds,
}

impl<'s> Filling<'s> {
    fn of(store: &Arc<Store>, service: &str, scope: &'s Scope) -> Self {
        Self { documents: store.service(service), scope, ids: SystemIds }
    }

    /// All that there is of a kind.
    async fn all<T: Document>(&self) -> anyhow::Result<Vec<Stored<T>>> {
        Ok(self.documents.list::<T>(self.scope, Page::default()).await?)
    }

    async fn only<T: Document>(&self) -> anyhow::Result<T> {
        let first = self.all::<T>().await?.into_iter().next();
        Ok(first.with_context(|| format!("there is no {}", T::KIND))?.value)
    }

    /// Commits the batch once it is as large as one may be.
    async fn commit_large(&self, batch: &mut Batch, size: &mut usize) -> anyhow::Result<()> {
        if *size >= AT_ONCE {
            self.commit(std::mem::replace(batch, Batch::new(self.scope))).await?;
            *size = 0;
        }
        Ok(())
    }

    async fn commit(&self, batch: Batch) -> anyhow::Result<()> {
        Ok(self.documents.commit(batch).await?)
    }
}

async fn fill_pipelines(filling: &Filling<'_>, sizes: Sizes) -> anyhow::Result<()> {
    let (pipeline, version) = (filling.only::<Pipeline>().await?, filling.only::<PipelineVersion>().await?);
    let (execution, actions) = (filling.only::<Execution>().await?, filling.all::<ActionExecution>().await?);
    let each = (sizes.executions / sizes.pipelines) as u64;
    let (mut batch, mut size) = (Batch::new(filling.scope), 0);
    for number in 1..sizes.pipelines {
        let name = format!("pipeline-{number:05}");
        let mut next = Pipeline { name: name.clone(), id: filling.ids.uuid(), newest: each, ..pipeline.clone() };
        for latest in next.board.lanes.values_mut().filter_map(|lane| lane.latest.as_mut()) {
            latest.execution = each;
        }
        batch = batch.insert(&PipelineVersion { pipeline_id: next.id.clone(), ..version.clone() }).insert(&next);
        for ordinal in 1..=each {
            let (id, pipeline_id, pipeline) = (filling.ids.uuid(), next.id.clone(), name.clone());
            let mut again = Execution { id: id.clone(), pipeline_id, pipeline, ..execution.clone() };
            again.run.ordinal = ordinal;
            again.started = again.started + Duration::from_secs(60 * ordinal);
            batch = batch.insert(&again);
            for action in &actions {
                let mut action = action.value.clone();
                (action.id, action.execution_id, action.ordinal) = (filling.ids.uuid(), id.clone(), ordinal);
                (action.pipeline_id, action.pipeline) = (next.id.clone(), name.clone());
                action.started = action.started + Duration::from_secs(60 * ordinal);
                batch = batch.insert(&action);
            }
            size += 1 + actions.len();
        }
        filling.commit_large(&mut batch, &mut size).await?;
    }
    filling.commit(batch).await
}

async fn fill_builds(filling: &Filling<'_>, count: usize) -> anyhow::Result<()> {
    let build = filling.only::<Build>().await?;
    let (mut batch, mut size) = (Batch::new(filling.scope), 0);
    for number in 2..=count as i64 {
        let id = format!("{}:{}", build.project, filling.ids.uuid());
        batch = batch.insert(&Build { id, number, ..build.clone() });
        size += 1;
        filling.commit_large(&mut batch, &mut size).await?;
    }
    filling.commit(batch).await
}

async fn fill_deployments(filling: &Filling<'_>, count: usize) -> anyhow::Result<()> {
    let deployment = filling.only::<Deployment>().await?;
    let (mut batch, mut size) = (Batch::new(filling.scope), 0);
    for number in 1..count {
        let created = deployment.created + Duration::from_secs(number as u64);
        batch = batch.insert(&Deployment { id: format!("d-{number:09}"), created, ..deployment.clone() });
        size += 1;
        filling.commit_large(&mut batch, &mut size).await?;
    }
    filling.commit(batch).await
}
