//! The dummy plays the agent of a build: over the real protocol, once, also over a restart.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use agent::protocol::server::{Greeted, Inbox, Verdict, greet};
use agent::protocol::{
    ArtifactRequest, Environment, FromAgent, Job, Phase, PhaseJob, PhaseStatus, Report, Shell, ToAgent,
};
use engine::dummy::journal;
use engine::{AGENT_IN_CONTAINER, ContainerSpec, Engine, EngineKind, EngineOptions, Exit, Mount};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};

struct Server {
    folder: TempDir,
    listener: UnixListener,
    inbox: Inbox,
}

impl Server {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("agent.sock")).unwrap();
        Self { folder, listener, inbox: Inbox::default() }
    }

    async fn engine(&self) -> Arc<dyn Engine> {
        engine::open(EngineOptions::new(EngineKind::Dummy, self.folder.path(), "/nowhere")).await.unwrap()
    }

    fn container(&self) -> ContainerSpec {
        let mut spec = ContainerSpec::new("build", [AGENT_IN_CONTAINER, "build"]);
        let host = self.folder.path().to_path_buf();
        spec.mounts = vec![Mount { host, container: "/landfall".into(), read_only: false }];
        spec
    }

    async fn greeted(&self) -> Greeted<UnixStream> {
        greet(self.listener.accept().await.unwrap().0, self.inbox.recorded()).await.unwrap()
    }

    /// New reports up to the first that `last` accepts.
    async fn reports(&mut self, agent: &mut Greeted<UnixStream>, last: impl Fn(&Report) -> bool) -> Vec<Report> {
        let mut reports = Vec::new();
        while !reports.last().is_some_and(&last) {
            let Some(FromAgent::Report { sequence, report }) = agent.0.next().await.unwrap() else {
                panic!("the connection ended");
            };
            assert_eq!(self.inbox.accept(sequence, &report), Ok(Verdict::New));
            reports.push(report);
        }
        reports
    }
}

fn job(variables: &[(&str, &str); 2]) -> ToAgent {
    ToAgent::Job(Box::new(Job {
        build: "project:1".into(),
        shell: Shell::Sh,
        shell_per_command: false,
        directory: "/src".into(),
        environment: Environment::from(*variables),
        phases: [Phase::Install, Phase::Build, Phase::PostBuild].map(PhaseJob::empty).into(),
        exported_variables: vec![],
        expressions: vec![],
        masked: vec![],
        git_credentials: false,
        timeout_ms: 60_000,
    }))
}

fn is_done(report: &Report) -> bool {
    matches!(report, Report::Done { .. })
}

#[tokio::test]
async fn a_build_fails_as_scripted() {
    let mut server = Server::new();
    let engine = server.engine().await;
    engine.start(&server.container()).await.unwrap();
    let mut agent = server.greeted().await;
    agent.1.send(job(&[("LANDFALL_DUMMY_EXIT", "3"), ("LANDFALL_DUMMY_OUTPUT", "line")])).await.unwrap();
    let reports = server.reports(&mut agent, is_done).await;
    let codes: Vec<_> = reports.iter().filter_map(exit_code).collect();
    assert_eq!(codes, [(Phase::Install, None), (Phase::Build, Some(3)), (Phase::PostBuild, None)]);
    assert!(reports.iter().any(|report| matches!(report, Report::LogLines { data, .. } if data == "line\n")));
    assert!(matches!(reports.last(), Some(Report::Done { status: PhaseStatus::Failed, .. })));

    let request = ArtifactRequest { request: 5, files: vec!["**/*".into()], ..ArtifactRequest::default() };
    agent.1.send(ToAgent::ArtifactRequest(request)).await.unwrap();
    let Some(FromAgent::ArtifactChunk { data, .. }) = agent.0.next().await.unwrap() else { panic!("no chunk") };
    assert!(data.starts_with(b"PK"));
    assert!(matches!(agent.0.next().await.unwrap(), Some(FromAgent::ArtifactEnd { request: 5, files: 1, .. })));
    agent.1.send(ToAgent::Finish).await.unwrap();
    assert_eq!(engine.wait("build").await.unwrap(), Exit::code(0));
}

fn exit_code(report: &Report) -> Option<(Phase, Option<i32>)> {
    match report {
        Report::PhaseEnded { phase, exit_code, .. } => Some((*phase, *exit_code)),
        _ => None,
    }
}

#[tokio::test]
async fn a_build_killed_in_its_phase_ends_its_container() {
    let mut server = Server::new();
    let engine = server.engine().await;
    engine.start(&server.container()).await.unwrap();
    let mut agent = server.greeted().await;
    agent.1.send(job(&[("LANDFALL_DUMMY_KILL", "9"), ("X", "y")])).await.unwrap();
    let in_build = |report: &Report| matches!(report, Report::PhaseStarted { phase: Phase::Build, .. });
    server.reports(&mut agent, in_build).await;
    assert_eq!(engine.wait("build").await.unwrap(), Exit::signal(9));
}

#[tokio::test]
async fn a_build_goes_on_over_a_restart_and_is_started_once() {
    let mut server = Server::new();
    let engine = server.engine().await;
    engine.start(&server.container()).await.unwrap();
    let mut agent = server.greeted().await;
    let script = [("LANDFALL_DUMMY_SLEEP_MS", "100"), ("X", "y")];
    agent.1.send(job(&script)).await.unwrap();
    let installed = |report: &Report| matches!(report, Report::PhaseEnded { phase: Phase::Install, .. });
    server.reports(&mut agent, installed).await;
    drop((engine, agent));

    let engine = server.engine().await;
    engine.start(&server.container()).await.unwrap();
    // The old engine's agent may have been connecting once more when it ended.
    let mut agent = loop {
        let mut agent = server.greeted().await;
        if agent.1.send(job(&script)).await.is_ok() && agent.2.build.is_none() {
            break agent;
        }
    };
    let rest = server.reports(&mut agent, is_done).await;
    assert!(matches!(rest.last(), Some(Report::Done { status: PhaseStatus::Succeeded, .. })));
    agent.1.send(ToAgent::Finish).await.unwrap();
    assert_eq!(engine.wait("build").await.unwrap(), Exit::code(0));
    let entries = journal::of(Path::new(server.folder.path())).unwrap();
    assert_eq!(journal::starts(&entries)["build"], 1);
}
