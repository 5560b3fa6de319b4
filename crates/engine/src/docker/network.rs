//! What containers of this engine can reach.

use std::collections::HashMap;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::ListNetworksOptions;
use tokio::sync::Mutex;

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

/// The daemon's network for a container; made where it is missing. One at a time: daemons let two have one name, and then
/// start containers in neither.
pub(super) async fn ensure(
    daemon: &Daemon,
    wanted: Network,
    asked: WayOut,
    alone: &Mutex<()>,
) -> Result<String, EngineError> {
    match (wanted, way_out(daemon.flavour, asked)) {
        (Network::LoopbackOnly, _) | (_, None) => Ok("none".to_owned()),
        (Network::Outside, Some("bridge")) => {
            let _alone = alone.lock().await;
            bridge(daemon).await
        }
        (Network::Outside, Some(own)) => Ok(own.to_owned()),
    }
}

/// The id of Landfall's own bridge.
async fn bridge(daemon: &Daemon) -> Result<String, EngineError> {
    if let Some(id) = the_only(daemon).await? {
        return Ok(id);
    }
    let request = NetworkCreateRequest {
        name: NAME.to_owned(),
        driver: Some("bridge".to_owned()),
        options: Some(HashMap::from([(APART.to_owned(), "false".to_owned())])),
        labels: Some(HashMap::from([("landfall.network".to_owned(), NAME.to_owned())])),
        ..NetworkCreateRequest::default()
    };
    let made = daemon.client.create_network(request).await;
    // Another server may have made it at the same moment, so the look decides.
    match (the_only(daemon).await?, made) {
        (Some(id), _) => Ok(id),
        (None, Ok(made)) => Ok(made.id),
        (None, Err(error)) => Err(daemon.failed("make a network", &error)),
    }
}

/// The network of that name that keeps its containers apart; where two servers made one each, the first by id. The other is
/// removed, by both servers alike.
async fn the_only(daemon: &Daemon) -> Result<Option<String>, EngineError> {
    let filters = HashMap::from([("name".to_owned(), vec![NAME.to_owned()])]);
    let listed = daemon.client.list_networks(Some(ListNetworksOptions { filters: Some(filters) })).await;
    let listed = listed.map_err(|error| daemon.failed("list its networks", &error))?;
    let ours = listed.into_iter().filter(|network| {
        let mut options = network.options.iter().flatten();
        network.name.as_deref() == Some(NAME) && options.any(|(name, value)| name == APART && value == "false")
    });
    let mut ids: Vec<_> = ours.filter_map(|network| network.id).collect();
    ids.sort();
    let mut ids = ids.into_iter();
    let first = ids.next();
    for surplus in ids {
        // It is gone already, or something runs in it, which then says so.
        let _ = daemon.client.remove_network(&surplus).await;
    }
    Ok(first)
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
