//! `git-receive-pack`: a push.
//!
//! What it will change is written down first, then Git changes it, then the changes are announced, and only then
//! does the client see the end of the answer: whoever pushed finds the new state in the API, and the event is out.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use ::http::{Request, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use kernel::{CommitError, Document};
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::sync::OwnedSemaphorePermit;

use super::body::{Incoming, Outgoing, outgoing, send};
use super::upload_pack::LONGEST;
use super::{Body, BoxError, Exchange, answer, failure};
use crate::Service;
use crate::model::{Command, Push};
use crate::rules::commands::{self, Commands, Refused};
use crate::run::PATIENCE;
use crate::service::InProgress;

impl Service {
    pub(super) async fn receive_pack<B>(
        &self,
        exchange: &Exchange<'_>,
        request: Request<B>,
    ) -> Result<Response<Body>, Response<Body>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let mut incoming = Incoming::new(&parts.headers, body);
        let (head, commands) = match read_commands(&mut incoming).await {
            Ok(read) => read,
            Err(error) => return Ok(answer(exchange.program, "result", told(&error))),
        };
        let git = self.start_receiving(exchange).await?;
        let push = self.note_push(exchange, &commands).await.map_err(failure)?;
        kernel::crash_point!("codecommit_after_push_note");
        let (sender, body) = outgoing();
        let receiving = Receiving { service: self.clone(), git, head, incoming, sender };
        tokio::spawn(receiving.run(exchange.scope.clone(), push, commands));
        Ok(answer(exchange.program, "result", body))
    }

    async fn start_receiving(&self, exchange: &Exchange<'_>) -> Result<Running, Response<Body>> {
        let folder = self.git.ensure(&exchange.repository.id).await.map_err(failure)?;
        let turn = Arc::clone(&self.git.processes).acquire_owned().await.map_err(failure)?;
        let mut command = self.git.command(&folder);
        command.args(["receive-pack", "--stateless-rpc", "."]).stdin(Stdio::piped()).stderr(Stdio::null());
        if let Some(protocol) = &exchange.protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        Ok(Running { process: command.spawn().map_err(failure)?, _turn: turn })
    }

    /// Writes down what the push is about to change; nothing for a probe that changes nothing.
    async fn note_push(
        &self,
        exchange: &Exchange<'_>,
        commands: &[Command],
    ) -> Result<Option<(Push, InProgress)>, CommitError> {
        if commands.is_empty() {
            return Ok(None);
        }
        let push = Push {
            repository: exchange.repository.id.clone(),
            id: self.ids.time_ordered(),
            caller_arn: exchange.caller.arn(),
            commands: commands.iter().take(Push::MOST_COMMANDS).cloned().collect(),
            due: self.clock.now() + PATIENCE,
        };
        let in_progress = self.pushing.begin(push.key());
        self.documents.insert(&exchange.scope, push.clone()).await?;
        Ok(Some((push, in_progress)))
    }
}

/// Reads as much of the body as holds all commands; gives it back with them. A body that comes in crumbs is not read
/// from its beginning for each of them, but when a quarter more of it is there or it has ended.
async fn read_commands(incoming: &mut Incoming) -> Result<(Bytes, Vec<Command>), Refused> {
    let (mut head, mut enough) = (BytesMut::new(), 0);
    loop {
        let more = incoming.next().await.map_err(|_| Refused::Malformed("its body broke off"))?;
        head.extend_from_slice(more.as_deref().unwrap_or_default());
        if more.is_some() && head.len() < enough {
            continue;
        }
        if let Commands::Complete(commands) = commands::parse(&head)? {
            return Ok((head.freeze(), commands));
        }
        more.ok_or(Refused::Malformed("it ends before its commands do"))?;
        enough = head.len() + head.len() / 4;
    }
}

/// A refusal in the protocol: band 3 is what git shows its user as the remote's error.
fn told(error: &Refused) -> Body {
    let text = format!("\u{3}{error}\n");
    let packet = format!("{:04x}{text}0000", text.len() + 4);
    Full::new(Bytes::from(packet)).map_err(|never| match never {}).boxed()
}

/// A `git receive-pack` with its turn.
struct Running {
    process: Child,
    _turn: OwnedSemaphorePermit,
}

