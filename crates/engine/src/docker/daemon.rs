//! The daemon: who answers on the socket, and what its answers mean.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker as Client;
use bollard::errors::Error;
use bollard::models::{ContainerState, SystemVersion};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptions, RemoveContainerOptions, WaitContainerOptions,
};
use futures::StreamExt;
use tokio::time::Instant;

use super::socket::Address;
use crate::EngineError;

/// How long a daemon may take for its answer; images are pulled and containers waited for in streams, which may be longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a socket may take to show that somebody listens.
const GREETING: Duration = Duration::from_secs(3);

/// How long a container may be in a state that only Podman knows, and how often it is looked at meanwhile.
const SETTLING: Duration = Duration::from_secs(20);
const UNSETTLED: Duration = Duration::from_millis(20);

/// Whose daemon it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Docker's own, or one that is like it.
    Docker,
    /// Podman's, of this major version.
    Podman(u32),
}

/// A daemon that answers.
#[derive(Debug, Clone)]
pub(super) struct Daemon {
    pub(super) client: Client,
    pub(super) address: Address,
    pub(super) flavour: Flavour,
}

impl Daemon {
    /// Greets the daemon and agrees on a version of the API.
    pub(super) async fn connect(address: Address) -> Result<Self, EngineError> {
        let path = address.0.display().to_string();
        let greeted = async {
            let client = Client::connect_with_unix(&path, PATIENCE.as_secs(), bollard::API_DEFAULT_VERSION)?;
            let client = client.negotiate_version().await?;
            let flavour = flavour(&client.version().await?);
            Ok::<_, Error>((client, flavour))
        };
        let greeted = tokio::time::timeout(GREETING, greeted).await.unwrap_or(Err(Error::RequestTimeoutError));
        let (client, flavour) = greeted.map_err(|error| away(&address, &error))?;
        Ok(Self { client, address, flavour })
    }

