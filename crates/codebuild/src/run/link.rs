//! The agent's connection: accepted, greeted, lost and accepted again.

use std::time::Duration;

use agent::protocol::server::greet;
use agent::protocol::{FrameReader, FrameWriter, FromAgent, Hello, Report, ToAgent};
use futures::FutureExt;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::{UnixListener, UnixStream};

/// How long an agent may take for its greeting.
const GREETING: Duration = Duration::from_secs(10);

/// How long an agent may leave its messages unread; one that does longer is cut off.
const UNREAD: Duration = Duration::from_secs(30);

/// What comes from the agent.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// It connected (again) and holds this.
    Connected(Hello),
    /// A message.
    Message(FromAgent),
}

type Connection = (FrameReader<ReadHalf<UnixStream>>, FrameWriter<WriteHalf<UnixStream>>);

/// One build's way to its agent.
pub(crate) struct Link {
    unread: Duration,
    listener: UnixListener,
    held: Option<FromAgent>,
    connection: Option<Connection>,
}

impl Link {
    pub(crate) fn new(listener: UnixListener) -> Self {
        Self { unread: UNREAD, listener, held: None, connection: None }
    }

    /// The next message, or the next connection where there is none. `recorded` is the last report that is durable. Safe
    /// to drop: a greeting that is cut off is begun anew by the agent.
    pub(crate) async fn next(&mut self, recorded: u64) -> Incoming {
        if let Some(message) = self.held.take() {
            return Incoming::Message(message);
        }
        loop {
            if let Some((reader, _)) = &mut self.connection {
                match reader.next().await {
                    Ok(Some(message)) => return Incoming::Message(message),
                    Ok(None) => tracing::debug!("an agent's connection ended"),
                    Err(error) => tracing::warn!(%error, "an agent's connection broke"),
                }
                self.connection = None;
            }
            if let Some(hello) = self.accept(recorded).await {
                return Incoming::Connected(hello);
            }
        }
    }

    /// The next report with its number, if it is there already. Any other message is left to [`Link::next`].
    pub(crate) fn ready_report(&mut self) -> Option<(u64, Report)> {
        if self.held.is_some() {
            return None;
        }
        let (reader, _) = self.connection.as_mut()?;
        // An end or error of the stream is left to `next`, too, which finds it again.
        match reader.next().now_or_never()?.ok().flatten()? {
            FromAgent::Report { sequence, report } => Some((sequence, report)),
            other => {
                self.held = Some(other);
                None
            }
        }
    }

    /// Waits for the first greeting; an agent that says more than that is none of ours.
    pub(crate) async fn greeting(&mut self) -> Option<Hello> {
        match self.next(0).await {
            Incoming::Connected(hello) => Some(hello),
            Incoming::Message(_) => None,
        }
    }

