//! Does one command, from its specification to its end.

use tokio::task::spawn_blocking;

use super::bundle;
use super::commands::{Commands, HostCommand, until_answered};
use super::diagnostics::Diagnostics;
use super::envelope;
use super::hooks::{self, Scripts};
use super::install;
use super::specification::Specification;
use super::state::{State, Which};
use crate::process::Processes;

/// What commands are done with.
#[derive(Debug, Clone)]
pub(super) struct Executor {
    pub(super) commands: Commands,
    pub(super) state: State,
    pub(super) processes: Processes,
    pub(super) max_revisions: usize,
}

/// A command that was understood.
enum Work {
    DownloadBundle,
    Install,
    Hooks(Option<Scripts>),
}

/// What is to be told to the server; `None` where it does not want to know.
pub(super) type Ending = Option<Diagnostics>;

impl Executor {
    /// Notes that a command was taken. Without the note it is run all the same, unless this agent dies before it is begun.
    pub(super) fn note(&self, command: &HostCommand) {
        if let Err(error) = self.state.take(command.deployment(), &command.note()) {
            eprintln!("landfall-agent: a command cannot be noted: {error}");
        }
    }

    /// Does a command and gives its end. What goes wrong before the acknowledgement is told as its failure.
    pub(super) async fn execute(&self, command: &HostCommand) -> Ending {
        let (specification, work) = match self.understand(command).await {
            Ok(understood) => understood,
            Err(message) => return Some(Diagnostics::unknown(message)),
        };
        let is_noop = matches!(work, Work::Hooks(None));
        let acknowledge = || self.commands.acknowledge(command, is_noop);
        match until_answered("acknowledging a command", acknowledge).await {
            Err(error) => {
                eprintln!("landfall-agent: the acknowledgement of {} was refused: {error}", command.command_name);
                None
            }
            Ok(status) if status == "Succeeded" => None,
            Ok(status) if status == "Failed" => is_noop.then(|| Diagnostics::success("CompletedNoopCommand")),
            Ok(_) => Some(self.run(command, &specification, work).await),
        }
    }

    async fn understand(&self, command: &HostCommand) -> Result<(Specification, Work), String> {
        let specification = || self.commands.specification(command);
        let envelope = until_answered("fetching a specification", specification).await;
        let envelope = envelope.map_err(|error| error.to_string())?;
        let json = envelope::open(&envelope).map_err(|error| error.to_string())?;
        let specification = Specification::parse(&json)?;
        let work = match command.command_name.as_str() {
            "DownloadBundle" => Work::DownloadBundle,
            "Install" => Work::Install,
            event if hooks::EVENTS.contains(&event) => Work::Hooks(hooks::scripts(&self.state, &specification, event)?),
            other => return Err(format!("Unsupported command type: {other}")),
        };
        Ok((specification, work))
    }

    async fn run(&self, command: &HostCommand, specification: &Specification, work: Work) -> Diagnostics {
        if let Err(error) = self.state.begin(&specification.deployment_id, &command.host_command_identifier) {
            return Diagnostics::unknown(format!("the agent's folder cannot be written to: {error}"));
        }
        let ended = match work {
            Work::DownloadBundle => self.download(specification).await.map_err(Diagnostics::unknown),
            Work::Install => self.install(specification).await.map_err(Diagnostics::unknown),
            Work::Hooks(None) => Ok(()),
            Work::Hooks(Some(scripts)) => {
                hooks::run(&self.processes, specification, &command.command_name, &scripts).await
            }
        };
        ended.err().unwrap_or_else(|| Diagnostics::success(""))
    }

    /// Forgets that a command was under way; call it when its end has been told.
    pub(super) fn finished(&self, command: &HostCommand) {
        self.state.drop_taken(command.deployment(), &command.note());
        for (deployment, identifier) in self.state.unfinished() {
            if identifier == command.host_command_identifier {
                self.state.end(&deployment);
            }
        }
    }

    async fn download(&self, specification: &Specification) -> Result<(), String> {
        let group = &specification.group_id;
        let deployment = self.state.deployment(group, &specification.deployment_id);
        let last = self.state.pointed(group, Which::LastSuccessful);
        let keep: Vec<_> = last.iter().chain([&deployment]).collect();
        self.state.prune(group, self.max_revisions.saturating_sub(1), &keep);
        bundle::download(&self.commands.client, &specification.revision, &deployment).await?;
        self.state.point(group, Which::MostRecent, &deployment).map_err(|error| error.to_string())
    }

    async fn install(&self, specification: &Specification) -> Result<(), String> {
        let (state, specification) = (self.state.clone(), specification.clone());
        let deployment = state.deployment(&specification.group_id, &specification.deployment_id);
        let installed = spawn_blocking(move || install::install(&state, &specification, &deployment)).await;
        installed.map_err(|error| format!("installing broke off: {error}"))?
    }
}
