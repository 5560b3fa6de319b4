//! A build's agent that lies: how, is in the job's variable LIE.

use std::process::ExitCode;

use agent::protocol::{
    FrameError, FrameReader, FrameWriter, FromAgent, Hello, Job, Phase, PhaseStatus, Report, ToAgent,
};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::UnixStream;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|word| word.to_str()) {
        Some("shim") => agent::shim::main(arguments),
        Some("build") => build(),
        _ => ExitCode::from(64),
    }
}

fn build() -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    // The container stays, so that nothing but the lie can end the build.
    let _ = runtime.block_on(take_job_and_lie());
    loop {
        std::thread::park();
    }
}

struct Server(FrameReader<ReadHalf<UnixStream>>, FrameWriter<WriteHalf<UnixStream>>);

impl Server {
    async fn greet(build: Option<String>) -> Result<Self, FrameError> {
        let (read, write) = tokio::io::split(UnixStream::connect("/landfall/agent.sock").await?);
        let mut server = Self(FrameReader::new(read), FrameWriter::new(write));
        let hello = Hello { version: agent::protocol::VERSION, build, ..Hello::default() };
        server.1.send(FromAgent::Hello(hello)).await?;
        Ok(server)
    }

    async fn job(&mut self) -> Result<Job, FrameError> {
        loop {
            match self.0.next().await? {
                Some(ToAgent::Job(job)) => return Ok(*job),
                Some(ToAgent::SourceChunk { target, last: true, .. }) => {
                    self.1.send(FromAgent::SourceUnpacked { index: target.index, error: None }).await?;
                }
                Some(_) => {}
                None => return Err(FrameError::Truncated),
            }
        }
    }

    async fn report(&mut self, sequence: u64, report: Report) -> Result<(), FrameError> {
        self.1.send(FromAgent::Report { sequence, report }).await
    }
}

async fn take_job_and_lie() -> Result<(), FrameError> {
    let mut server = Server::greet(None).await?;
    let job = server.job().await?;
    match job.environment.0.get("LIE").map(String::as_str) {
        Some("phases-backwards") => backwards(&mut server).await?,
        Some("numbers-left-out") => server.report(7, started(Phase::Install)).await?,
        Some("another-build") => {
            drop(server);
            server = Server::greet(Some("demo:another".into())).await?;
            server.report(1, started(Phase::Install)).await?;
        }
        Some("an-end-of-nothing") => server.report(1, ended(Phase::Build)).await?,
        Some("flood") => flood(&mut server).await?,
        Some("huge-frames") => raw(&[0xff; 4096]).await?,
        Some("no-frames") => raw(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await?,
        _ => {}
    }
    // The server hangs up, not the liar: an acknowledgement that meets a closed socket ends the connection before
    // what came behind it is read, as it may with an agent that will connect again.
    server.job().await.map(drop)
}

fn started(phase: Phase) -> Report {
    Report::PhaseStarted { phase, time: 0 }
}

fn ended(phase: Phase) -> Report {
    Report::PhaseEnded { phase, time: 0, status: PhaseStatus::Succeeded, context: Default::default(), exit_code: None }
}

async fn backwards(server: &mut Server) -> Result<(), FrameError> {
    server.report(1, started(Phase::Build)).await?;
    server.report(2, ended(Phase::Build)).await?;
    server.report(3, started(Phase::Install)).await
}

/// As much log as the server takes, and acknowledgements never read.
async fn flood(server: &mut Server) -> Result<(), FrameError> {
    for sequence in 1.. {
        let data = Bytes::from(vec![b'x'; 64 * 1024]);
        server.report(sequence, Report::LogLines { time: 0, data }).await?;
    }
    Ok(())
}

/// Again and again, on connections of their own.
async fn raw(bytes: &[u8]) -> Result<(), FrameError> {
    for _ in 0..10_000 {
        let mut stream = UnixStream::connect("/landfall/agent.sock").await?;
        // The server may hang up in the middle of it.
        let _ = stream.write_all(bytes).await;
        let _ = stream.read(&mut [0; 16]).await;
    }
    Ok(())
}
