//! `landfall logs`: what a group, a stream or a build has logged, and what it logs.
//!
//! Streams are read by `GetLogEvents` with its forward token, which goes by place and not by time: it neither loses nor
//! repeats a line, also over a restart of the server. (`StartLiveTail` may sample, and says nothing of what was before.)

mod build;
mod event;
mod group;
mod groups;
mod since;
mod tail;

use crate::client::{CallError, Patient, ServerArguments};
use crate::exit::{Interrupted, user_error};
use clap::Args;
use kernel::{Clock as _, SystemClock, Timestamp};
use std::time::Duration;

/// Between two looks.
const POLL: Duration = Duration::from_millis(400);

/// `landfall logs`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  landfall logs                                  the log groups
  landfall logs -f --build app                   the newest build of project app, to its end
  landfall logs --since 2h /aws/codebuild/app    all builds of the project in the last two hours
  landfall logs -f /aws/codebuild/app            what its builds log from ten minutes ago on, until Ctrl-C")]
pub(crate) struct Arguments {
    /// A log group; without one and without --build the groups are listed
    #[arg(conflicts_with = "build")]
    group: Option<String>,
    /// A build's id, or a project for its newest build: its log alone, and with -f to its end
    #[arg(long, value_name = "ID|PROJECT")]
    build: Option<String>,
    /// Go on with what is logged, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Only this stream of the group
    #[arg(long, value_name = "NAME", requires = "group")]
    stream: Option<String>,
    /// From when on: a span like 90s, 10m, 2h, 1d, or a time like 2026-11-22T21:05:00Z; default: 10m, of a build all
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// As JSON, a line for each event: {"timestamp", "stream", "message"}
    #[arg(long, help_heading = "Output")]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// Prints events, until the end or Ctrl-C.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let since = arguments.since.as_deref().map(|text| since::parse(text, now)).transpose().map_err(user_error)?;
    tokio::select! {
        done = print(&arguments, since, now) => done,
        _ = tokio::signal::ctrl_c() => Err(Interrupted.into()),
    }
}

async fn print(arguments: &Arguments, since: Option<Timestamp>, now: Timestamp) -> anyhow::Result<()> {
    let mut client = Patient::connect(&arguments.server)?;
    let out = event::Printer { json: arguments.json };
    if let Some(build) = &arguments.build {
        return build::print(&mut client, build, since, arguments.follow, out).await;
    }
    let Some(group) = &arguments.group else { return groups::print(&mut client, arguments.json).await };
    let since = since.unwrap_or_else(|| now - since::USUAL);
    let wanted = group::Wanted { group, stream: arguments.stream.as_deref(), since };
    let printed = match arguments.follow {
        true => group::follow(&mut client, &wanted, out).await,
        false => group::print(&mut client, &wanted, out).await,
    };
    printed.map_err(|error| explain(&wanted, error))
}

fn explain(wanted: &group::Wanted<'_>, error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<CallError>().and_then(CallError::code) {
        Some("ResourceNotFoundException") => {
            let stream = wanted.stream.map(|stream| format!(" with stream '{stream}'")).unwrap_or_default();
            user_error(format!(
                "there is no log group '{}'{stream}; `landfall logs` lists those there are",
                wanted.group
            ))
        }
        _ => error,
    }
}
