//! `/etc/resolv.conf`: the name servers that a container came with, and our stub in their place (resolv.conf(5)).

use std::net::{IpAddr, SocketAddr};

/// DNS's port.
pub(super) const PORT: u16 = 53;
/// More are not asked by the C library either (`MAXNS`).
const MOST: usize = 3;

/// The name servers that a file names, without our own stub and those in unknown forms.
pub(super) fn name_servers(text: &str, stub: IpAddr) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| name_server(line)?.parse().ok());
    named.filter(|address| *address != stub).take(MOST).map(|address| SocketAddr::new(address, PORT)).collect()
}

/// The same file with the stub as its only name server; `search`, `options` and all else stay.
pub(super) fn rewritten(text: &str, stub: IpAddr) -> String {
    let mut lines: Vec<String> =
        text.lines().filter(|line| name_server(line).is_none()).map(|line| format!("{line}\n")).collect();
    lines.push(format!("nameserver {stub}\n"));
    lines.concat()
}

/// The address of a `nameserver` line.
fn name_server(line: &str) -> Option<&str> {
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|word| *word == "nameserver")?;
    Some(words.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_name_servers_change() {
        let stub = IpAddr::from([127, 0, 0, 53]);
        for (text, servers, after) in [
            ("", &[][..], "nameserver 127.0.0.53\n"),
            ("# none\n", &[][..], "# none\nnameserver 127.0.0.53\n"),
            (
                "search corp.example\nnameserver 10.0.2.3\nnameserver fd00::3\noptions ndots:2",
                &["10.0.2.3:53", "[fd00::3]:53"][..],
                "search corp.example\noptions ndots:2\nnameserver 127.0.0.53\n",
            ),
            ("nameserver\t127.0.0.11 \n", &["127.0.0.11:53"][..], "nameserver 127.0.0.53\n"),
            ("nameserver 127.0.0.53\n", &[][..], "nameserver 127.0.0.53\n"),
            ("nameserver fe80::1%eth0\nnameserver\n", &[][..], "nameserver 127.0.0.53\n"),
            ("; nameserver 1.1.1.1\n", &[][..], "; nameserver 1.1.1.1\nnameserver 127.0.0.53\n"),
            (
                "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\n",
                &["1.0.0.1:53", "1.0.0.2:53", "1.0.0.3:53"][..],
                "nameserver 127.0.0.53\n",
            ),
        ] {
            let found: Vec<_> = name_servers(text, stub).iter().map(ToString::to_string).collect();
            assert_eq!(
                (found.as_slice(), rewritten(text, stub).as_str()),
                (&*servers.iter().map(|server| (*server).to_owned()).collect::<Vec<_>>(), after)
            );
        }
    }
}
