use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

/// Index of `lo` in every network namespace: it is the first device.
const LOOPBACK_INDEX: u32 = 1;
const LINK_LOCAL: [u8; 4] = [169, 254, 170, 2];

// From <linux/netlink.h>, <linux/rtnetlink.h>, <linux/if_addr.h> and <net/if.h>.
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const IFF_UP: u32 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const AF_INET: u8 = 2;
const RT_SCOPE_HOST: u8 = 254;

/// Sets `lo` of this process's network namespace up and, if asked, puts 169.254.170.2/32 on it.
pub(super) fn bring_up(link_local: bool) -> io::Result<()> {
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    request(&netlink, &message(RTM_NEWLINK, 0, &link_up()))?;
    if link_local {
        request(&netlink, &message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address(LINK_LOCAL)))?;
    }
    Ok(())
}

/// Sends one message and waits for the kernel's word on it.
fn request(netlink: &OwnedFd, message: &[u8]) -> io::Result<()> {
    sendto(netlink.as_raw_fd(), message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut reply = [0; 1024];
    let length = recv(netlink.as_raw_fd(), &mut reply, MsgFlags::empty())?;
    acknowledged(&reply[..length])
}

/// Reads the kernel's acknowledgement: error 0 is success, else a negative errno.
fn acknowledged(reply: &[u8]) -> io::Result<()> {
    let kind = reply.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    let error = reply.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, error) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(error)) => Err(io::Error::from_raw_os_error(-error)),
        _ => Err(io::Error::other("the kernel's answer on the network device could not be read")),
    }
}

/// `struct nlmsghdr` before `body`.
fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    // Bodies are those below, of 16 and 24 bytes.
    let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(16 + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(body);
    bytes
}

/// `struct ifinfomsg`: family and type any, `lo`, flag up to be changed to up.
fn link_up() -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(LOOPBACK_INDEX.to_ne_bytes());
    bytes.extend(IFF_UP.to_ne_bytes());
    bytes.extend(IFF_UP.to_ne_bytes());
    bytes
}

/// `struct ifaddrmsg` of a /32 on `lo`, and the address as both its attributes.
fn address(address: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![AF_INET, 32, 0, RT_SCOPE_HOST];
    bytes.extend(LOOPBACK_INDEX.to_ne_bytes());
    for attribute in [IFA_LOCAL, IFA_ADDRESS] {
        bytes.extend(8_u16.to_ne_bytes());
        bytes.extend(attribute.to_ne_bytes());
        bytes.extend(address);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_kernels_layout() {
        let up = message(RTM_NEWLINK, 0, &link_up());
        assert_eq!(up.len(), 32);
        assert_eq!(up[..4], 32_u32.to_ne_bytes());
        let added = message(RTM_NEWADDR, NLM_F_CREATE, &address(LINK_LOCAL));
        assert_eq!(added.len(), 40);
        assert_eq!(added[6..8], (NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE).to_ne_bytes());
        assert_eq!(added[36..], LINK_LOCAL);
    }

    #[test]
    fn reads_the_kernels_word() {
        let reply = |kind: u16, error: i32| {
            let mut bytes = vec![0; 4];
            bytes.extend(kind.to_ne_bytes());
            bytes.resize(16, 0);
            bytes.extend(error.to_ne_bytes());
            bytes
        };
        assert!(acknowledged(&reply(NLMSG_ERROR, 0)).is_ok());
        let refused = acknowledged(&reply(NLMSG_ERROR, -1));
        assert!(refused.is_err_and(|error| error.raw_os_error() == Some(1)));
        assert!(acknowledged(&reply(99, 0)).is_err());
        assert!(acknowledged(b"short").is_err());
    }
}
