//! The router between a container and its helper: a network namespace of the shim's own.
//!
//! `pasta` and `slirp4netns` connect to whatever address stands in a frame, also to the machine's own 127.0.0.1; a container
//! that writes frames itself would reach the services there. What comes to them through a router was routed by a kernel,
//! which lets no loopback address pass, and none of those that are closed; and the container has no rights in here.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use super::helper::{self, Helper};
use super::netlink::{LOOPBACK, Netlink, Route};
use super::{Outside, Prefix, link};

/// The router's end of the pair that leads to the container.
const DEVICE: &str = "lf0";
/// A helper that has not made its device after this time is given up; it takes a hundredth of a second.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often meanwhile it is looked whether the helper still lives.
const LOOK: Duration = Duration::from_millis(20);

/// What a namespace must have before its devices are made: they inherit the defaults. The last ones only where there is
/// IPv6: forwarding, and addresses that can be used at once.
const SETTINGS: [&str; 2] = ["ipv4/ip_forward=1", "ipv4/conf/default/proxy_arp=1"];
const SETTINGS_IPV6: [&str; 3] =
    ["ipv6/conf/all/forwarding=1", "ipv6/conf/default/accept_dad=0", "ipv6/conf/default/proxy_ndp=1"];

/// A router whose helper is about to make its device.
pub(super) struct Router {
    helper: Helper,
    netlink: Netlink,
    links: Netlink,
    addresses: super::Addresses,
    /// The helper opens it by this process's number for it.
    _namespace: File,
}

/// Makes this process's network namespace a router of `helper`, and then the container's namespace this process's.
pub(super) fn make(mut helper: Helper, outside: &Outside, link_local: bool) -> io::Result<Router> {
    let addresses = outside.addresses;
    let settings = SETTINGS.iter().chain(SETTINGS_IPV6.iter().filter(|_| addresses.ipv6));
    settings.copied().try_for_each(set)?;
    let netlink = Netlink::open()?;
    netlink.up(LOOPBACK)?;
    let links = Netlink::watch_links(LOOK)?;
    let namespace = File::open("/proc/thread-self/ns/net")?;
    helper.serve(&format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd()))?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    super::loopback::bring_up(link_local)?;
    let pair = Netlink::open()?;
    pair.veth(link::DEVICE, DEVICE, &namespace, helper::MTU)?;
    link::set_up(&pair, &addresses.container(), &addresses.router())?;
    lead_in(&netlink, outside)?;
    close(&netlink, &outside.closed)?;
    Ok(Router { helper, netlink, links, addresses, _namespace: namespace })
}

/// The router's end of the pair, and the way to the container.
fn lead_in(netlink: &Netlink, outside: &Outside) -> io::Result<()> {
    let device = netlink.index(DEVICE)?;
    for address in outside.addresses.router() {
        netlink.add_address(device, address)?;
    }
    netlink.up(device)?;
    let routes = outside.addresses.container().into_iter();
    routes.map(Prefix::host).try_for_each(|container| netlink.route(container, Route::Link(device)))
}

fn close(netlink: &Netlink, closed: &[Prefix]) -> io::Result<()> {
    for prefix in closed {
        match netlink.route(*prefix, Route::Unreachable) {
            // This kernel has no IPv6, so nothing goes there.
            Err(error) if prefix.address.is_ipv6() && error.raw_os_error() == Some(nix::libc::EOPNOTSUPP) => {}
            done => done?,
        }
    }
    Ok(())
}

impl Router {
    /// The helper, to be ended.
    pub(super) fn give_up(self) -> Helper {
        self.helper
    }

    /// Waits for the helper's device and sends all else there.
    ///
    /// # Errors
    /// The helper ended, with its last words; or it took too long.
    pub(super) fn ready(mut self) -> io::Result<Helper> {
        let begin = Instant::now();
        let device = loop {
            if let Some((index, name)) = self.links.next_link()?
                && name == helper::DEVICE
            {
                break index;
            }
            if let Some(words) = self.helper.ended()? {
                return Err(io::Error::other(format!("the program for its way to other networks ended: {words}")));
            }
            if begin.elapsed() > PATIENCE {
                return Err(io::Error::other("the program for its way to other networks makes no device"));
            }
        };
        self.lead_out(device)?;
        Ok(self.helper)
    }

    fn lead_out(&self, device: u32) -> io::Result<()> {
        self.netlink.up(device)?;
        self.netlink.route(Prefix::host(self.addresses.name_server().into()), Route::Link(device))?;
        for helper in self.addresses.helper() {
            self.netlink.route(Prefix::host(helper), Route::Link(device))?;
            self.netlink.route(Prefix::all(helper), Route::Via(helper, device))?;
        }
        Ok(())
    }
}

/// Sets `NAME=VALUE` below /proc/sys/net, which is of this process's network namespace.
pub(super) fn set(setting: &str) -> io::Result<()> {
    let Some((name, value)) = setting.split_once('=') else { return Ok(()) };
    let path = format!("/proc/sys/net/{name}");
    std::fs::write(&path, value).map_err(|error| io::Error::other(format!("cannot set {path}: {error}")))
}
