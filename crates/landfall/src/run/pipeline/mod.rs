//! `landfall run --pipeline`: a pipeline's definition, run by CodePipeline itself on folders of this machine.

mod approvals;
mod definition;
mod deployed;
mod document;
mod follow;
mod projects;
mod summary;
mod variables;

use super::arguments::Arguments;
use super::buildspec::Buildspec;
use super::out::Out;
use super::screen::Screen;
use super::session::Session;
use super::source::{Source, choice};
use super::tree::{self, Choice};
use super::{Run, call, environment, image, print_document};
use crate::exit::{Failed, user_error};
use approvals::Approvals;
use aws::codepipeline::{CreatePipelineInput, ListPipelineExecutionsInput};
use aws::s3::PutObject;
use definition::{Prepared, SourceAction, Wishes, known_action, means};
use follow::Execution;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A pipeline with all that it runs on.
struct Plan {
    prepared: Prepared,
    /// A folder for each source action, in the same order.
    folders: Vec<Source>,
    projects: BTreeMap<String, projects::Definition>,
    environment: BTreeMap<String, String>,
}

/// Runs the pipeline of `file`.
pub(super) async fn run(file: &Path, run: Run<'_>) -> anyhow::Result<()> {
    let Run { arguments, cache, home, session, screen, interrupts } = run;
    let out = Out::new(&arguments.artifacts)?;
    let begun = Instant::now();
    screen.busy("reading the folders");
    let plan = interrupts.unless(plan(file, arguments)).await?;
    let approvals = Approvals::new(&arguments.pipeline.approve, &plan.prepared.approvals).map_err(user_error)?;
    screen.say(&format!("pipeline  {}", file.display()));
    for (action, folder) in plan.prepared.sources.iter().zip(&plan.folders) {
        screen.say(&format!("source    {}: {}", action.name(), folder.said()));
    }
    let session = session.insert(interrupts.unless(Session::open(arguments, home, cache, None)).await?);
    let execution = interrupts.unless(begin(session, &plan, arguments, screen)).await?;
    let name = plan.prepared.declaration.name.clone().unwrap_or_default();
    let mut execution = Execution::new(name, execution, &approvals, arguments.timeout);
    let ended = execution.follow(session, screen, interrupts).await?;
    let succeeded = summary::status(&ended) == "Succeeded";
    if !succeeded {
        screen.show_kept()?;
    }
    let files = deployed::take(session, home, &plan.prepared.buckets, &out).await?;
    summary::show(screen, &ended, out.folder(), &files, begun.elapsed(), arguments.quiet)?;
    if arguments.json {
        print_document(&summary::document(&ended, out.folder(), &files, begun.elapsed()))?;
    }
    if succeeded { Ok(()) } else { Err(Failed.into()) }
}

/// Reads everything and checks what can be checked before anything runs.
async fn plan(file: &Path, arguments: &Arguments) -> anyhow::Result<Plan> {
    let (file, arguments) = (file.to_owned(), arguments.clone());
    tokio::task::spawn_blocking(move || read_plan(&file, &arguments)).await?
}

fn read_plan(file: &Path, arguments: &Arguments) -> anyhow::Result<Plan> {
    let wishes = Wishes { skip: &arguments.pipeline.skip, variables: &arguments.pipeline.variable };
    let wrong = |what: String| user_error(format!("{}: {what}", file.display()));
    let mut prepared = definition::prepare(definition::read(file)?, &wishes).map_err(wrong)?;
    let folders = folders(&prepared.sources, arguments)?;
    put_in_variables(&mut prepared, &folders).map_err(wrong)?;
    let projects = read_projects(&prepared, arguments)?;
    check_buildspecs(&prepared, &folders, &projects)?;
    let own = |name: &str| std::env::var(name).ok();
    let environment = environment::all(&arguments.env_file, &arguments.env, &own)?;
    Ok(Plan { prepared, folders, projects, environment })
}

/// The folder of each source action: as `--source` says; the first takes the command's own.
fn folders(sources: &[SourceAction], arguments: &Arguments) -> anyhow::Result<Vec<Source>> {
    let known: Vec<_> = sources.iter().map(|source| (source.stage.clone(), source.name().to_owned())).collect();
    for (word, _) in &arguments.pipeline.source {
        known_action(&known, "--source", word).map_err(user_error)?;
    }
    sources.iter().enumerate().map(|(index, source)| folder(source, index, arguments)).collect()
}

fn folder(source: &SourceAction, index: usize, arguments: &Arguments) -> anyhow::Result<Source> {
    let given = arguments.pipeline.source.iter().find(|(word, _)| means(word, &source.stage, source.name()));
    let folder: &PathBuf = match given {
        Some((_, folder)) => folder,
        None if index == 0 => &arguments.dir,
        None => {
            let name = source.name();
            return Err(user_error(format!(
                "the pipeline has several sources: name {name}'s folder, --source {name}=DIR"
            )));
        }
    };
    // CodePipeline hands files on, without their history.
    let choice = Choice { without_history: !source.with_history(), ..choice(arguments) };
    Source::as_it_is(folder, &choice)
}

