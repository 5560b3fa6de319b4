//! A real `landfall-agent build` and the server's end of its socket.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use agent::protocol::server::{Greeted, Inbox, Verdict, greet};
use agent::protocol::{
    Context, Environment, FromAgent, Job, OnFailure, Phase, PhaseJob, PhaseStatus, Report, Shell, ToAgent,
};
use tokio::net::{UnixListener, UnixStream};

/// One agent, its sockets and what it reported.
pub(crate) struct Agent {
    pub(crate) folder: tempfile::TempDir,
    child: Child,
    listener: UnixListener,
    pub(crate) connection: Greeted<UnixStream>,
    pub(crate) inbox: Inbox,
    pub(crate) seen: Seen,
}

/// Everything reported so far.
#[derive(Default, Debug)]
pub(crate) struct Seen {
    pub(crate) log: String,
    pub(crate) phases: Vec<(Phase, PhaseStatus, Context, Option<i32>)>,
    pub(crate) exported: Vec<(String, String)>,
    pub(crate) expressions: Vec<Option<String>>,
    pub(crate) done: Option<PhaseStatus>,
}

impl Agent {
    pub(crate) async fn start() -> Self {
        Self::start_by(&[]).await
    }

    /// As in a container: the first process of a PID namespace. For root.
    pub(crate) async fn start_as_first_process() -> Self {
        Self::start_by(&["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]).await
    }

    /// With a loopback of its own, and views of `/etc`, `/usr` and `/run` of its own that `more` (a shell's commands) may
    /// change; AWS's names are to lead to the server by this authority. For root.
    pub(crate) async fn start_with_names(authority: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority).unwrap();
        let views = folder.path().join("views");
        std::fs::create_dir(&views).unwrap();
        let script = format!(
            "ip link set lo up; ip address add 169.254.170.2/32 dev lo; mount -t tmpfs tmpfs \"$0\"; cd \"$0\"; for d in etc usr; do mkdir -p $d/upper $d/work; \
             mount -t overlay overlay -o lowerdir=/$d,upperdir=$d/upper,workdir=$d/work /$d; done; mount -t tmpfs tmpfs /run; \
             rm -f /etc/resolv.conf; echo 'search build.example' >/etc/resolv.conf; {more} \
             exec env -i PATH=\"$PATH\" LANDFALL_SOCKETS=\"$LANDFALL_SOCKETS\" \"$@\""
        );
        let views = views.display().to_string();
        Self::start_in(folder, &["unshare", "--net", "--mount", "sh", "-ec", &script, &views]).await
    }

    async fn start_by(wrapper: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), wrapper).await
    }

    async fn start_in(folder: tempfile::TempDir, wrapper: &[&str]) -> Self {
        let listener = UnixListener::bind(folder.path().join("agent.sock")).unwrap();
        let words = [wrapper, &[env!("CARGO_BIN_EXE_landfall-agent"), "build"]].concat();
        let child = Command::new(words[0])
            .args(&words[1..])
            .env("LANDFALL_SOCKETS", folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let connection = greet(listener.accept().await.unwrap().0, 0).await.unwrap();
        Self { folder, child, listener, connection, inbox: Inbox::default(), seen: Seen::default() }
    }

    /// The build's own folder.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("src")
    }

    pub(crate) fn job(&self, phases: Vec<PhaseJob>) -> Job {
        Job {
            build: "project:1".into(),
            shell: Shell::Sh,
            shell_per_command: false,
            directory: self.work().display().to_string(),
            environment: Environment::from([("GREETING", "hello")]),
            phases,
            exported_variables: vec![],
            expressions: vec![],
            masked: vec![],
            git_credentials: false,
            timeout_ms: 60_000,
        }
    }

    pub(crate) async fn send(&mut self, message: ToAgent) {
        self.connection.1.send(message).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> FromAgent {
        let next = self.connection.0.next();
        tokio::time::timeout(Duration::from_secs(30), next).await.expect("the agent is silent").unwrap().unwrap()
    }

    /// Takes one message; a report is recorded and acknowledged.
    pub(crate) async fn step(&mut self) -> Option<FromAgent> {
        let FromAgent::Report { sequence, report } = self.next().await else { panic!("not a report") };
        if self.inbox.accept(sequence, &report).unwrap() == Verdict::New {
            self.seen.record(report);
        }
        self.send(ToAgent::Ack { sequence }).await;
        None
    }

    /// The connection breaks, as when the server restarts: a new inode in the same folder.
    pub(crate) async fn restart_server(&mut self) {
        let socket = self.folder.path().join("agent.sock");
        std::fs::remove_file(&socket).unwrap();
        self.listener = UnixListener::bind(socket).unwrap();
        let (dead, _) = tokio::io::duplex(1);
        drop(dead);
        let replacement = UnixStream::pair().unwrap();
        let (read, write) = tokio::io::split(replacement.0);
        self.connection.0 = agent::protocol::FrameReader::new(read);
        self.connection.1 = agent::protocol::FrameWriter::new(write);
        let stream = self.listener.accept().await.unwrap().0;
        self.connection = greet(stream, self.inbox.recorded()).await.unwrap();
    }

    /// Records reports until the phases are done.
    pub(crate) async fn until_done(&mut self) {
        while self.seen.done.is_none() {
            self.step().await;
        }
    }

    /// Runs a job to its end.
    pub(crate) async fn run(&mut self, job: Job) {
        self.send(ToAgent::Job(Box::new(job))).await;
        self.until_done().await;
    }

    /// Records until the log holds this text.
    pub(crate) async fn until_log(&mut self, text: &str) {
        while !self.seen.log.contains(text) {
            self.step().await;
        }
    }

    /// The agent leaves when it is told so.
    pub(crate) async fn finish(mut self) {
        self.send(ToAgent::Finish).await;
        let status = tokio::task::block_in_place(|| self.child.wait()).unwrap();
        assert!(status.success(), "{status}");
    }
}

/// A test that fails leaves no agent behind.
impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Seen {
    fn record(&mut self, report: Report) {
        match report {
            Report::LogLines { data, .. } => self.log += std::str::from_utf8(&data).unwrap(),
            Report::PhaseStarted { .. } => {}
            Report::PhaseEnded { phase, status, context, exit_code, .. } => {
                self.phases.push((phase, status, context, exit_code));
            }
            Report::ExportedVariables { variables } => self.exported = variables.into_iter().collect(),
            Report::Expressions { values } => self.expressions = values,
            Report::Done { status, .. } => self.done = Some(status),
        }
    }

    /// Output of commands alone.
    pub(crate) fn output(&self) -> Vec<&str> {
        self.log.lines().filter(|line| !line.starts_with("[Container] ")).collect()
    }

    /// Phases with their status.
    pub(crate) fn statuses(&self) -> Vec<(Phase, PhaseStatus)> {
        self.phases.iter().map(|(phase, status, ..)| (*phase, *status)).collect()
    }
}

pub(crate) fn phase(phase: Phase, commands: &[&str]) -> PhaseJob {
    PhaseJob { commands: commands.iter().map(|&command| command.into()).collect(), ..PhaseJob::empty(phase) }
}

pub(crate) fn with(mut phase: PhaseJob, finally: &[&str], on_failure: OnFailure) -> PhaseJob {
    phase.finally = finally.iter().map(|&command| command.into()).collect();
    phase.on_failure = on_failure;
    phase
}
