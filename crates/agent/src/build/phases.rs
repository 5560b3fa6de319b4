//! Runs a job's phases and reports them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::docker::Daemon;
use super::log::Log;
use super::mark::Snapshot;
use super::output::Output;
use super::rules;
use super::shell::{Ending, Session, Start};
use crate::process::{Processes, all_gone, signal_all};
use crate::protocol::client::Link;
use crate::protocol::{Context, Job, PhaseJob, PhaseStatus, Report, StopReason};
use crate::time::now_ms;
use crate::user::{self, User};

const SUCCEEDING: &str = "CODEBUILD_BUILD_SUCCEEDING";
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How long processes may take to end by themselves when a build is stopped.
const GRACE: Duration = Duration::from_secs(2);
/// The beginning of a line is shown after this time, though its end is still to come.
const PATIENCE: Duration = Duration::from_secs(1);
const PIECE: usize = 64 * 1024;

/// What phases run with.
pub(super) struct Surroundings {
    pub(super) link: Link,
    pub(super) processes: Processes,
    /// The build's own Docker daemon, which may still be starting.
    pub(super) docker: Option<Daemon>,
    /// Becomes the reason when the build is to be stopped.
    pub(super) stop: watch::Receiver<Option<StopReason>>,
    /// The variables that the agent was started with: the image's own.
    pub(super) inherited: BTreeMap<String, String>,
    /// What does not work in this container as it should, for the log.
    pub(super) notes: Vec<String>,
}

/// Runs all phases of the job and reports everything up to [`Report::Done`].
pub(super) async fn run(surroundings: Surroundings, job: Job) {
    let link = surroundings.link.clone();
    let status = match Runner::new(surroundings, &job) {
        Ok(mut runner) => runner.run().await,
        Err(error) => {
            Log::new(link.clone(), &[]).container(&format!("The build cannot start: {error}")).await;
            PhaseStatus::Fault
        }
    };
    send(&link, Report::Done { time: now_ms(), status }).await;
}

async fn send(link: &Link, report: Report) {
    if let Err(error) = link.report(report).await {
        eprintln!("landfall-agent: a report cannot be sent: {error}");
    }
}

/// The end of a command list.
enum ListEnd {
    Succeeded,
    Failed { command: String, exit_code: i32 },
}

struct Runner<'a> {
    job: &'a Job,
    surroundings: Surroundings,
    log: Log,
    output: Output,
    agent: PathBuf,
    deadline: Instant,
    session: Option<(Option<String>, Session)>,
    state: Snapshot,
}

impl<'a> Runner<'a> {
    fn new(surroundings: Surroundings, job: &'a Job) -> io::Result<Self> {
        std::fs::create_dir_all(&job.directory)?;
        Ok(Self {
            log: Log::new(surroundings.link.clone(), &job.masked),
            output: Output::new()?,
            agent: std::env::current_exe()?,
            deadline: Instant::now() + Duration::from_millis(job.timeout_ms),
            session: None,
            state: first_state(job, &surroundings.inherited),
            surroundings,
            job,
        })
    }

    async fn run(&mut self) -> PhaseStatus {
        self.wait_for_docker().await;
        self.announce().await;
        let mut status = PhaseStatus::Succeeded;
        for phase in &self.job.phases {
            let ended = self.phase(phase).await;
            status = rules::overall(status, ended);
            let goes_on = match ended {
                PhaseStatus::Succeeded => true,
                PhaseStatus::Failed => rules::goes_on_after_failure(phase.phase, phase.on_failure),
                _ => false,
            };
            if !goes_on {
                break;
            }
        }
        self.report_results().await;
        if let Some((_, session)) = self.session.take() {
            session.leave().await;
            self.drain().await;
        }
        status
    }

    /// Before the first command the Docker daemon answers. One that does not come up is no reason to end: the build may
    /// not need it.
    async fn wait_for_docker(&mut self) {
        let Some(mut docker) = self.surroundings.docker.take() else { return };
        let ready = tokio::select! {
            ready = docker.ready() => ready,
            // The first command ends so, too.
            _ = stopped(&mut self.surroundings.stop) => return,
            () = sleep_until(self.deadline) => return,
        };
        if let Err(reason) = ready {
            self.log.container(&format!("The Docker daemon did not start: {reason}")).await;
        }
    }

