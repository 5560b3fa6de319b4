//! The kernel's route netlink, as much as a container's network needs: links, addresses and routes of one namespace.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, setsockopt, socket,
};
use nix::sys::time::TimeVal;

use super::Prefix;

// From <linux/netlink.h>, <linux/rtnetlink.h>, <linux/if_link.h>, <linux/if_addr.h>, <linux/veth.h> and <net/if.h>.
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const RTMGRP_LINK: u32 = 1;
const IFF_UP: u32 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_NET_NS_FD: u16 = 28;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_F_NODAD: u8 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RT_SCOPE_HOST: u8 = 254;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RTN_UNICAST: u8 = 1;
const RTN_UNREACHABLE: u8 = 7;

/// Index of `lo` in every network namespace: it is the first device.
pub(super) const LOOPBACK: u32 = 1;

/// A socket to the kernel's tables of the network namespace in which it was opened, wherever the process goes afterwards.
pub(super) struct Netlink(OwnedFd);

impl Netlink {
    /// To this thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        Ok(Self(socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?))
    }

    /// To this thread's namespace, for [`Self::next_link`] alone: it hears of links from now on.
    pub(super) fn watch_links(patience: Duration) -> io::Result<Self> {
        let netlink = Self::open()?;
        bind(netlink.0.as_raw_fd(), &NetlinkAddr::new(0, RTMGRP_LINK))?;
        let micros = i64::try_from(patience.as_micros()).unwrap_or(i64::MAX);
        setsockopt(&netlink.0.as_fd(), ReceiveTimeout, &TimeVal::new(micros / 1_000_000, micros % 1_000_000))?;
        Ok(netlink)
    }

    /// The next link that was made or changed: its index and name. None when nothing happened for the time given before.
    pub(super) fn next_link(&self) -> io::Result<Option<(u32, String)>> {
        let mut reply = [0; 8192];
        match recv(self.0.as_raw_fd(), &mut reply, MsgFlags::empty()) {
            Ok(length) => Ok(Some(link(&reply[..length]).unwrap_or_default())),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The index of the link `name`.
    pub(super) fn index(&self, name: &str) -> io::Result<u32> {
        let reply = self.call(&message(RTM_GETLINK, 0, &[link_head(0, 0), text(IFLA_IFNAME, name)].concat()))?;
        link(&reply).map(|(index, _)| index).ok_or_else(unreadable)
    }

    /// Sets a link up.
    pub(super) fn up(&self, index: u32) -> io::Result<()> {
        self.request(RTM_NEWLINK, 0, &link_head(index, IFF_UP))
    }

    /// Makes a pair of devices: `name` here, its peer in the namespace of `there`.
    pub(super) fn veth(&self, name: &str, peer: &str, there: &impl AsRawFd, mtu: u32) -> io::Result<()> {
        self.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &veth(name, peer, there.as_raw_fd(), mtu))
    }

    /// Removes a device, and with one end of a pair the other.
    pub(super) fn remove(&self, index: u32) -> io::Result<()> {
        self.request(RTM_DELLINK, 0, &link_head(index, 0))
    }

    /// Puts an address, alone in its network, on a device.
    pub(super) fn add_address(&self, index: u32, address: IpAddr) -> io::Result<()> {
        self.request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address_message(index, address))
    }

    /// Sets a route, instead of one that is there.
    pub(super) fn route(&self, to: Prefix, way: Route) -> io::Result<()> {
        self.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route(to, way))
    }

    /// Adds a route where there is none to the same prefix; else `AlreadyExists`.
    pub(super) fn new_route(&self, to: Prefix, way: Route) -> io::Result<()> {
        self.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route(to, way))
    }

    /// Sends one message and waits for the kernel's word on it.
    fn request(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        acknowledged(&self.call(&message(kind, NLM_F_ACK | flags, body))?)
    }

    fn call(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        sendto(self.0.as_raw_fd(), message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        let mut reply = vec![0; 8192];
        let length = recv(self.0.as_raw_fd(), &mut reply, MsgFlags::empty())?;
        reply.truncate(length);
        Ok(reply)
    }
}

