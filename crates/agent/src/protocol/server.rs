//! The server's end: the greeting and the check of what an agent reports.

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};

use super::frame::{FrameError, FrameReader, FrameWriter};
use super::job::Phase;
use super::message::{FromAgent, Hello, Report, ToAgent};

/// Why an agent's connection is dropped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The frames themselves are broken.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The connection ended before the greeting.
    #[error("the agent left without a greeting")]
    NoHello,
    /// The first message was another one.
    #[error("the agent's first message is not its greeting")]
    NotHello,
    /// Another version of the protocol.
    #[error("the agent speaks version {0} of the protocol, this server version {version}", version = super::VERSION)]
    Version(u16),
    /// A report that cannot come now.
    #[error(transparent)]
    Order(#[from] OrderError),
}

/// A report that an honest agent would not make at this point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A number was left out.
    #[error("report {got} came where {expected} was due")]
    Gap {
        /// What was due.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// A phase that lies before one that was seen, or overlaps it.
    #[error("{0} cannot start now")]
    Start(Phase),
    /// An end of a phase that is not running.
    #[error("{0} is not running, so it cannot end")]
    End(Phase),
    /// Anything after the last report.
    #[error("a report after the last one")]
    AfterDone,
}

/// Both halves of an agent's connection after the greeting, and the greeting.
pub type Greeted<S> = (FrameReader<ReadHalf<S>>, FrameWriter<WriteHalf<S>>, Hello);

/// Reads the agent's greeting and answers it; `recorded` is the number of the last report that is durable.
///
/// # Errors
/// Broken frames, another first message, another version.
pub async fn greet<S: AsyncRead + AsyncWrite>(stream: S, recorded: u64) -> Result<Greeted<S>, ServerError> {
    let (read, write) = tokio::io::split(stream);
    let (mut reader, mut writer) = (FrameReader::new(read), FrameWriter::new(write));
    let hello = match reader.next().await?.ok_or(ServerError::NoHello)? {
        FromAgent::Hello(hello) if hello.version == super::VERSION => hello,
        FromAgent::Hello(hello) => return Err(ServerError::Version(hello.version)),
        _ => return Err(ServerError::NotHello),
    };
    writer.send(ToAgent::Welcome { version: super::VERSION, recorded }).await?;
    Ok((reader, writer, hello))
}

/// What has come from one build's agent: tells new reports from repeated ones and refuses impossible ones.
///
/// Keep it with the build's document and commit both together; only then acknowledge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inbox {
    recorded: u64,
    phase: Option<Phase>,
    running: bool,
    done: bool,
}

/// What to do with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Record it.
    New,
    /// It is recorded already: only acknowledge it.
    Repeated,
}

impl Inbox {
    /// Number of the last report accepted.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded
    }

    /// True after [`Report::Done`].
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The phase that is running.
    #[must_use]
    pub fn running(&self) -> Option<Phase> {
        self.phase.filter(|_| self.running)
    }

    /// Takes a report in.
    ///
    /// # Errors
    /// [`OrderError`]: the agent is not honest or not ours; end the build with a fault.
    pub fn accept(&mut self, sequence: u64, report: &Report) -> Result<Verdict, OrderError> {
        if sequence <= self.recorded {
            return Ok(Verdict::Repeated);
        }
        if sequence != self.recorded + 1 {
            return Err(OrderError::Gap { expected: self.recorded + 1, got: sequence });
        }
        self.advance(report)?;
        self.recorded = sequence;
        Ok(Verdict::New)
    }

    fn advance(&mut self, report: &Report) -> Result<(), OrderError> {
        let log = matches!(report, Report::LogLines { .. });
        if self.done && !log {
            return Err(OrderError::AfterDone);
        }
        match report {
            Report::PhaseStarted { phase, .. } if self.running || self.phase.is_some_and(|last| last >= *phase) => {
                return Err(OrderError::Start(*phase));
            }
            Report::PhaseStarted { phase, .. } => (self.phase, self.running) = (Some(*phase), true),
            Report::PhaseEnded { phase, .. } if self.running() != Some(*phase) => {
                return Err(OrderError::End(*phase));
            }
            Report::PhaseEnded { .. } => self.running = false,
            Report::Done { .. } => self.done = true,
            Report::LogLines { .. } | Report::ExportedVariables { .. } | Report::Expressions { .. } => {}
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::protocol::{Context, PhaseStatus};

    fn started(phase: Phase) -> Report {
        Report::PhaseStarted { phase, time: 0 }
    }

    fn ended(phase: Phase) -> Report {
        Report::PhaseEnded {
            phase,
            time: 0,
            status: PhaseStatus::Succeeded,
            context: Context::default(),
            exit_code: None,
        }
    }

    fn log() -> Report {
        Report::LogLines { time: 0, data: "x\n".into() }
    }

    const DONE: Report = Report::Done { time: 0, status: PhaseStatus::Succeeded };

    #[test]
    fn repeated_reports_are_told_from_new_ones() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.accept(1, &started(Phase::Build)), Ok(Verdict::New));
        assert_eq!(inbox.running(), Some(Phase::Build));
        assert_eq!(inbox.accept(1, &started(Phase::Build)), Ok(Verdict::Repeated));
        assert_eq!(inbox.accept(3, &log()), Err(OrderError::Gap { expected: 2, got: 3 }));
        assert_eq!(inbox.recorded(), 1);
    }

    #[test]
    fn what_may_follow_what() {
        use Phase::{Build, Install, PostBuild};
        let table: &[(&[Report], Report, Option<OrderError>)] = &[
            (&[], started(Build), None),
            (&[], ended(Build), Some(OrderError::End(Build))),
            (&[started(Build)], started(PostBuild), Some(OrderError::Start(PostBuild))),
            (&[started(Build)], ended(Install), Some(OrderError::End(Install))),
            (&[started(Build), ended(Build)], started(Build), Some(OrderError::Start(Build))),
            (&[started(Build), ended(Build)], started(Install), Some(OrderError::Start(Install))),
            (&[started(Build), ended(Build)], started(PostBuild), None),
            (&[DONE], started(Build), Some(OrderError::AfterDone)),
            (&[DONE], DONE, Some(OrderError::AfterDone)),
            (&[DONE], log(), None),
        ];
        for (before, report, error) in table {
            let mut inbox = Inbox::default();
            for (n, earlier) in before.iter().enumerate() {
                inbox.accept(n as u64 + 1, earlier).unwrap();
            }
            let result = inbox.accept(before.len() as u64 + 1, report);
            assert_eq!(result.err(), *error, "{report:?} after {before:?}");
        }
    }

    #[test]
    fn the_inbox_survives_a_restart() {
        let mut inbox = Inbox::default();
        inbox.accept(1, &started(Phase::Build)).unwrap();
        let mut again: Inbox = serde_json::from_str(&serde_json::to_string(&inbox).unwrap()).unwrap();
        assert_eq!(again.accept(2, &ended(Phase::Build)), Ok(Verdict::New));
    }

    #[tokio::test]
    async fn another_version_is_refused() {
        let (agent, server) = tokio::io::duplex(4096);
        let hello = Hello { version: 99, ..Hello::default() };
        let (_, write) = tokio::io::split(agent);
        FrameWriter::new(write).send(FromAgent::Hello(hello)).await.unwrap();
        let error = greet(server, 0).await.err().unwrap();
        assert!(matches!(error, ServerError::Version(99)), "{error}");
    }
}