    /// A container's state; `None` where the daemon knows no container of this name.
    pub(super) async fn state(&self, name: &str) -> Result<Option<ContainerState>, EngineError> {
        match settled(|| self.client.inspect_container(name, None::<InspectContainerOptions>)).await {
            Ok(found) => Ok(Some(found.state.unwrap_or_default())),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.failed("tell a container's state", &error)),
        }
    }

    /// How many bytes a container has written over its image; `None` where it does not run.
    pub(super) async fn written(&self, name: &str) -> Result<Option<u64>, EngineError> {
        let options = InspectContainerOptions { size: true };
        match settled(|| self.client.inspect_container(name, Some(options.clone()))).await {
            Ok(found) if found.state.as_ref().is_some_and(|state| state.running == Some(true)) => {
                Ok(Some(found.size_rw.and_then(|bytes| bytes.try_into().ok()).unwrap_or(0)))
            }
            Ok(_) => Ok(None),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.failed("count what a container has written", &error)),
        }
    }

    /// The labels of all containers, running and ended, that have this one.
    pub(super) async fn labelled(&self, label: String) -> Result<Vec<HashMap<String, String>>, EngineError> {
        let filters = Some(HashMap::from([("label".to_owned(), vec![label])]));
        let options = ListContainersOptions { all: true, filters, ..ListContainersOptions::default() };
        let listed = settled(|| self.client.list_containers(Some(options.clone()))).await;
        let listed = listed.map_err(|error| self.failed("list its containers", &error))?;
        Ok(listed.into_iter().filter_map(|container| container.labels).collect())
    }

    /// Waits until the container does not run; what is true then is asked for anew.
    pub(super) async fn until_stopped(&self, name: &str) {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let waited = self.client.wait_container(name, Some(options)).next().await;
        if !matches!(waited, Some(Ok(_) | Err(Error::DockerContainerWaitError { .. }))) {
            // The daemon is away, or gave up waiting: it is asked again, but not at once.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends and forgets a container with its anonymous volumes; one that is not there is no error.
    pub(super) async fn remove(&self, name: &str) -> Result<(), EngineError> {
        let options = || RemoveContainerOptions { v: true, force: true, link: false };
        loop {
            match self.client.remove_container(name, Some(options())).await {
                Ok(()) => return Ok(()),
                Err(error) if status(&error) == Some(404) => return Ok(()),
                // Somebody removes it already.
                Err(error) if status(&error) == Some(409) && self.state(name).await?.is_some() => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(self.failed("remove a container", &error)),
            }
        }
    }

    /// An answer that makes no sense of what was asked, or none at all.
    pub(super) fn failed(&self, action: &'static str, error: &Error) -> EngineError {
        match said(error) {
            Some(reason) => EngineError::Daemon { action, reason },
            None => away(&self.address, error),
        }
    }
}

/// Asks until the answer can be read: Podman has states that Docker's interface has no words for. A container that has just
/// ended is `stopped` until it is tidied up, and only then `exited`.
async fn settled<T, F: Future<Output = Result<T, Error>>>(ask: impl Fn() -> F) -> Result<T, Error> {
    let until = Instant::now() + SETTLING;
    loop {
        match ask().await {
            Err(Error::JsonDataError { .. }) if Instant::now() < until => tokio::time::sleep(UNSETTLED).await,
            answer => return answer,
        }
    }
}

/// The daemon does not answer.
fn away(address: &Address, error: &Error) -> EngineError {
    let reason = match error {
        Error::SocketNotFoundError(_) => "there is no such socket".to_owned(),
        other => cause(other),
    };
    EngineError::Unusable(format!(
        "the container daemon at {address} does not answer ({reason}): start it (`systemctl start docker`, or \
         `systemctl start podman.socket`), let this user reach its socket, or use --engine sandbox"
    ))
}

/// The innermost reason, which is the one that helps.
fn cause(error: &Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The daemon's own words, where it answered.
pub(super) fn said(error: &Error) -> Option<String> {
    match error {
        Error::DockerResponseServerError { message, .. } => Some(message.trim().to_owned()),
        Error::DockerStreamError { error } => Some(error.trim().to_owned()),
        Error::DockerContainerWaitError { error, .. } => Some(error.clone()),
        Error::JsonDataError { message, .. } => Some(format!("its answer cannot be read: {message}")),
        _ => None,
    }
}

/// The status of an answer that was a refusal.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Podman calls itself so among its components.
fn flavour(version: &SystemVersion) -> Flavour {
    let mut components = version.components.iter().flatten();
    match components.find(|component| component.name.contains("Podman")) {
        Some(podman) => {
            let major = podman.version.split('.').next().and_then(|major| major.parse().ok());
            Flavour::Podman(major.unwrap_or(4))
        }
        None => Flavour::Docker,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use bollard::models::SystemVersionComponents;

    use super::*;

    #[test]
    fn tells_podman_from_docker() {
        let version = |name: &str, version: &str| {
            let component = SystemVersionComponents { name: name.into(), version: version.into(), details: None };
            flavour(&SystemVersion { components: Some(vec![component]), ..SystemVersion::default() })
        };
        assert_eq!(version("Engine", "20.10.24+dfsg1"), Flavour::Docker);
        assert_eq!(version("Podman Engine", "5.4.2"), Flavour::Podman(5));
        assert_eq!(flavour(&SystemVersion::default()), Flavour::Docker);
    }

    #[tokio::test]
    async fn a_socket_without_a_daemon_is_told_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let address = Address(folder.path().join("docker.sock"));
        let text = Daemon::connect(address.clone()).await.unwrap_err().to_string();
        assert!(text.contains("no such socket") && text.contains("systemctl start docker"), "{text}");
        drop(std::os::unix::net::UnixListener::bind(&address.0).unwrap());
        let text = Daemon::connect(address).await.unwrap_err().to_string();
        assert!(text.contains("refused") && text.contains("--engine sandbox"), "{text}");
    }
}
