//! Docker or Podman.

use super::super::facts::Daemon;

/// The daemon that `--engine auto` would take, if one answers.
pub(super) async fn find() -> Option<Daemon> {
    let found = engine::docker::answering().await?;
    Some(Daemon { socket: found.socket, name: found.name, api: found.api })
}
