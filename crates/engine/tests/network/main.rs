//! The sandbox's ways to other networks, each on a machine of the test's own. They need root, runc, passt, slirp4netns,
//! iptables, nftables and iproute2.
#![expect(clippy::unwrap_used, reason = "tests")]

mod ends;
mod reach;
mod rootless;
mod speed;
mod world;
