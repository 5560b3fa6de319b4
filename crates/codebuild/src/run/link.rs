//! The agent's connection: accepted, greeted, lost and accepted again.

use std::time::Duration;

use agent::protocol::server::greet;
use agent::protocol::{FrameReader, FrameWriter, FromAgent, Hello, Report, ToAgent};
use futures::FutureExt;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::{UnixListener, UnixStream};

/// How long an agent may take for its greeting.
const GREETING: Duration = Duration::from_secs(10);

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
    listener: UnixListener,
    held: Option<FromAgent>,
    connection: Option<Connection>,
}

impl Link {
    pub(crate) fn new(listener: UnixListener) -> Self {
        Self { listener, held: None, connection: None }
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

    /// Sends a message; `false` where the connection is lost. Then [`Link::next`] tells of the next one, and what the
    /// agent lacks is to be sent again.
    pub(crate) async fn send(&mut self, message: ToAgent) -> bool {
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
