//! What there is of networks around a container: the machine's own, read when the container is started, for it may have changed.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use agent::shim::network::Prefix;

use super::network_files::Resolver;

/// What the names of Landfall's own devices begin with.
const OURS: &str = "lf-";

/// See the module's page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// The machine's own addresses but those of its loopback.
    pub(super) addresses: Vec<IpAddr>,
    /// What it has routes to, of IPv4, but the default; none of Landfall's own.
    pub(super) routes: Vec<Prefix>,
    /// It has a default route of IPv6.
    pub(super) ipv6: bool,
    /// How it resolves names.
    pub(super) resolver: Resolver,
}

impl Surroundings {
    /// Looks at this thread's network namespace and at /etc.
    pub(super) fn look() -> io::Result<Self> {
        let read = |name: &str| fs::read_to_string(format!("/proc/thread-self/net/{name}"));
        // Without IPv6, its files are not there.
        let [if_inet6, ipv6_route] = ["if_inet6", "ipv6_route"].map(|name| read(name).unwrap_or_default());
        let mut addresses = local_ipv4(&read("fib_trie")?);
        addresses.extend(local_ipv6(&if_inet6));
        Ok(Self {
            addresses,
            routes: routes(&read("route")?),
            ipv6: has_default(&ipv6_route),
            resolver: Resolver::of_this_machine(),
        })
    }
}

/// The addresses that the kernel's `fib_trie` calls local hosts.
fn local_ipv4(trie: &str) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line.starts_with("/32 host LOCAL") {
            found.extend(last.filter(|address| !address.is_loopback()).map(IpAddr::from));
        }
    }
    // The table of local addresses is told twice where it is one with the main table.
    found.sort();
    found.dedup();
    found
}

/// The addresses in the kernel's `if_inet6`, those of links' own left out: nobody routes to them.
fn local_ipv6(table: &str) -> Vec<IpAddr> {
    let address = |line: &str| u128::from_str_radix(line.split_whitespace().next()?, 16).ok().map(Ipv6Addr::from);
    let global = |address: &Ipv6Addr| !address.is_loopback() && !address.is_unicast_link_local();
    table.lines().filter_map(address).filter(global).map(IpAddr::from).collect()
}

/// The destinations in the kernel's `route`: device, destination and, as the eighth, mask, in hexadecimal of the machine's
/// own byte order.
fn routes(table: &str) -> Vec<Prefix> {
    let number = |word: &str| u32::from_str_radix(word, 16).ok().map(|word| Ipv4Addr::from(word.to_ne_bytes()));
    let route = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (device, to, mask) = (words.first()?, number(words.get(1)?)?, number(words.get(7)?)?);
        let bits = u8::try_from(u32::from(mask).leading_ones()).ok()?;
        (bits > 0 && !device.starts_with(OURS)).then_some(Prefix::from((to, bits)))
    };
    table.lines().skip(1).filter_map(route).collect()
}

/// Whether the kernel's `ipv6_route` has `::/0` by way of a device that is not `lo`.
fn has_default(table: &str) -> bool {
    let is_default = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let zero = words.first().is_some_and(|to| to.bytes().all(|digit| digit == b'0'));
        zero && words.get(1) == Some(&"00") && words.last().is_some_and(|device| *device != "lo")
    };
    table.lines().any(is_default)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn finds_the_machines_own_addresses() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 127.0.0.1\n        \
                    /32 host LOCAL\n     |-- 192.0.2.2\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link \
                    BROADCAST\nLocal:\n     |-- 192.0.2.2\n        /32 host LOCAL\n";
        assert_eq!(local_ipv4(trie), ["192.0.2.2".parse::<IpAddr>().unwrap()]);
        let table = "00000000000000000000000000000001 01 80 10 80       lo\nfd000000000000000000000000000002 04 40 00 82     \
                     eth0\nfe80000000000000000000fcff000001 04 40 20 80     eth0\n";
        assert_eq!(local_ipv6(table), ["fd00::2".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn reads_routes_but_the_default_and_our_own() {
        let number = |address: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(address));
        let line = |device: &str, to, mask| {
            format!("{device}\t{}\t00000000\t0001\t0\t0\t0\t{}\t0\t0\t0\n", number(to), number(mask))
        };
        let table = format!(
            "Iface\tDestination\tGateway\n{}{}{}",
            line("eth0", [0, 0, 0, 0], [0, 0, 0, 0]),
            line("eth0", [192, 0, 2, 0], [255, 255, 255, 0]),
            line("lf-77", [10, 213, 1, 0], [255, 255, 255, 255])
        );
        assert_eq!(routes(&table), [Prefix::from((Ipv4Addr::new(192, 0, 2, 0), 24))]);
    }

    #[test]
    fn knows_a_default_route_of_ipv6() {
        let zero = "0".repeat(32);
        let line = |bits: &str, device: &str| {
            format!("{zero} {bits} {zero} 00 fd000000000000000000000000000001 00000400 1 0 00000003     {device}\n")
        };
        assert!(has_default(&line("00", "eth0")));
        assert!(!has_default(&line("00", "lo")), "the kernel's own entry for what is unreachable");
        assert!(!has_default(&line("40", "eth0")));
        assert!(!has_default(""));
    }

    #[test]
    fn looks_at_this_machine() {
        assert!(Surroundings::look().unwrap().addresses.iter().all(|address| !address.is_loopback()));
    }
}
