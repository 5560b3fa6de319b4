//! Asks for commands, and sees each one to its reported end.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::aws_client::AwsClient;
use super::commands::{Commands, FIRST_PAUSE, HostCommand, LAST_PAUSE, until_answered};
use super::config::Config;
use super::diagnostics::Diagnostics;
use super::executor::Executor;
use super::state::State;
use crate::process::Processes;

/// An answer without a command that comes sooner was no long poll: the next question waits.
const QUICK: Duration = Duration::from_secs(1);
/// How long SIGTERM lets commands finish.
const FINISH: Duration = Duration::from_secs(7200);

/// Runs until SIGTERM.
pub(super) async fn run(config: Config, processes: Processes) -> io::Result<()> {
    let state = State::open(config.root_dir.clone())?;
    let max_revisions = config.max_revisions;
    let host = config.iam_user_arn.clone();
    let client = AwsClient::new(config).map_err(io::Error::other)?;
    let agent = Agent {
        executor: Executor { commands: Commands { client, host }, state, processes, max_revisions },
        running: Arc::default(),
    };
    let mut work = JoinSet::new();
    agent.report_unfinished(&mut work);
    agent.take_up(&mut work);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = agent.poll(&mut work) => {}
        _ = terminate.recv() => {}
    }
    // Beyond that time the command is reported as failed by the next start.
    let _ = tokio::time::timeout(FINISH, async { while work.join_next().await.is_some() {} }).await;
    Ok(())
}

#[derive(Clone)]
struct Agent {
    executor: Executor,
    /// Commands under way: the server hands one out again where its acknowledgement was lost.
    running: Arc<Mutex<HashSet<String>>>,
}

impl Agent {
    /// Tells the server that what an earlier run of the agent left is lost.
    fn report_unfinished(&self, work: &mut JoinSet<()>) {
        for (deployment, identifier) in self.executor.state.unfinished() {
            let agent = self.clone();
            work.spawn(async move {
                agent.complete(&identifier, &Diagnostics::after_restart()).await;
                agent.executor.state.end(&deployment);
            });
        }
    }

    /// Begins what an earlier run of the agent took and ran nothing of: the server may believe that it is under way.
    fn take_up(&self, work: &mut JoinSet<()>) {
        for note in self.executor.state.taken() {
            match serde_json::from_str(&note) {
                Ok(command) => self.start(command, work),
                Err(error) => eprintln!("landfall-agent: a command that was taken cannot be read: {error}"),
            }
        }
    }

    async fn poll(&self, work: &mut JoinSet<()>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let asked = Instant::now();
            match self.executor.commands.poll().await {
                Ok(Some(command)) => {
                    self.start(command, work);
                    pause = FIRST_PAUSE;
                }
                Ok(None) => {
                    pause = FIRST_PAUSE;
                    sleep(QUICK.saturating_sub(asked.elapsed())).await;
                }
                Err(error) => {
                    eprintln!("landfall-agent: asking for commands: {error}");
                    sleep(pause).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
            while work.try_join_next().is_some() {}
        }
    }

    fn start(&self, command: HostCommand, work: &mut JoinSet<()>) {
        if !self.running().insert(command.host_command_identifier.clone()) {
            return;
        }
        self.executor.note(&command);
        let agent = self.clone();
        work.spawn(async move { agent.see_through(command).await });
    }

    async fn see_through(&self, command: HostCommand) {
        if let Some(diagnostics) = self.executor.execute(&command).await {
            self.complete(&command.host_command_identifier, &diagnostics).await;
        }
        self.executor.finished(&command);
        self.running().remove(&command.host_command_identifier);
    }

    /// Tells a command's end.
    async fn complete(&self, identifier: &str, diagnostics: &Diagnostics) {
        let commands = &self.executor.commands;
        let told = until_answered("reporting a command's end", || commands.complete(identifier, diagnostics));
        // A refusal is final: the server has the end already, or does not want it.
        let _ = told.await;
    }

    fn running(&self) -> MutexGuard<'_, HashSet<String>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
