use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use crate::ContainerSpec;

/// The addresses of `systemd-resolved`'s stub.
const STUB: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54))];
/// Where it writes the name servers that the stub asks.
const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";

/// The container's /etc/hosts, /etc/hostname and /etc/resolv.conf, by name; the last as given.
pub(super) fn files(spec: &ContainerSpec, resolv_conf: String) -> [(&'static str, String); 3] {
    [("hosts", hosts(&spec.hostname)), ("hostname", format!("{}\n", spec.hostname)), ("resolv.conf", resolv_conf)]
}

fn hosts(hostname: &str) -> String {
    format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{hostname}\n")
}

/// With loopback only there is no name server to ask; the file says so, so that look-ups fail at once.
pub(super) const LOOPBACK_ONLY: &str = "# This container reaches only its own loopback: no name server.\n";

/// What a resolv.conf says (resolv.conf(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resolver {
    /// Its name servers, those with a scope left out: they are on a link of the machine.
    pub(super) servers: Vec<IpAddr>,
    /// The other lines with a meaning: search domains and options.
    pub(super) more: Vec<String>,
}

impl Resolver {
    /// The machine's; where all it asks is a stub on its own loopback, the servers behind it.
    pub(super) fn of_this_machine() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::of(&read("/etc/resolv.conf"), &read(BEHIND_STUB))
    }

    fn of(text: &str, behind_stub: &str) -> Self {
        let own = Self::parse(text);
        let behind = Self::parse(behind_stub);
        let only_stub = !own.servers.is_empty() && own.servers.iter().all(|server| STUB.contains(server));
        if only_stub && !behind.servers.is_empty() { Self { servers: behind.servers, ..own } } else { own }
    }

    fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines().map(str::trim) {
            match line.split_whitespace().next() {
                Some("nameserver") => {
                    let server = line.split_whitespace().nth(1).and_then(|word| word.parse::<IpAddr>().ok());
                    found.servers.extend(server);
                }
                Some("search" | "domain" | "options" | "sortlist") => found.more.push(line.to_owned()),
                _ => {}
            }
        }
        found
    }

    /// The file of a container that asks these servers instead.
    pub(super) fn with(&self, servers: &[IpAddr]) -> String {
        if servers.is_empty() {
            return "# No name server of this machine can be reached from inside of containers.\n".to_owned();
        }
        // The resolver of the C library reads three.
        let servers = servers.iter().take(3).map(|server| format!("nameserver {server}\n"));
        let more = self.more.iter().map(|line| format!("{line}\n"));
        servers.chain(more).collect()
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
    fn a_container_knows_itself_and_nobody_else() {
        assert!(hosts("build-1").contains("127.0.1.1\tbuild-1\n"));
        assert!(!LOOPBACK_ONLY.contains("nameserver"));
    }

    #[test]
    fn looks_behind_the_stub_of_the_machine() {
        let behind = "nameserver 192.0.2.53\nnameserver fe80::1%eth0\nsearch elsewhere\n";
        let stub = "# a comment\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch corp.example lan\n";
        let found = Resolver::of(stub, behind);
        assert_eq!(found.servers, [ip("192.0.2.53")]);
        assert_eq!(found.more, ["options edns0 trust-ad", "search corp.example lan"]);
        assert_eq!(Resolver::of(stub, "").servers, [ip("127.0.0.53")]);
        assert_eq!(Resolver::of("nameserver 10.1.1.1\n", behind).servers, [ip("10.1.1.1")]);
        assert_eq!(Resolver::of("", behind), Resolver::default());
    }

    #[test]
    fn keeps_search_domains_and_options() {
        let machine = Resolver::parse("nameserver 127.0.0.1\nsearch corp.example\nnonsense\noptions ndots:2\n");
        let text = machine.with(&[ip("10.0.2.3")]);
        assert_eq!(text, "nameserver 10.0.2.3\nsearch corp.example\noptions ndots:2\n");
        assert!(machine.with(&[]).starts_with('#'));
        assert_eq!(machine.with(&[ip("10.0.2.3"); 5]).matches("nameserver").count(), 3);
    }
}
