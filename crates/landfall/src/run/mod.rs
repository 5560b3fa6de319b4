//! `landfall run`: a folder built here and now, or a pipeline run on folders, with no server. The services are the
//! server's own, in this process, on a folder that goes with it.

mod arguments;
mod artifacts;
mod build;
mod buildspec;
mod environment;
mod follow;
mod home;
mod image;
mod interrupts;
mod lines;
mod out;
mod pipeline;
mod screen;
mod session;
mod source;
mod summary;
mod tree;

pub(crate) use arguments::Arguments;

use crate::exit::{Failed, user_error};
use crate::log;
use buildspec::Buildspec;
use home::Home;
use interrupts::Interrupts;
use out::Out;
use screen::{Screen, Style};
use session::Session;
use source::{Folders, Source};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Runs it.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut interrupts = Interrupts::listen()?;
    log::start(if arguments.verbose { log::USUAL } else { "error,s3s=off" })?;
    arguments.check()?;
    let style = match (arguments.quiet, arguments.verbose) {
        (true, _) => Style::Quiet,
        (_, true) => Style::Verbatim,
        _ => Style::Pleasant,
    };
    let mut screen = Screen::new(style, arguments.json);
    let cache = home::cache(&|name| std::env::var_os(name));
    let home = Home::new(&cache)?;
    let mut session = None;
    let done = match arguments.pipeline.file.clone() {
        None => build_here(&arguments, &cache, &home, &mut session, &mut screen, &mut interrupts).await,
        Some(file) => pipeline::run(&file, &arguments, &cache, &home, &mut session, &mut screen, &mut interrupts).await,
    };
    let ended = match session {
        Some(session) => session.end().await,
        None => Ok(()),
    };
    // What could not be ended is ended by the next run, which finds it by this folder.
    let removed = if ended.is_ok() { tokio::task::spawn_blocking(move || home.close()).await? } else { Ok(()) };
    done.and(ended).and(removed.map_err(Into::into))
}

async fn build_here(
    arguments: &Arguments,
    cache: &Path,
    home: &Home,
    session: &mut Option<Session>,
    screen: &mut Screen,
    interrupts: &mut Interrupts,
) -> anyhow::Result<()> {
    let out = Out::new(&arguments.artifacts)?;
    let environment = environment::all(&arguments.env_file, &arguments.env, &|name| std::env::var(name).ok())?;
    let (source, buildspec) = interrupts.unless(read(arguments, home)).await?;
    screen.say(&format!("source    {}", source.said()));
    if let Some(left_out) = source.left_out() {
        screen.say(&format!("          {left_out}"));
    }
    screen.say(&format!("buildspec {}", buildspec.place));
    interrupts.unless(async { Ok(session::clear_up_after_killed_runs(cache).await) }).await?;
    let project = source.project();
    let folders = Arc::new(Folders(BTreeMap::from([(project.clone(), source)])));
    let session = session.insert(interrupts.unless(Session::open(arguments, home, cache, Some(folders))).await?);
    let engine = Arc::clone(&session.services().engine);
    let image = image::Images::new(&*engine, arguments.image.as_deref()).choose(None, screen).await;
    image::prepare(&*engine, &image, arguments.quiet, interrupts).await?;
    session.create_bucket(artifacts::BUCKET, false).await?;
    let plan = build::Plan {
        project,
        image,
        privileged: arguments.privileged,
        environment,
        buildspec: &buildspec,
        timeout: arguments.timeout,
    };
    let ended = build::run(session, &plan, screen, interrupts).await?;
    let succeeded = summary::status(&ended) == "SUCCEEDED";
    if !succeeded {
        screen.show_kept()?;
    }
    let unpacked = match succeeded {
        true => artifacts::unpack(session, home, &ended.build, &out).await?,
        false => artifacts::Unpacked::default(),
    };
    summary::show(screen, &ended, &buildspec, out.folder(), &unpacked, arguments.quiet)?;
    if arguments.json {
        let document = summary::document(&ended, &buildspec, out.folder(), &unpacked);
        println!("{}", serde_json::to_string_pretty(&document)?);
    }
    if succeeded { Ok(()) } else { Err(Failed.into()) }
}

/// Lists the source and reads its buildspec, off the threads that wait for Ctrl-C.
async fn read(arguments: &Arguments, home: &Home) -> anyhow::Result<(Source, Buildspec)> {
    let (arguments, home) = (arguments.clone(), home.path().to_owned());
    let read = move || {
        let source = Source::prepare(&arguments, &home)?;
        let buildspec = Buildspec::find(&source, arguments.buildspec.as_deref())?;
        Ok((source, buildspec))
    };
    tokio::task::spawn_blocking(read).await?
}

/// An answer of this process's own services: what they refuse is the user's to mend.
fn call<T>(answer: Result<T, aws::Error>) -> anyhow::Result<T> {
    answer.map_err(|error| if error.status >= 500 { anyhow::anyhow!("{error}") } else { user_error(error.message) })
}
