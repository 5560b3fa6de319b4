//! `landfall run`: a folder built here and now, or a pipeline run on folders, with no server. The services are the
//! server's own, in this process, on a folder that goes with it.

mod arguments;
mod artifacts;
mod build;
mod buildspec;
mod environment;
mod follow;
mod home;
pub(crate) mod image;
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
use std::io::Write as _;
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
    let run = Run {
        arguments: &arguments,
        cache: &cache,
        home: &home,
        session: &mut session,
        screen: &mut screen,
        interrupts: &mut interrupts,
    };
    let done = match &arguments.pipeline.file {
        None => run.build().await,
        Some(file) => pipeline::run(file, run).await,
    };
    screen.idle();
    let ended = match session {
        Some(session) => session.end().await,
        None => Ok(()),
    };
    // What could not be ended is ended by the next run, which finds it by this folder.
    let removed = if ended.is_ok() { tokio::task::spawn_blocking(move || home.close()).await? } else { Ok(()) };
    done.and(ended).and(removed.map_err(Into::into))
}

/// What a run of either kind works with.
struct Run<'r> {
    arguments: &'r Arguments,
    cache: &'r Path,
    home: &'r Home,
    /// Outlives the work, so that it is ended whatever happens.
    session: &'r mut Option<Session>,
    screen: &'r mut Screen,
    interrupts: &'r mut Interrupts,
}

impl Run<'_> {
    /// Builds the folder.
    async fn build(self) -> anyhow::Result<()> {
        let Self { arguments, cache, home, session, screen, interrupts } = self;
        let out = Out::new(&arguments.artifacts)?;
        let own = |name: &str| std::env::var(name).ok();
        let environment = environment::all(&arguments.env_file, &arguments.env, &own)?;
        screen.busy("reading the folder");
        let (source, buildspec) = interrupts.unless(read(arguments, home)).await?;
        introduce(screen, &source, &buildspec);
        let project = source.project();
        let folders = Arc::new(Folders(BTreeMap::from([(project.clone(), source)])));
        let session = session.insert(interrupts.unless(Session::open(arguments, home, cache, Some(folders))).await?);
        let engine = Arc::clone(&session.services().engine);
        let image = image::Images::new(&*engine, arguments.image.as_deref()).choose(None, screen).await;
        image::prepare(&*engine, &image, screen, interrupts).await?;
        session.create_bucket(artifacts::BUCKET, false).await?;
        let (privileged, timeout) = (arguments.privileged, arguments.timeout);
        let plan = build::Plan { project, image, privileged, environment, buildspec: &buildspec, timeout };
        let ended = build::run(session, &plan, screen, interrupts).await?;
        interrupts.unless(finish(arguments, session, home, screen, &out, &buildspec, &ended)).await
    }
}

fn introduce(screen: &Screen, source: &Source, buildspec: &Buildspec) {
    screen.say(&format!("source    {}", source.said()));
    if let Some(left_out) = source.left_out() {
        screen.say(&format!("          {left_out}"));
    }
    screen.say(&format!("buildspec {}", buildspec.place));
}

/// Unpacks what the build has made, and tells how it ended.
async fn finish(
    arguments: &Arguments,
    session: &Session,
    home: &Home,
    screen: &mut Screen,
    out: &Out,
    buildspec: &Buildspec,
    ended: &build::Ended,
) -> anyhow::Result<()> {
    let succeeded = summary::status(ended) == "SUCCEEDED";
    let unpacked = if succeeded {
        artifacts::unpack(session, home, &ended.build, out).await?
    } else {
        screen.show_kept()?;
        artifacts::Unpacked::default()
    };
    summary::show(screen, ended, buildspec, out.folder(), &unpacked, arguments.quiet)?;
    if arguments.json {
        print_document(&summary::document(ended, buildspec, out.folder(), &unpacked))?;
    }
    if succeeded { Ok(()) } else { Err(Failed.into()) }
}

/// Writes what a program reads.
fn print_document(document: &serde_json::Value) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, document)?;
    Ok(stdout.write_all(b"\n")?)
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