/// A push on its way through Git.
struct Receiving {
    service: Service,
    git: Running,
    head: Bytes,
    incoming: Incoming,
    sender: Outgoing,
}

impl Receiving {
    /// Lets Git take the push and announces what came of it, whatever became of the client meanwhile.
    async fn run(mut self, scope: kernel::Scope, push: Option<(Push, InProgress)>, commands: Vec<Command>) {
        let deadline = self.service.clock.now() + LONGEST;
        let clock = Arc::clone(&self.service.clock);
        let mut received = tokio::select! {
            received = self.receive() => received,
            () = clock.sleep_until(deadline) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        };
        if let Err(error) = &received {
            tracing::info!(%error, "a push was broken off");
            // Without Git there is nothing that could still change.
            let _ = self.git.process.kill().await;
        }
        kernel::crash_point!("codecommit_after_receive_pack");
        if let Some((push, _in_progress)) = &push {
            let names: Option<Vec<String>> = (commands.len() <= Push::MOST_COMMANDS)
                .then(|| commands.iter().map(|command| command.name.clone()).collect());
            let id = &push.repository;
            if let Err(error) = self.service.announce(&scope, id, names.as_deref(), Some(push)).await {
                // The note of the push is still there: it is settled when it is due. Whoever is told that it is done finds it
                // in the API; so this one is not told.
                tracing::error!(%error, repository = id, "cannot announce a push yet");
                received = received.and_then(|()| Err(io::Error::other("the push is not announced")));
            }
        }
        if let Err(error) = received {
            let _ = self.sender.send(Err(error)).await;
        }
    }

    /// A client that is gone before it sent everything makes Git find an early end and change nothing; one that
    /// does not wait for the answer does not stop the push.
    async fn receive(&mut self) -> io::Result<()> {
        let process = &mut self.git.process;
        let pipes = (process.stdin.take(), process.stdout.take());
        let (Some(mut stdin), Some(mut stdout)) = pipes else { return Err(io::Error::other("no pipes")) };
        let (head, incoming) = (&self.head, &mut self.incoming);
        let poured = async {
            stdin.write_all(head).await?;
            incoming.pour(stdin).await
        };
        let sender = &self.sender;
        let sent = async {
            if send(&mut stdout, sender).await.is_err() {
                tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await?;
            }
            Ok::<_, io::Error>(())
        };
        let (poured, sent) = tokio::join!(poured, sent);
        process.wait().await?;
        sent?;
        // Git may refuse and leave before it has read everything; its answer says so.
        poured.or_else(super::upload_pack::closed_early)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use ::http::HeaderMap;

    use super::*;

    #[tokio::test]
    async fn a_refusal_is_a_packet_on_band_three() {
        let body = told(&Refused::TooMany).collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"004b\x03a push can change at most 4000"), "{body:?}");
        assert!(body.ends_with(b"\n0000"));
    }

    #[tokio::test]
    async fn a_body_that_ends_before_its_commands_is_refused() {
        let mut incoming = Incoming::new(&HeaderMap::new(), Full::new(Bytes::from("00a0")));
        assert!(matches!(read_commands(&mut incoming).await, Err(Refused::Malformed(_))));
        let mut probe = Incoming::new(&HeaderMap::new(), Full::new(Bytes::from("0000")));
        assert_eq!(read_commands(&mut probe).await.unwrap(), (Bytes::from("0000"), vec![]));
    }

    #[tokio::test]
    async fn a_body_may_come_byte_by_byte() {
        let name = "x".repeat(200);
        let line = format!("{0} {1} refs/heads/{name}", "0".repeat(40), "1".repeat(40));
        let body = format!("{:04x}{line}", line.len() + 4).repeat(commands::MOST_COMMANDS) + "0000";
        let bytes: Vec<_> =
            body.bytes().map(|byte| Ok::<_, io::Error>(http_body::Frame::data(Bytes::from(vec![byte])))).collect();
        let crumbs = http_body_util::StreamBody::new(futures::stream::iter(bytes));
        let mut incoming = Incoming::new(&HeaderMap::new(), crumbs);
        // In the square of its length, this would take minutes.
        let (head, commands) = read_commands(&mut incoming).await.unwrap();
        assert_eq!((head.len(), commands.len()), (body.len(), commands::MOST_COMMANDS));
        assert_eq!(incoming.next().await.unwrap(), None, "nothing is left");
    }
}
