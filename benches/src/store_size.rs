//! Many pipelines, executions, builds and deployments in the store: lists and look-ups, start, idle memory.
//!
//! One of each is made through the API. The others are that one again under other names: read and committed with the
//! services' own documents (`codepipeline::model`, …) through the kernel's own commits, which is some fifty times as fast
//! as to run them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use testbed::client::Connection;
use testbed::process::Server;

use crate::Options;
use crate::hosts::{deploy, group};
use crate::load_plant::{Plant, names};
use crate::report::{Budget, Figure, median, micros, millis, percentile};
use crate::store_filling::{Sizes, fill};

/// Requests for one figure.
const REQUESTS: usize = 300;
const STARTS: usize = 5;
/// How long a server rests before its memory is read.
const REST: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
const BUDGET: Duration = Duration::from_millis(20);
const ARGUMENTS: [&str; 4] = ["--engine", "dummy", "--log", "warn"];

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let mut plant = Plant::start(options, Duration::ZERO).await?;
    plant.create(names("pipeline", 1), "SUPERSEDED").await?;
    plant.rest().await?;
    let mut connection = plant.server.client.connection();
    group(&mut connection).await?;
    deploy(&mut connection).await?;
    deployed(&mut connection).await?;
    let (few, few_memory) = starts(&mut plant.server, options).await?;
    plant.server.end()?;
    let sizes = Sizes::of(options.stored);
    let (begin, data) = (Instant::now(), plant.server.data());
    fill(&data, sizes).await?;
    eprintln!("{sizes} stored within {:.0} s", begin.elapsed().as_secs_f64());
    let (many, many_memory) = starts(&mut plant.server, options).await?;

    let mut figures = reads(&plant.server, sizes).await?;
    figures.push(Figure {
        what: format!("start to the first answer with {sizes} (median of {STARTS})"),
        landfall: millis(many),
        beside: format!("with one of each {}", millis(few)),
        ratio: many.as_secs_f64() / few.as_secs_f64(),
        budget: Budget::new("unchanged", many.as_secs_f64() <= 1.25 * few.as_secs_f64()),
    });
    figures.push(Figure {
        what: format!("idle memory with {sizes}"),
        landfall: format!("{:.1} MB", many_memory as f64 / 1e6),
        beside: format!("with one of each {:.1} MB", few_memory as f64 / 1e6),
        ratio: many_memory as f64 / few_memory as f64,
        budget: None,
    });
    Ok(figures)
}

/// Waits for the end of the one deployment, which has no hosts.
async fn deployed(connection: &mut Connection) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let input = json!({"includeOnlyStatuses": ["Succeeded", "Failed"]});
        let found = connection.json("codedeploy", "CodeDeploy_20141006.ListDeployments", &input).await?;
        if found["deployments"].as_array().is_some_and(|ended| !ended.is_empty()) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the deployment has not ended after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The median time of a start to the first answer, and the memory of the last one started.
async fn starts(server: &mut Server, options: &Options) -> anyhow::Result<(Duration, u64)> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        server.end()?;
        let begin = Instant::now();
        server.restart(&options.landfall, &ARGUMENTS)?;
        server.answer().await?;
        times.push(begin.elapsed());
    }
    tokio::time::sleep(REST).await;
    Ok((median(times), server.memory()?))
}

async fn reads(server: &Server, sizes: Sizes) -> anyhow::Result<Vec<Figure>> {
    let mut connection = server.client.connection();
    let builds = connection.json("codebuild", "CodeBuild_20161006.ListBuilds", &json!({})).await?["ids"].take();
    ensure!(builds.as_array().is_some_and(|ids| ids.len() == sizes.builds.min(100)), "builds: {builds}");
    let pipeline = |turn: usize| format!("pipeline-{:05}", turn * 7_919 % sizes.pipelines);
    let named = |member: &'static str| move |turn: usize| json!({member: pipeline(turn)});
    let mut figures = Vec::new();
    let mut measure = async |service: &str, prefix: &str, operation: &str, input: &dyn Fn(usize) -> Value| {
        let target = format!("{prefix}.{operation}");
        let (mut times, before) = (Vec::new(), server.cpu()?);
        for turn in 0..REQUESTS {
            let begin = Instant::now();
            connection.json(service, &target, &input(turn)).await.with_context(|| operation.to_owned())?;
            times.push(begin.elapsed());
        }
        let cpu = (server.cpu()? - before) / u32::try_from(REQUESTS)?;
        let (worst, usual) = (percentile(times.clone(), 99), median(times));
        figures.push(Figure {
            what: format!("p99 of {service}:{operation} with {sizes}"),
            landfall: millis(worst),
            beside: format!("median {}; server CPU {}", millis(usual), micros(cpu)),
            ratio: worst.as_secs_f64() / BUDGET.as_secs_f64(),
            budget: Budget::new("≤ 20 ms", worst <= BUDGET),
        });
        anyhow::Ok(())
    };
    let pipelines = "CodePipeline_20150709";
    measure("codepipeline", pipelines, "ListPipelines", &|_| json!({})).await?;
    measure("codepipeline", pipelines, "ListPipelineExecutions", &named("pipelineName")).await?;
    measure("codepipeline", pipelines, "GetPipeline", &named("name")).await?;
    measure("codepipeline", pipelines, "GetPipelineState", &named("name")).await?;
    measure("codebuild", "CodeBuild_20161006", "ListBuilds", &|_| json!({})).await?;
    measure("codebuild", "CodeBuild_20161006", "BatchGetBuilds", &|_| json!({"ids": builds})).await?;
    measure("codedeploy", "CodeDeploy_20141006", "ListDeployments", &|_| json!({})).await?;
    Ok(figures)
}
