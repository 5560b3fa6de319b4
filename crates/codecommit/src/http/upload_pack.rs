//! `git-upload-pack`: clone and fetch.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use tokio::process::Child;

use super::body::{Incoming, Outgoing, outgoing, send};
use super::{Body, BoxError, Exchange, answer, failure};
use crate::Service;

/// The longest that one request of Git may take.
pub(super) const LONGEST: Duration = Duration::from_secs(3_600);

impl Service {
    pub(super) async fn upload_pack<B>(
        &self,
        exchange: &Exchange<'_>,
        request: Request<B>,
    ) -> Result<Response<Body>, Response<Body>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let folder = self.git.ensure(&exchange.repository.id).await.map_err(failure)?;
        let turn = std::sync::Arc::clone(&self.git.processes).acquire_owned().await.map_err(failure)?;
        let mut command = self.git.command(&folder);
        command.args(["upload-pack", "--stateless-rpc", "--strict", "."]).stdin(Stdio::piped()).stderr(Stdio::null());
        if let Some(protocol) = &exchange.protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        let git = command.spawn().map_err(failure)?;
        let (parts, body) = request.into_parts();
        let incoming = Incoming::new(&parts.headers, body);
        let (sender, body) = outgoing();
        let (clock, deadline) = (std::sync::Arc::clone(&self.clock), self.clock.now() + LONGEST);
        tokio::spawn(async move {
            let _turn = turn;
            tokio::select! {
                () = serve(git, incoming, sender) => {}
                () = clock.sleep_until(deadline) => tracing::warn!("a fetch took too long and was stopped"),
            }
        });
        Ok(answer(exchange.program, "result", body))
    }
}

/// Pours the request into `git` and its output into the answer. A client that is gone ends it: `git` is killed when
/// dropped.
async fn serve(mut git: Child, mut incoming: Incoming, sender: Outgoing) {
    let exchanged = exchange(&mut git, &mut incoming, &sender).await;
    if let Err(error) = exchanged {
        tracing::debug!(%error, "a fetch was broken off");
        // The reader is gone, or learns here that the answer is not whole.
        let _ = sender.send(Err(error)).await;
    }
}

async fn exchange(git: &mut Child, incoming: &mut Incoming, sender: &Outgoing) -> io::Result<()> {
    let pipes = (git.stdin.take(), git.stdout.take());
    let (Some(stdin), Some(stdout)) = pipes else { return Err(io::Error::other("no pipes")) };
    // Git may answer and leave before it has read everything.
    let poured = async { incoming.pour(stdin).await.or_else(closed_early) };
    tokio::try_join!(poured, send(stdout, sender))?;
    let status = git.wait().await?;
    // A fault of the client's (a want that is not there) was told to it in the protocol.
    tracing::debug!(%status, "a fetch ended");
    Ok(())
}

pub(super) fn closed_early(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}