/// Where packets for a prefix go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// To the device, on whose link the prefix is.
    Link(u32),
    /// To this neighbour on the device's link.
    Via(IpAddr, u32),
    /// Nowhere; the sender is told.
    Unreachable,
}

/// Reads the kernel's acknowledgement: error 0 is success, else a negative errno.
fn acknowledged(reply: &[u8]) -> io::Result<()> {
    let error = reply.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind(reply), error) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(error)) => Err(io::Error::from_raw_os_error(error.saturating_neg())),
        _ => Err(unreadable()),
    }
}

fn kind(reply: &[u8]) -> Option<u16> {
    reply.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes)
}

fn unreadable() -> io::Error {
    io::Error::other("the kernel's answer on the network device could not be read")
}

/// Index and name in a message that tells of a link: after the header of 16 bytes, `struct ifinfomsg` of 16.
fn link(reply: &[u8]) -> Option<(u32, String)> {
    if kind(reply)? != RTM_NEWLINK {
        return None;
    }
    let index = u32::from_ne_bytes(reply.get(20..24)?.try_into().ok()?);
    let mut rest = reply.get(32..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let name = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(4..length)?;
        if name == IFLA_IFNAME {
            let value = value.strip_suffix(&[0]).unwrap_or(value);
            return Some((index, String::from_utf8_lossy(value).into_owned()));
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// `struct nlmsghdr` before `body`.
fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    // Bodies are those below, of some hundred bytes at most.
    let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(16 + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(body);
    bytes
}

/// `struct rtattr` with its value, filled up to a multiple of four bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

/// `struct ifinfomsg`: family and type any, these flags to be set.
fn link_head(index: u32, flags: u32) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    for word in [index, flags, flags] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes
}

fn veth(name: &str, peer: &str, there: i32, mtu: u32) -> Vec<u8> {
    let mtu = attribute(IFLA_MTU, &mtu.to_ne_bytes());
    let namespace = attribute(IFLA_NET_NS_FD, &there.to_ne_bytes());
    let peer = attribute(VETH_INFO_PEER, &[link_head(0, 0), text(IFLA_IFNAME, peer), mtu.clone(), namespace].concat());
    let info = [attribute(IFLA_INFO_KIND, b"veth"), attribute(IFLA_INFO_DATA, &peer)].concat();
    [link_head(0, 0), text(IFLA_IFNAME, name), mtu, attribute(IFLA_LINKINFO, &info)].concat()
}

/// `struct ifaddrmsg`, and the address as both its attributes.
fn address_message(index: u32, address: IpAddr) -> Vec<u8> {
    let scope = if index == LOOPBACK { RT_SCOPE_HOST } else { RT_SCOPE_UNIVERSE };
    // Nobody else is on these links, so that no time is spent on asking whether an address is taken.
    let flags = if address.is_ipv6() { IFA_F_NODAD } else { 0 };
    let whole = Prefix::host(address);
    let mut bytes = vec![family(address), whole.bits, flags, scope];
    bytes.extend(index.to_ne_bytes());
    for kind in [IFA_LOCAL, IFA_ADDRESS] {
        bytes.extend(attribute(kind, &octets(address)));
    }
    bytes
}

/// `struct rtmsg` and its attributes.
fn route(to: Prefix, way: Route) -> Vec<u8> {
    let (kind, scope) = match way {
        Route::Link(_) => (RTN_UNICAST, RT_SCOPE_LINK),
        Route::Via(..) => (RTN_UNICAST, RT_SCOPE_UNIVERSE),
        Route::Unreachable => (RTN_UNREACHABLE, RT_SCOPE_UNIVERSE),
    };
    let mut bytes = vec![family(to.address), to.bits, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, scope, kind];
    bytes.extend(0_u32.to_ne_bytes());
    if to.bits > 0 {
        bytes.extend(attribute(RTA_DST, &octets(to.address)));
    }
    if let Route::Via(neighbour, _) = way {
        bytes.extend(attribute(RTA_GATEWAY, &octets(neighbour)));
    }
    if let Route::Link(index) | Route::Via(_, index) = way {
        bytes.extend(attribute(RTA_OIF, &index.to_ne_bytes()));
    }
    bytes
}

fn family(address: IpAddr) -> u8 {
    // AF_INET and AF_INET6 of Linux.
    if address.is_ipv4() { 2 } else { 10 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn messages_have_the_kernels_layout() {
        let up = message(RTM_NEWLINK, NLM_F_ACK, &link_head(7, IFF_UP));
        assert_eq!((up.len(), &up[..4]), (32, &32_u32.to_ne_bytes()[..]));
        assert_eq!(up[6..8], (NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        assert_eq!(up[20..24], 7_u32.to_ne_bytes());
        let four = address_message(LOOPBACK, ip("169.254.170.2"));
        assert_eq!((four.len(), &four[..4]), (24, &[2, 32, 0, RT_SCOPE_HOST][..]));
        assert_eq!(four[20..], [169, 254, 170, 2]);
        let six = address_message(3, ip("fd00::1"));
        assert_eq!((six.len(), &six[..4]), (48, &[10, 128, IFA_F_NODAD, 0][..]));
    }

    #[test]
    fn routes_name_what_they_need_and_no_more() {
        let closed = route(Prefix { address: ip("169.254.0.0"), bits: 16 }, Route::Unreachable);
        assert_eq!((closed.len(), closed[1], closed[7]), (20, 16, RTN_UNREACHABLE));
        let default = route(Prefix { address: ip("0.0.0.0"), bits: 0 }, Route::Via(ip("10.0.2.2"), 5));
        assert_eq!((default.len(), default[6]), (28, RT_SCOPE_UNIVERSE));
        assert_eq!(default[16..20], [10, 0, 2, 2]);
        let link = route(Prefix::host(ip("fd00::2")), Route::Link(5));
        assert_eq!((link.len(), link[0], link[1], link[6]), (12 + 20 + 8, 10, 128, RT_SCOPE_LINK));
    }

    #[test]
    fn a_pair_is_nested_as_the_kernel_reads_it() {
        let pair = veth("eth0", "lf0", 9, 1500);
        let find = |word: &[u8]| pair.windows(word.len()).position(|part| part == word).unwrap();
        assert!(find(b"eth0\0") < find(b"veth") && find(b"veth") < find(b"lf0\0"));
        let namespace = attribute(IFLA_NET_NS_FD, &9_i32.to_ne_bytes());
        assert_eq!(find(&namespace), pair.len() - namespace.len());
        assert_eq!(pair.len() % 4, 0);
    }

    #[test]
    fn reads_links_and_no_nonsense() {
        let told =
            message(RTM_NEWLINK, 0, &[link_head(12, 1), attribute(9, b"xyz"), text(IFLA_IFNAME, "tap0")].concat());
        assert_eq!(link(&told), Some((12, "tap0".to_owned())));
        for end in 0..told.len() {
            assert_eq!(link(&told[..end]).filter(|_| end < told.len() - 3), None, "{end}");
        }
        let endless = message(RTM_NEWLINK, 0, &[link_head(12, 1), vec![0, 0, 9, 0]].concat());
        assert_eq!(link(&endless), None);
    }

    #[test]
    fn reads_the_kernels_word() {
        let reply = |kind: u16, error: i32| {
            let mut bytes = message(kind, 0, &error.to_ne_bytes());
            bytes.resize(36, 0);
            bytes
        };
        assert!(acknowledged(&reply(NLMSG_ERROR, 0)).is_ok());
        let refused = acknowledged(&reply(NLMSG_ERROR, -1));
        assert!(refused.is_err_and(|error| error.raw_os_error() == Some(1)));
        assert!(acknowledged(&reply(99, 0)).is_err());
        assert!(acknowledged(b"short").is_err());
    }
}
