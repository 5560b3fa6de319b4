use std::fs;
use std::io;
use std::path::PathBuf;

use agent::shim::Bundle;

use crate::{ContainerSpec, Network};

/// Where a container's own copies of files in /etc go: over the image's.
pub(super) fn etc(bundle: &Bundle) -> PathBuf {
    super::host_image::upper(bundle, "etc")
}

/// Writes the container's /etc/hosts, /etc/hostname and /etc/resolv.conf.
pub(super) fn write(bundle: &Bundle, spec: &ContainerSpec) -> io::Result<()> {
    let etc = etc(bundle);
    fs::write(etc.join("hosts"), hosts(&spec.hostname))?;
    fs::write(etc.join("hostname"), format!("{}\n", spec.hostname))?;
    fs::write(etc.join("resolv.conf"), resolv_conf(spec.network))
}

fn hosts(hostname: &str) -> String {
    format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{hostname}\n")
}

/// With loopback only there is no name server to ask; the file says so, so that look-ups fail at once.
fn resolv_conf(network: Network) -> &'static str {
    match network {
        Network::LoopbackOnly | Network::Outside => "# This container reaches only its own loopback: no name server.\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_knows_itself_and_nobody_else() {
        assert!(hosts("build-1").contains("127.0.1.1\tbuild-1\n"));
        assert!(!resolv_conf(Network::LoopbackOnly).contains("nameserver"));
    }
}