fn put_in_variables(prepared: &mut Prepared, folders: &[Source]) -> Result<(), String> {
    let sources = prepared.sources.iter().zip(folders);
    let namespaces: Vec<_> =
        sources.filter_map(|(source, folder)| variables::namespace(source, folder.checkout.as_ref())).collect();
    for stage in prepared.declaration.stages.iter_mut().flatten() {
        for action in stage.actions.iter_mut().flatten() {
            if let Some(settings) = &mut action.configuration {
                let named = action.name.as_deref().unwrap_or_default();
                *settings = variables::put_in(settings, &namespaces).map_err(|what| format!("{named}: {what}"))?;
            }
        }
    }
    Ok(())
}

fn read_projects(prepared: &Prepared, arguments: &Arguments) -> anyhow::Result<BTreeMap<String, projects::Definition>> {
    let files = &arguments.pipeline.project;
    if let Some((name, _)) = files.iter().find(|(name, _)| !prepared.projects.contains(name)) {
        return Err(user_error(format!("--project {name}: no action of the pipeline names this project")));
    }
    let definition = |name: &String| match files.iter().find(|(named, _)| named == name) {
        Some((_, file)) => projects::read(name, file),
        None => Ok(projects::Definition::default()),
    };
    prepared.projects.iter().map(|name| Ok((name.clone(), definition(name)?))).collect()
}

/// Buildspecs that are in the folders, or in the projects, are read before anything runs.
fn check_buildspecs(
    prepared: &Prepared,
    folders: &[Source],
    projects: &BTreeMap<String, projects::Definition>,
) -> anyhow::Result<()> {
    for (name, project) in projects {
        project.check(name).map_err(user_error)?;
    }
    for (source, project) in prepared.first_builds() {
        let folder = prepared.sources.iter().zip(folders).find(|(one, _)| *one == source).map(|(_, folder)| folder);
        let project = projects.get(&project);
        let in_source = project.is_none_or(|project| project.inline().is_none());
        if let (Some(folder), true) = (folder, in_source) {
            let named = project.and_then(|project| project.buildspec.as_deref()).map(Path::new);
            // One in S3 is read by the build.
            if named.is_none_or(|named| !named.starts_with("arn:")) {
                Buildspec::find(folder, named)?;
            }
        }
    }
    Ok(())
}

/// Makes everything that the pipeline needs, then the pipeline, which starts it; answers the execution's id.
async fn begin(session: &Session, plan: &Plan, arguments: &Arguments, screen: &Screen) -> anyhow::Result<String> {
    session.create_bucket(definition::STORE, false).await?;
    session.create_bucket(definition::SOURCES, true).await?;
    for bucket in plan.prepared.buckets.iter().filter(|bucket| *bucket != definition::STORE) {
        session.create_bucket(bucket, false).await?;
    }
    let (services, caller) = (session.services(), session.caller());
    for (source, folder) in plan.prepared.sources.iter().zip(&plan.folders) {
        let object = PutObject::new(definition::SOURCES, source.key(), tree::zip(Arc::clone(&folder.tree)));
        call(services.s3.put_object(&caller, object).await)?;
    }
    create_projects(session, plan, arguments, screen).await?;
    let input =
        CreatePipelineInput { pipeline: Some(plan.prepared.declaration.clone()), ..CreatePipelineInput::default() };
    call(services.codepipeline.create_pipeline(&caller, input).await)?;
    started(session, plan).await
}

async fn create_projects(session: &Session, plan: &Plan, arguments: &Arguments, screen: &Screen) -> anyhow::Result<()> {
    let (services, caller) = (session.services(), session.caller());
    let mut images = image::Images::new(&*services.engine, arguments.image.as_deref());
    for (name, definition) in &plan.projects {
        let image = images.choose(definition.image.as_deref(), screen).await;
        let project = definition.project(name, &image, arguments.privileged, &plan.environment);
        call(services.codebuild.create_project(&caller, serde_json::from_value(project)?).await)?;
    }
    Ok(())
}

/// The execution that the pipeline's making has started.
async fn started(session: &Session, plan: &Plan) -> anyhow::Result<String> {
    loop {
        let input = ListPipelineExecutionsInput {
            pipeline_name: plan.prepared.declaration.name.clone(),
            ..ListPipelineExecutionsInput::default()
        };
        let found = call(session.services().codepipeline.list_pipeline_executions(&session.caller(), input).await)?;
        let first = found.pipeline_execution_summaries.into_iter().flatten().next();
        if let Some(id) = first.and_then(|execution| execution.pipeline_execution_id) {
            return Ok(id);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
