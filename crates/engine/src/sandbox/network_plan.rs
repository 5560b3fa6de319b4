//! Which addresses a container's way out has, what it cannot reach, and whom it asks for names: rules over what is around.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use agent::shim::network::{Addresses, LINK_LOCAL, Prefix, Way};

use super::network_machine::Surroundings;

/// Networks of /24 for a container and its helper; the first is `slirp4netns`'s own.
const HELPED: [[u8; 3]; 6] = [[10, 0, 2], [10, 177, 2], [172, 29, 2], [192, 168, 231], [10, 93, 2], [172, 21, 93]];
/// Networks of /16 for the containers of a machine.
const PAIRED: [[u8; 2]; 5] = [[10, 213], [10, 177], [172, 29], [10, 93], [172, 21]];
/// Where Amazon's machines find their credentials by IPv6.
const AMAZON: Prefix = Prefix { address: IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0)), bits: 32 };

/// See the module's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) addresses: Addresses,
    /// What cannot be reached: the machine itself, and where clouds tell their machines' credentials.
    pub(super) closed: Vec<Prefix>,
    /// Of the machine's name servers, those that the container can ask.
    pub(super) name_servers: Vec<IpAddr>,
    /// The helper is the name server.
    pub(super) passes_names: bool,
}

/// Plans the way. None where every network that could be taken overlaps one that the machine has.
pub(super) fn plan(way: &Way, around: &Surroundings) -> Option<Plan> {
    let helped = !matches!(way, Way::Veth(_));
    let ipv6 = around.ipv6 && matches!(way, Way::Pasta(_));
    let network = if helped {
        free(around, 24, HELPED.iter().map(|[a, b, c]| Ipv4Addr::new(*a, *b, *c, 0)))
    } else {
        free(around, 16, PAIRED.iter().map(|[a, b]| Ipv4Addr::new(*a, *b, 0, 0)))
    };
    let addresses = Addresses { network: network?, ipv6 };
    let mut closed: Vec<Prefix> = vec![Prefix::from(LINK_LOCAL)];
    closed.extend(ipv6.then_some(AMAZON));
    let own = around.addresses.iter().filter(|address| address.is_ipv4() || ipv6);
    closed.extend(own.map(|address| Prefix::host(*address)));
    let mut name_servers = name_servers(around, helped, ipv6, &closed);
    let passes_names = helped && name_servers.is_empty();
    name_servers.extend(passes_names.then(|| IpAddr::from(addresses.name_server())));
    Some(Plan { addresses, closed, name_servers, passes_names })
}

/// The first network that is none of the machine's.
fn free(around: &Surroundings, bits: u8, mut networks: impl Iterator<Item = Ipv4Addr>) -> Option<Ipv4Addr> {
    let own = around.addresses.iter().chain(&around.resolver.servers).map(|address| Prefix::host(*address));
    // Addresses of pairs are within the very network that is looked for.
    let ours = |prefix: &Prefix| bits == 16 && prefix.bits == 32 && is_router(prefix.address);
    let taken: Vec<Prefix> = own.filter(|prefix| !ours(prefix)).chain(around.routes.iter().copied()).collect();
    networks.find(|network| !taken.iter().any(|prefix| prefix.overlaps(&Prefix::from((*network, bits)))))
}

/// Whether it is the machine's end of all its containers' pairs.
fn is_router(address: IpAddr) -> bool {
    PAIRED.iter().any(|[a, b]| address == IpAddr::from([*a, *b, 0, 1]))
}