    async fn announce(&mut self) {
        for note in &self.surroundings.notes {
            self.log.container(note).await;
        }
        self.log.container(&format!("Moving to directory {}", self.job.directory)).await;
        self.log.container(&format!("Phases found in YAML: {}", self.job.phases.len())).await;
        for phase in &self.job.phases {
            let count = phase.commands.len() + phase.finally.len();
            self.log.container(&format!(" {}: {count} commands", phase.phase)).await;
        }
    }

    async fn phase(&mut self, phase: &PhaseJob) -> PhaseStatus {
        self.log.container(&format!("Entering phase {}", phase.phase)).await;
        self.report(Report::PhaseStarted { phase: phase.phase, time: now_ms() }).await;
        let (status, context, exit_code) = match self.commands_and_finally(phase).await {
            Ok(ListEnd::Succeeded) => (PhaseStatus::Succeeded, Context::default(), None),
            Ok(ListEnd::Failed { command, exit_code }) => {
                (PhaseStatus::Failed, rules::failed_command(&command, exit_code), Some(exit_code))
            }
            Err(reason) => {
                self.kill_everything().await;
                let (status, context) = rules::interrupted(reason);
                (status, context, None)
            }
        };
        self.log.container(&format!("Phase complete: {} State: {}", phase.phase, status.as_str())).await;
        let line = format!("Phase context status code: {} Message: {}", context.code, context.message);
        self.log.container(&line).await;
        self.report(Report::PhaseEnded { phase: phase.phase, time: now_ms(), status, context, exit_code }).await;
        status
    }

    async fn commands_and_finally(&mut self, phase: &PhaseJob) -> Result<ListEnd, StopReason> {
        let commands = self.list(phase, &phase.commands).await?;
        let finally = self.list(phase, &phase.finally).await?;
        Ok(if matches!(commands, ListEnd::Failed { .. }) { commands } else { finally })
    }

    async fn list(&mut self, phase: &PhaseJob, commands: &[String]) -> Result<ListEnd, StopReason> {
        for command in commands {
            self.log.container(&format!("Running command {command}")).await;
            let exit_code = self.command(phase, command).await?;
            if exit_code != 0 {
                let line = format!("Command did not exit successfully {command} exit status {exit_code}");
                self.log.container(&line).await;
                self.no_longer_succeeding().await;
                return Ok(ListEnd::Failed { command: command.clone(), exit_code });
            }
        }
        Ok(ListEnd::Succeeded)
    }

    async fn command(&mut self, phase: &PhaseJob, command: &str) -> Result<i32, StopReason> {
        let mut session = match self.session_for(phase.run_as.as_deref()) {
            Ok(session) => session,
            Err(error) => {
                self.log.container(&format!("{} cannot be started: {error}", self.job.shell.program())).await;
                return Ok(127);
            }
        };
        session.give(command).await;
        let ending = self.watch(&mut session).await;
        self.drain().await;
        match ending {
            Ok(Ending::Exit(exit_code)) => Ok(exit_code),
            Ok(Ending::Mark(mark)) => {
                self.state = mark.snapshot.unwrap_or_else(|| self.state.clone());
                self.keep(phase, session).await;
                Ok(mark.exit_code)
            }
            Err(reason) => {
                // Its end is awaited when everything is killed.
                self.session = Some((phase.run_as.clone(), session));
                Err(reason)
            }
        }
    }

    async fn keep(&mut self, phase: &PhaseJob, session: Session) {
        if self.job.shell_per_command {
            session.leave().await;
        } else {
            self.session = Some((phase.run_as.clone(), session));
        }
    }

    /// Takes the living shell, or starts one where there is none or it is another user's.
    fn session_for(&mut self, run_as: Option<&str>) -> Result<Session, String> {
        if let Some((user, session)) = self.session.take()
            && user.as_deref() == run_as
        {
            return Ok(session);
        }
        let user = run_as.map(|name| user::find(Path::new("/"), name)).transpose()?;
        let mut state = self.state.clone();
        if self.job.shell_per_command {
            state = first_state(self.job, &self.surroundings.inherited);
            state.environment.extend(self.state.environment.get_key_value(SUCCEEDING).map(own));
        }
        if let Some(user) = &user {
            take_on(&mut state.environment, user);
        }
        if !Path::new(&state.directory).is_dir() {
            state.directory.clone_from(&self.job.directory);
        }
        self.start(&state, user.as_ref()).map_err(|error| error.to_string())
    }

