//! Where the build's AWS clients find the temporary credentials of its role.

use std::collections::BTreeMap;
use std::path::Path;

use crate::forward;

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// How the credentials socket can be reached from inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// At 169.254.170.2, as in CodeBuild.
    Usual,
    /// At this port of 127.0.0.1: the usual address cannot be had here.
    Loopback(u16),
    /// Not at all.
    None,
}

/// Forwards the usual address, else one on loopback.
pub(super) async fn serve(sockets: &Path) -> Credentials {
    let socket = sockets.join("credentials.sock");
    if !socket.exists() {
        return Credentials::None;
    }
    if forward::forward(forward::CREDENTIALS_ADDRESS, socket.clone()).await.is_ok() {
        return Credentials::Usual;
    }
    match forward::forward("127.0.0.1:0", socket).await {
        Ok(address) => Credentials::Loopback(address.port()),
        Err(_) => Credentials::None,
    }
}

impl Credentials {
    /// Rewrites the job's variables for an address that is not the usual one. The path holds a random
    /// identifier, which is the token.
    pub(super) fn apply(&self, environment: &mut BTreeMap<String, String>) {
        if let Self::Loopback(port) = self
            && let Some(path) = environment.remove(RELATIVE)
        {
            environment.insert(FULL.into(), format!("http://127.0.0.1:{port}{path}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_address_is_told_to_the_clients() {
        let given = BTreeMap::from([(RELATIVE.to_owned(), "/v2/credentials/1".to_owned())]);
        let mut usual = given.clone();
        Credentials::Usual.apply(&mut usual);
        assert_eq!(usual, given);
        let mut loopback = given;
        Credentials::Loopback(99).apply(&mut loopback);
        assert_eq!(loopback, BTreeMap::from([(FULL.to_owned(), "http://127.0.0.1:99/v2/credentials/1".to_owned())]));
    }
}
