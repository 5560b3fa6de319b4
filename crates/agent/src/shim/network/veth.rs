//! A pair of devices between a container and the machine, whose packet filter translates the container's address.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::path::Path;

use nix::sched::{CloneFlags, setns};

use super::filter::{self, Setting, Subject};
use super::netlink::{Netlink, Route};
use super::record::Record;
use super::{Filter, Outside, PAIRS, Prefix, link, router};

/// How many addresses are tried: far more than containers fit on a machine.
const PLACES: u32 = 4096;
/// What the machine's ways have at most, mostly.
const MTU: u32 = 1500;

/// The machine's side, as it was before this process left.
pub(super) struct Machine {
    namespace: File,
    netlink: Netlink,
}

/// Remembers this process's network namespace as the machine's.
pub(super) fn machine() -> io::Result<Machine> {
    Ok(Machine { namespace: File::open("/proc/thread-self/ns/net")?, netlink: Netlink::open()? })
}

/// Joins this process's network namespace to the machine's by a pair; the packet filter's rules are set meanwhile.
pub(super) fn make(machine: &Machine, filter: &Filter, outside: &Outside, folder: &Path) -> io::Result<Setting> {
    let device = name(std::process::id());
    let addresses = outside.addresses;
    let router = addresses.router();
    let container = File::open("/proc/thread-self/ns/net")?;
    // The address is taken by the route to it, so the container's end can only be set up with the machine's.
    let pair = Netlink::open()?;
    pair.veth(link::DEVICE, &device, &machine.namespace, MTU)?;
    machine.enter()?;
    let set = machine.take_place(&device, outside).and_then(|address| {
        Record::Rules { filter: filter.clone(), mark: outside.mark.clone() }.write(folder)?;
        Ok((address, filter::set(filter, &Subject { device: &device, address, outside })?))
    });
    setns(&container, CloneFlags::CLONE_NEWNET)?;
    let (address, setting) = set?;
    link::set_up(&pair, &[address.into()], &router)?;
    Ok(setting)
}

impl Machine {
    /// Goes back to it.
    pub(super) fn enter(&self) -> io::Result<()> {
        Ok(setns(&self.namespace, CloneFlags::CLONE_NEWNET)?)
    }

    /// Removes the pair that this process made. The kernel would do it a moment after the container's namespace is gone.
    pub(super) fn remove_pair(&self) -> io::Result<()> {
        match self.netlink.index(&name(std::process::id())) {
            Ok(index) => self.netlink.remove(index),
            // It went with the container's namespace already.
            Err(_) => Ok(()),
        }
    }

    /// Sets the machine's end up and takes an address for the container that no other has: by the route to it, which the kernel
    /// adds for one alone.
    fn take_place(&self, device: &str, outside: &Outside) -> io::Result<Ipv4Addr> {
        // The container must not reach the machine by addresses that devices give themselves.
        match router::set(&format!("ipv6/conf/{device}/disable_ipv6=1")) {
            Err(_) if !Path::new("/proc/sys/net/ipv6").exists() => {}
            done => done?,
        }
        let index = self.netlink.index(device)?;
        for address in outside.addresses.router().into_iter().filter(std::net::IpAddr::is_ipv4) {
            self.netlink.add_address(index, address)?;
        }
        self.netlink.up(index)?;
        for number in 0..PLACES {
            let address = outside.addresses.nth(std::process::id().wrapping_add(number));
            match self.netlink.new_route(Prefix::host(address.into()), Route::Link(index)) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                done => return done.map(|()| address),
            }
        }
        Err(io::Error::other(format!("no address is free in {}/16", outside.addresses.network)))
    }
}

/// The name of the machine's end of the pair that process `pid` made.
fn name(pid: u32) -> String {
    format!("{PAIRS}{pid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices_are_as_long_as_linux_takes_at_most() {
        assert!(name(u32::MAX).len() <= 15);
        assert!(name(7).starts_with(PAIRS));
    }
}