/// The machine's own name servers where the container reaches them. A packet filter lets questions through also to those on
/// addresses that are closed otherwise, but nothing leads to a loopback.
fn name_servers(around: &Surroundings, helped: bool, ipv6: bool, closed: &[Prefix]) -> Vec<IpAddr> {
    let reached = |server: &IpAddr| {
        let open = !helped || !closed.iter().any(|prefix| prefix.contains(*server));
        open && !server.is_loopback() && !server.is_unspecified() && (server.is_ipv4() || ipv6)
    };
    around.resolver.servers.iter().copied().filter(reached).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use agent::shim::network::Filter;

    use super::super::network_files::Resolver;
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn pasta() -> Way {
        Way::Pasta("pasta".into())
    }

    fn veth() -> Way {
        Way::Veth(Filter::Nftables("nft".into()))
    }

    fn around(addresses: &[&str], servers: &[&str], ipv6: bool) -> Surroundings {
        let resolver = Resolver { servers: servers.iter().map(|text| ip(text)).collect(), more: vec![] };
        Surroundings { addresses: addresses.iter().map(|text| ip(text)).collect(), routes: vec![], ipv6, resolver }
    }

    #[test]
    fn takes_a_network_that_the_machine_has_not() {
        let mut around = around(&["192.0.2.2"], &["192.0.2.1"], false);
        let network = |around: &Surroundings, way: &Way| plan(way, around).unwrap().addresses.network.to_string();
        assert_eq!(network(&around, &pasta()), "10.0.2.0");
        assert_eq!(network(&around, &veth()), "10.213.0.0");
        around.addresses.push(ip("10.0.2.15"));
        assert_eq!(network(&around, &pasta()), "10.177.2.0");
        around.addresses.push(ip("10.213.0.1"));
        assert_eq!(network(&around, &veth()), "10.213.0.0", "the machine's end of pairs that are there");
        around.routes.push(Prefix::from((Ipv4Addr::new(10, 0, 0, 0), 8)));
        assert_eq!(network(&around, &pasta()), "172.29.2.0");
        assert_eq!(network(&around, &veth()), "172.29.0.0");
        around.routes.push(Prefix::from((Ipv4Addr::new(0, 0, 0, 0), 1)));
        around.routes.push(Prefix::from((Ipv4Addr::new(128, 0, 0, 0), 1)));
        assert_eq!(plan(&pasta(), &around), None);
    }

    #[test]
    fn closes_the_machine_and_the_clouds_secrets() {
        let machine = around(&["192.0.2.2", "fd00::2"], &[], true);
        let closed = |way: &Way, address: &str| {
            let plan = plan(way, &machine).unwrap();
            plan.closed.iter().any(|prefix| prefix.contains(ip(address)))
        };
        for address in ["192.0.2.2", "fd00::2", "169.254.169.254", "fd00:ec2::254"] {
            assert!(closed(&pasta(), address), "{address}");
        }
        assert!(closed(&veth(), "192.0.2.2") && closed(&veth(), "169.254.169.254"));
        assert!(!closed(&pasta(), "192.0.2.3"));
    }

    #[test]
    fn asks_the_machines_name_servers_or_the_helper() {
        let servers = |way: &Way, servers: &[&str], ipv6: bool| {
            let plan = plan(way, &around(&["192.0.2.2"], servers, ipv6)).unwrap();
            plan.name_servers.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(servers(&pasta(), &["10.255.255.53", "127.0.0.53"], false), ["10.255.255.53"]);
        assert_eq!(servers(&pasta(), &["127.0.0.53"], false), ["10.0.2.3"]);
        assert_eq!(servers(&pasta(), &["192.0.2.2"], false), ["10.0.2.3"], "on the machine's own address");
        assert_eq!(servers(&pasta(), &["169.254.169.253"], false), ["10.0.2.3"]);
        assert_eq!(servers(&veth(), &["169.254.169.253", "127.0.0.53"], false), ["169.254.169.253"]);
        assert!(servers(&veth(), &["127.0.0.53"], false).is_empty());
        assert_eq!(servers(&pasta(), &["fd00::53"], true), ["fd00::53"]);
        assert_eq!(servers(&pasta(), &["fd00::53"], false), ["10.0.2.3"]);
    }
}
