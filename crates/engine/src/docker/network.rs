//! What containers of this engine can reach.

use std::collections::HashMap;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::ListNetworksOptions;

use super::daemon::{Daemon, Flavour};
use crate::{EngineError, Network, WayOut};

/// Docker's network for all of Landfall's containers that may reach others.
const NAME: &str = "landfall-builds";
/// Its option by which the containers on it do not reach each other.
const APART: &str = "com.docker.network.bridge.enable_icc";

/// How containers with a way out go.
pub(super) fn way_out(flavour: Flavour, asked: WayOut) -> Option<&'static str> {
    match (asked, flavour) {
        (WayOut::None, _) => None,
        (_, Flavour::Docker) => Some("bridge"),
        // A process for each container makes its connections anew, on none of the machine's loopback: so there is no
        // common bridge on which containers could see each other.
        (_, Flavour::Podman(major)) if major >= 5 => Some("pasta"),
        (_, Flavour::Podman(_)) => Some("slirp4netns"),
    }
}

/// The daemon's network for a container; made where it is missing.
pub(super) async fn ensure(daemon: &Daemon, wanted: Network, asked: WayOut) -> Result<String, EngineError> {
    match (wanted, way_out(daemon.flavour, asked)) {
        (Network::LoopbackOnly, _) | (_, None) => Ok("none".to_owned()),
        (Network::Outside, Some("bridge")) => bridge(daemon).await,
        (Network::Outside, Some(own)) => Ok(own.to_owned()),
    }
}

/// The id of Landfall's own bridge. By id, because names are not unique: two servers may have made it at once.
async fn bridge(daemon: &Daemon) -> Result<String, EngineError> {
    if let Some(id) = find(daemon).await? {
        return Ok(id);
    }
    let request = NetworkCreateRequest {
        name: NAME.to_owned(),
        driver: Some("bridge".to_owned()),
        options: Some(HashMap::from([(APART.to_owned(), "false".to_owned())])),
        labels: Some(HashMap::from([("landfall.network".to_owned(), NAME.to_owned())])),
        ..NetworkCreateRequest::default()
    };
    match daemon.client.create_network(request).await {
        Ok(made) => Ok(made.id),
        Err(error) => find(daemon).await?.ok_or_else(|| daemon.failed("make a network", &error)),
    }
}

/// One that keeps its containers apart; a network of that name that does not is somebody else's.
async fn find(daemon: &Daemon) -> Result<Option<String>, EngineError> {
    let filters = HashMap::from([("name".to_owned(), vec![NAME.to_owned()])]);
    let listed = daemon.client.list_networks(Some(ListNetworksOptions { filters: Some(filters) })).await;
    let listed = listed.map_err(|error| daemon.failed("list its networks", &error))?;
    let ours = listed.into_iter().filter(|network| {
        let mut options = network.options.iter().flatten();
        network.name.as_deref() == Some(NAME) && options.any(|(name, value)| name == APART && value == "false")
    });
    Ok(ours.filter_map(|network| network.id).min())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_out_by_daemon() {
        assert_eq!(way_out(Flavour::Docker, WayOut::Auto), Some("bridge"));
        assert_eq!(way_out(Flavour::Podman(4), WayOut::Veth), Some("slirp4netns"));
        assert_eq!(way_out(Flavour::Podman(5), WayOut::Auto), Some("pasta"));
        assert_eq!(way_out(Flavour::Docker, WayOut::None), None);
    }
}
