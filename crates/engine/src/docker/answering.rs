//! Which daemon answers here, for those who only want to know.

use super::daemon::{Daemon, Flavour};
use super::socket;

/// A daemon of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answering {
    /// `unix:///var/run/docker.sock`.
    pub socket: String,
    /// Whose it is, with its version: `Docker 20.10.24`.
    pub name: String,
    /// The version of the API that both sides speak, such as `1.41`.
    pub api: String,
}

/// The first daemon that answers in the usual places, or where `DOCKER_HOST` says. Nothing is changed there.
pub async fn answering() -> Option<Answering> {
    let candidates = socket::candidates(None, |name| std::env::var(name).ok()).ok()?;
    for place in socket::present(&candidates) {
        let Ok(daemon) = Daemon::connect(place).await else { continue };
        let version = daemon.client.version().await.ok().and_then(|version| version.version).unwrap_or_default();
        let flavour = if daemon.flavour == Flavour::Docker { "Docker" } else { "Podman" };
        return Some(Answering {
            socket: daemon.address.to_string(),
            name: format!("{flavour} {version}").trim_end().to_owned(),
            api: daemon.client.client_version().to_string(),
        });
    }
    None
}
