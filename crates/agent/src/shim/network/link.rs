use std::io;
use std::net::IpAddr;

use super::Prefix;
use super::netlink::{Netlink, Route};

/// The container's device.
pub(super) const DEVICE: &str = "eth0";

/// Gives the container's device its addresses and the next hops `routers`.
pub(super) fn set_up(netlink: &Netlink, addresses: &[IpAddr], routers: &[IpAddr]) -> io::Result<()> {
    let device = netlink.index(DEVICE)?;
    for address in addresses {
        netlink.add_address(device, *address)?;
    }
    netlink.up(device)?;
    for router in routers {
        netlink.route(Prefix::host(*router), Route::Link(device))?;
        netlink.route(Prefix::all(*router), Route::Via(*router, device))?;
    }
    Ok(())
}
