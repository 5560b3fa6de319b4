//! A build's artifact: which files ([`select`]), and their zip ([`pack`]), streamed to the server.

mod pack;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod properties;
mod select;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::log::Log;
use crate::protocol::client::Link;
use crate::protocol::{ArtifactRequest, Context, FromAgent};

use select::select;

/// Packs and sends one artifact, and says in the log what went into it.
pub(super) async fn send(link: Link, request: ArtifactRequest) {
    let number = request.request;
    let (files, size, error) = match pack_and_send(&link, request).await {
        Ok((files, size)) => (files, size, None),
        Err(error) => (0, 0, Some(error)),
    };
    link.answer(FromAgent::ArtifactEnd { request: number, files, size, error }).await;
}

async fn pack_and_send(link: &Link, request: ArtifactRequest) -> Result<(u64, u64), Context> {
    let number = request.request;
    let mut log = Log::new(link.clone(), &[]);
    let selection = spawn_blocking(move || select(&request)).await.map_err(broke_off)?;
    for line in &selection.lines {
        log.container(line).await;
    }
    if selection.files.is_empty() {
        return Err(Context::new("CLIENT_ERROR", "no matching artifact paths found"));
    }
    let files = selection.files.len() as u64;
    let (sender, mut pieces) = mpsc::channel::<Bytes>(2);
    let thread = spawn_blocking(move || pack::pack(&selection.files, sender));
    let mut offset = 0;
    while let Some(data) = pieces.recv().await {
        let length = data.len() as u64;
        link.answer(FromAgent::ArtifactChunk { request: number, offset, data }).await;
        offset += length;
    }
    thread.await.map_err(broke_off)?.map_err(|error| Context::new("CLIENT_ERROR", error.to_string()))?;
    Ok((files, offset))
}

fn broke_off(error: tokio::task::JoinError) -> Context {
    Context::new("CLIENT_ERROR", format!("packing the artifact broke off: {error}"))
}