    fn start(&self, state: &Snapshot, user: Option<&User>) -> io::Result<Session> {
        let start = Start {
            program: self.job.shell,
            state,
            user,
            output: [self.output.stdio()?, self.output.stdio()?],
            agent: &self.agent,
        };
        Session::start(&self.surroundings.processes, start)
    }

    /// Logs output until the command ends or the build is stopped.
    async fn watch(&mut self, session: &mut Session) -> Result<Ending, StopReason> {
        let mut piece = vec![0; PIECE];
        loop {
            let waiting = self.log.is_waiting();
            tokio::select! {
                biased;
                reason = stopped(&mut self.surroundings.stop) => return Err(reason),
                () = sleep_until(self.deadline) => return Err(StopReason::TimedOut),
                Ok(length) = self.output.read(&mut piece) => self.log.output(&piece[..length]).await,
                ending = session.ending() => return Ok(ending),
                () = sleep(PATIENCE), if waiting => self.log.flush().await,
            }
        }
    }

    /// Logs what the command has written until now. What it left running may write on.
    async fn drain(&mut self) {
        let mut piece = vec![0; PIECE];
        loop {
            match self.output.read_now(&mut piece) {
                0 => break,
                length => self.log.output(&piece[..length]).await,
            }
        }
        if self.log.is_waiting() {
            self.log.output(b"\n").await;
        }
    }

    async fn no_longer_succeeding(&mut self) {
        self.state.environment.insert(SUCCEEDING.into(), "0".into());
        if let Some((_, session)) = &mut self.session {
            session.export(SUCCEEDING, "0").await;
        }
    }

    async fn kill_everything(&mut self) {
        signal_all(Signal::SIGTERM);
        if let Some((_, session)) = self.session.take() {
            // Those that do not listen are killed below.
            let _ = timeout(GRACE, session.gone()).await;
        }
        signal_all(Signal::SIGKILL);
        all_gone(GRACE).await;
        self.drain().await;
    }

    async fn report_results(&mut self) {
        let variables = self.job.exported_variables.iter();
        let variables = variables.filter_map(|name| self.state.environment.get_key_value(name).map(own)).collect();
        self.report(Report::ExportedVariables { variables }).await;
        if !self.job.expressions.is_empty() {
            let mut values = vec![];
            for word in &self.job.expressions {
                values.push(self.expand(word).await);
            }
            self.report(Report::Expressions { values }).await;
        }
    }

    async fn expand(&mut self, word: &str) -> Option<String> {
        let user = self.session.as_ref().and_then(|(user, _)| user.clone());
        let mut session = self.session_for(user.as_deref()).ok()?;
        session.ask(word).await;
        let ending = self.watch(&mut session).await;
        self.drain().await;
        let Ok(Ending::Mark(mark)) = ending else { return None };
        self.session = Some((user, session));
        mark.value
    }

    async fn report(&self, report: Report) {
        send(&self.surroundings.link, report).await;
    }
}

/// The first shell's variables: the image's, then the job's over them, then what every build needs.
fn first_state(job: &Job, inherited: &BTreeMap<String, String>) -> Snapshot {
    let mut environment = inherited.clone();
    environment.extend(job.environment.0.clone());
    for (name, value) in [("PATH", DEFAULT_PATH), ("HOME", "/root"), (SUCCEEDING, "1")] {
        environment.entry(name.into()).or_insert_with(|| value.into());
    }
    Snapshot { directory: job.directory.clone(), environment }
}

fn take_on(environment: &mut BTreeMap<String, String>, user: &User) {
    for (name, value) in [("HOME", &user.home), ("USER", &user.name), ("LOGNAME", &user.name)] {
        environment.insert(name.into(), value.clone());
    }
}

fn own((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

async fn stopped(stop: &mut watch::Receiver<Option<StopReason>>) -> StopReason {
    if let Ok(reason) = stop.wait_for(Option::is_some).await
        && let Some(reason) = *reason
    {
        return reason;
    }
    // The sender is gone: nobody can stop the build any more.
    std::future::pending().await
}