    /// Whether the agent is connected and has said nothing since its greeting, as one that waits for a build.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let Some((reader, _)) = &mut self.connection else { return false };
        self.held.is_none() && reader.next::<FromAgent>().now_or_never().is_none()
    }

    async fn accept(&mut self, recorded: u64) -> Option<Hello> {
        let stream = match self.listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept an agent's connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                return None;
            }
        };
        match tokio::time::timeout(GREETING, greet(stream, recorded)).await {
            Ok(Ok((reader, writer, hello))) => {
                self.connection = Some((reader, writer));
                Some(hello)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "an agent's greeting was refused");
                None
            }
            Err(_) => None,
        }
    }

    /// Sends a message; `false` where the connection is lost, or the agent leaves it unread for too long. Then
    /// [`Link::next`] tells of the next connection, and what the agent lacks is to be sent again.
    pub(crate) async fn send(&mut self, message: ToAgent) -> bool {
        let unread = self.unread;
        match tokio::time::timeout(unread, self.stream(message)).await {
            Ok(sent) => sent,
            Err(_) => {
                tracing::warn!("an agent does not read what it is sent");
                // A frame that is cut half-way does no harm: its connection goes.
                self.connection = None;
                false
            }
        }
    }

    /// As [`Link::send`], but an agent that unpacks something may take its time: only for work that the end of the
    /// build cuts off.
    pub(crate) async fn stream(&mut self, message: ToAgent) -> bool {
        let Some((_, writer)) = &mut self.connection else { return false };
        match writer.send(message).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "cannot write to an agent");
                self.connection = None;
                false
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use agent::protocol::{ArchiveFormat, Phase, SourceTarget, VERSION};
    use tempfile::TempDir;

    use super::*;

    /// An agent as the test plays it.
    struct Agent(FrameReader<ReadHalf<UnixStream>>, FrameWriter<WriteHalf<UnixStream>>);

    impl Agent {
        async fn connect(folder: &TempDir, version: u16) -> Self {
            let stream = UnixStream::connect(folder.path().join("s")).await.unwrap();
            let (read, write) = tokio::io::split(stream);
            let mut agent = Self(FrameReader::new(read), FrameWriter::new(write));
            agent.1.send(FromAgent::Hello(Hello { version, ..Hello::default() })).await.unwrap();
            agent
        }

        async fn report(&mut self, sequence: u64) {
            let report = Report::PhaseStarted { phase: Phase::Build, time: 0 };
            self.1.send(FromAgent::Report { sequence, report }).await.unwrap();
        }

        async fn other(&mut self) {
            self.1.send(FromAgent::SourceUnpacked { index: 7, error: None }).await.unwrap();
        }
    }

    fn link() -> (TempDir, Link) {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        (folder, Link::new(listener))
    }

    #[tokio::test]
    async fn reports_that_are_there_are_taken_together_and_nothing_else_is_lost() {
        let (folder, mut link) = link();
        let mut agent = Agent::connect(&folder, VERSION).await;
        assert!(matches!(link.next(4).await, Incoming::Connected(_)));
        assert!(matches!(agent.0.next().await.unwrap(), Some(ToAgent::Welcome { recorded: 4, .. })));
        agent.report(5).await;
        agent.report(6).await;
        agent.other().await;
        agent.report(7).await;
        assert!(matches!(link.next(4).await, Incoming::Message(FromAgent::Report { sequence: 5, .. })));
        assert_eq!(link.ready_report().map(|(sequence, _)| sequence), Some(6));
        assert!(link.ready_report().is_none() && link.ready_report().is_none());
        assert!(matches!(link.next(6).await, Incoming::Message(FromAgent::SourceUnpacked { index: 7, .. })));
        assert!(matches!(link.next(6).await, Incoming::Message(FromAgent::Report { sequence: 7, .. })));
    }

    #[tokio::test]
    async fn a_lost_connection_is_followed_by_the_next_one() {
        let (folder, mut link) = link();
        assert!(!link.send(ToAgent::Finish).await);
        let agent = Agent::connect(&folder, VERSION).await;
        assert!(matches!(link.next(0).await, Incoming::Connected(_)));
        drop(agent);
        let stranger = Agent::connect(&folder, VERSION + 1).await;
        let mut again = Agent::connect(&folder, VERSION).await;
        assert!(matches!(link.next(0).await, Incoming::Connected(Hello { version: VERSION, .. })));
        assert!(link.send(ToAgent::Finish).await);
        again.0.next::<ToAgent>().await.unwrap();
        assert_eq!(again.0.next().await.unwrap(), Some(ToAgent::Finish));
        drop(stranger);
    }

    #[tokio::test]
    async fn an_agent_that_waits_says_nothing_and_stays() {
        let (folder, mut link) = link();
        assert!(!link.is_quiet(), "nobody is there yet");
        let mut agent = Agent::connect(&folder, VERSION).await;
        assert_eq!(link.greeting().await.map(|hello| hello.version), Some(VERSION));
        assert!(link.is_quiet());
        agent.other().await;
        while link.is_quiet() {
            tokio::task::yield_now().await;
        }
        drop(agent);
        let gone = Agent::connect(&folder, VERSION).await;
        assert!(matches!(link.next(0).await, Incoming::Connected(_)));
        drop(gone);
        while link.is_quiet() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_agent_that_does_not_read_is_cut_off() {
        let (folder, link) = link();
        let mut link = Link { unread: Duration::from_millis(50), ..link };
        let deaf = Agent::connect(&folder, VERSION).await;
        assert!(matches!(link.next(0).await, Incoming::Connected(_)));
        let target = SourceTarget { index: 0, path: "/s".into(), format: ArchiveFormat::Tar };
        let chunk =
            |offset| ToAgent::SourceChunk { target: target.clone(), offset, last: false, data: vec![0; 65_536].into() };
        let mut sent = 0;
        while link.send(chunk(sent)).await {
            sent += 65_536;
        }
        assert!(sent < 64 << 20, "it stops");
        drop(deaf);
    }
}
