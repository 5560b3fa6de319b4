use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A container's network, as the engine wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Puts 169.254.170.2 on the container's loopback device.
    pub link_local: bool,
    /// Its way to other networks, if it has one.
    #[serde(default)]
    pub outside: Option<Outside>,
}

/// A way from a container to other networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// What carries its packets.
    pub way: Way,
    /// The addresses on the way.
    pub addresses: Addresses,
    /// What it cannot reach: the machine's own addresses, and where clouds keep their machines' credentials.
    pub closed: Vec<Prefix>,
    /// Name servers within `closed` that it may ask all the same; only [`Way::Veth`] can tell them apart.
    #[serde(default)]
    pub name_servers: Vec<IpAddr>,
    /// By which what is put into the machine's packet filter is known: data folder and container. Letters, digits, `-`, `_`.
    pub mark: String,
    /// The helper passes questions for names, put to [`Addresses::name_server`], on to the machine's own resolver. Not where
    /// the container asks the machine's name servers themselves: `pasta` would give their answers a false sender.
    #[serde(default)]
    pub passes_names: bool,
}

/// What carries a container's packets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The program `pasta` at this path.
    Pasta(PathBuf),
    /// The program `slirp4netns` at this path.
    Slirp4netns(PathBuf),
    /// A pair of devices, with addresses translated by the machine's packet filter.
    Veth(Filter),
}

/// The programs that change the machine's packet filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// `iptables-restore` and `iptables-save`.
    Iptables {
        /// Sets rules.
        restore: PathBuf,
        /// Tells rules.
        save: PathBuf,
    },
    /// `nft`.
    Nftables(PathBuf),
}

/// The addresses on a container's way out: all out of one network that nothing else here uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The network's first address. A helper's is a /24; containers with pairs of devices share a /16.
    pub network: Ipv4Addr,
    /// There is IPv6 too.
    pub ipv6: bool,
}

impl Addresses {
    /// The network of IPv6: a private one ([RFC 4193](https://www.rfc-editor.org/rfc/rfc4193)) of our own.
    const IPV6: Ipv6Addr = Ipv6Addr::new(0xfd4c, 0x616e, 0x6466, 0x616c, 0, 0, 0, 0);

    /// The next hop of a container.
    pub(super) fn router(self) -> Vec<IpAddr> {
        self.at(1)
    }

    /// The helper, as the router sees it.
    pub(super) fn helper(self) -> Vec<IpAddr> {
        self.at(2)
    }

    /// Where a helper passes on questions for names to the machine's own resolver.
    #[must_use]
    pub fn name_server(self) -> Ipv4Addr {
        offset(self.network, 3)
    }

    /// The container behind a helper. As `slirp4netns` has it.
    pub(super) fn container(self) -> Vec<IpAddr> {
        self.at(100)
    }

    /// The container with a pair of devices that tries the `number`th place: never the network's first 256 or last.
    pub(super) fn nth(self, number: u32) -> Ipv4Addr {
        offset(self.network, 256 + number % (65_535 - 256))
    }

    fn at(self, host: u16) -> Vec<IpAddr> {
        let mut segments = Self::IPV6.segments();
        segments[7] = host;
        let six = self.ipv6.then(|| IpAddr::from(segments));
        [IpAddr::from(offset(self.network, u32::from(host)))].into_iter().chain(six).collect()
    }
}

fn offset(network: Ipv4Addr, by: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(network).wrapping_add(by))
}

/// Addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// The first of them.
    pub address: IpAddr,
    /// How many leading bits they share.
    pub bits: u8,
}

impl Prefix {
    /// One address alone.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// All addresses of the family of `like`.
    pub(super) fn all(like: IpAddr) -> Self {
        let address = if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        Self { address, bits: 0 }
    }

    /// Whether some address is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let bits = u32::from(self.bits.min(other.bits));
        let differ = match (self.address, other.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
            _ => return false,
        };
        differ >= bits
    }

    /// Whether `address` is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.overlaps(&Self::host(address))
    }
}

impl From<(Ipv4Addr, u8)> for Prefix {
    fn from((address, bits): (Ipv4Addr, u8)) -> Self {
        Self { address: address.into(), bits }
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, bits) = text.split_once('/').unwrap();
        Prefix { address: address.parse().unwrap(), bits: bits.parse().unwrap() }
    }

    #[test]
    fn prefixes_overlap_when_the_shorter_one_holds_the_other() {
        for (a, b, overlap) in [
            ("10.0.0.0/8", "10.9.0.0/16", true),
            ("10.9.0.0/16", "10.8.0.0/16", false),
            ("0.0.0.0/0", "192.0.2.1/32", true),
            ("0.0.0.0/0", "fd00::/8", false),
            ("fd00::/8", "fd4c::1/128", true),
            ("::/0", "fd4c::1/128", true),
        ] {
            assert_eq!(prefix(a).overlaps(&prefix(b)), overlap, "{a} {b}");
            assert_eq!(prefix(b).overlaps(&prefix(a)), overlap, "{b} {a}");
        }
        assert!(prefix("169.254.0.0/16").contains("169.254.169.254".parse().unwrap()));
        assert_eq!(prefix("10.9.0.0/16").to_string(), "10.9.0.0/16");
    }

    #[test]
    fn a_helpers_addresses_are_those_of_slirp4netns() {
        let both = Addresses { network: [10, 0, 2, 0].into(), ipv6: true };
        let words = |addresses: Vec<IpAddr>| addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(words(both.container()), ["10.0.2.100", "fd4c:616e:6466:616c::64"]);
        assert_eq!(words(both.helper()), ["10.0.2.2", "fd4c:616e:6466:616c::2"]);
        assert_eq!(both.name_server().to_string(), "10.0.2.3");
        assert_eq!(Addresses { ipv6: false, ..both }.router().len(), 1);
    }

    #[test]
    fn pairs_get_addresses_within_their_network() {
        let addresses = Addresses { network: [10, 213, 0, 0].into(), ipv6: false };
        assert_eq!(addresses.nth(0).to_string(), "10.213.1.0");
        assert_eq!(addresses.nth(65_278).to_string(), "10.213.255.254");
        assert_eq!(addresses.nth(65_279), addresses.nth(0));
        assert_eq!(addresses.nth(u32::MAX).octets()[..2], [10, 213]);
    }
}
