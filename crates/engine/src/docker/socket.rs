//! Where the daemon listens.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::EngineError;

/// A Unix socket on which a Docker or Podman daemon may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address(pub(super) PathBuf);

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unix://{}", self.0.display())
    }
}

/// Where to look, best first. What the operator names (the option, or else DOCKER_HOST) is the only place then.
///
/// # Errors
/// Where the operator names something that is no Unix socket.
pub(super) fn candidates(
    named: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Address>, EngineError> {
    let not_empty = |text: &String| !text.is_empty();
    if let Some(named) = named {
        return Ok(vec![parse(named, "--docker-host")?]);
    }
    if let Some(named) = variable("DOCKER_HOST").filter(not_empty) {
        return Ok(vec![parse(&named, "DOCKER_HOST")?]);
    }
    let mut places = vec![PathBuf::from("/var/run/docker.sock")];
    if let Some(own) = variable("XDG_RUNTIME_DIR").filter(not_empty).map(PathBuf::from) {
        places.extend(["docker.sock", "podman/podman.sock"].map(|name| own.join(name)));
    }
    places.push("/run/podman/podman.sock".into());
    Ok(places.into_iter().map(Address).collect())
}

/// Only sockets of this machine: containers see the agent and its sockets by bind mounts, which a daemon elsewhere cannot
/// make.
fn parse(text: &str, said_by: &str) -> Result<Address, EngineError> {
    let path = text.strip_prefix("unix://").unwrap_or(text);
    if Path::new(path).is_absolute() {
        return Ok(Address(PathBuf::from(path)));
    }
    Err(EngineError::Unusable(format!(
        "{said_by} is {text:?}, but engine `docker` needs a daemon on this machine, whose containers see its files: \
         name its socket, for example unix:///var/run/docker.sock, or use --engine sandbox"
    )))
}

/// Those candidates that are sockets at all.
pub(super) fn present(candidates: &[Address]) -> Vec<Address> {
    let is_socket = |address: &&Address| address.0.metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
    candidates.iter().filter(is_socket).cloned().collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn paths(named: Option<&str>, variables: &[(&str, &str)]) -> Vec<String> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        candidates(named, variable).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_operator_names_is_the_only_place() {
        let variables = [("DOCKER_HOST", "unix:///d.sock"), ("XDG_RUNTIME_DIR", "/run/user/7")];
        assert_eq!(paths(Some("/o.sock"), &variables), ["unix:///o.sock"]);
        assert_eq!(paths(None, &variables), ["unix:///d.sock"]);
    }

    #[test]
    fn else_the_usual_places_docker_first() {
        let usual = ["unix:///var/run/docker.sock", "unix:///run/podman/podman.sock"];
        assert_eq!(paths(None, &[("DOCKER_HOST", "")]), usual);
        let own = ["unix:///run/user/7/docker.sock", "unix:///run/user/7/podman/podman.sock"];
        assert_eq!(paths(None, &[("XDG_RUNTIME_DIR", "/run/user/7")]), [usual[0], own[0], own[1], usual[1]]);
    }

    #[test]
    fn a_daemon_elsewhere_is_refused_with_the_fix() {
        for elsewhere in ["tcp://10.0.0.1:2375", "ssh://host", "docker.sock", "unix://relative"] {
            let text = parse(elsewhere, "DOCKER_HOST").unwrap_err().to_string();
            assert!(text.contains(elsewhere) && text.contains("unix:///var/run/docker.sock"), "{text}");
        }
    }

    #[test]
    fn only_sockets_count() {
        let folder = tempfile::tempdir().unwrap();
        let [socket, file] = ["a.sock", "b.sock"].map(|name| Address(folder.path().join(name)));
        let _listener = std::os::unix::net::UnixListener::bind(&socket.0).unwrap();
        std::fs::write(&file.0, "").unwrap();
        let missing = Address(folder.path().join("c.sock"));
        assert_eq!(present(&[missing, file, socket.clone()]), [socket]);
    }
}
