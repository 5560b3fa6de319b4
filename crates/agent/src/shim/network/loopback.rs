use std::io;
use std::net::IpAddr;

use super::netlink::{LOOPBACK, Netlink, Route};
use super::{LINK_LOCAL, Prefix};

/// Sets `lo` of this process's network namespace up and, if asked, puts 169.254.170.2/32 on it.
pub(crate) fn bring_up(link_local: bool) -> io::Result<()> {
    let netlink = Netlink::open()?;
    netlink.up(LOOPBACK)?;
    if link_local {
        netlink.add_address(LOOPBACK, IpAddr::from([169, 254, 170, 2]))?;
    }
    Ok(())
}

/// Lets nothing go to 169.254.0.0/16 but to the address that [`bring_up`] put on `lo`: that is where a cloud's machine
/// finds its own credentials, which are not for who runs on it.
pub(crate) fn close_link_local() -> io::Result<()> {
    Netlink::open()?.route(Prefix::from(LINK_LOCAL), Route::Unreachable)
}
