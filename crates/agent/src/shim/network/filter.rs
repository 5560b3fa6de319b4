//! The machine's packet filter, for a container with a pair of devices: translate its addresses, let it out, let nothing in.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::{Filter, Outside, PAIRS};

/// What the rules are about.
pub(super) struct Subject<'s> {
    /// The machine's end of the pair.
    pub(super) device: &'s str,
    /// The container's address.
    pub(super) address: Ipv4Addr,
    pub(super) outside: &'s Outside,
}

impl Subject<'_> {
    fn closed(&self) -> impl Iterator<Item = String> {
        self.outside.closed.iter().filter(|prefix| prefix.address.is_ipv4()).map(ToString::to_string)
    }

    fn name_servers(&self) -> impl Iterator<Item = &IpAddr> {
        self.outside.name_servers.iter().filter(|address| address.is_ipv4())
    }
}

/// Rules that are just being set.
pub(super) struct Setting(Child);

impl Setting {
    /// Waits until they are set.
    pub(super) fn done(self) -> io::Result<()> {
        checked(self.0.wait_with_output()?)
    }
}

/// Begins to set a container's rules, all or none, in this process's network namespace.
pub(super) fn set(filter: &Filter, subject: &Subject<'_>) -> io::Result<Setting> {
    match filter {
        Filter::Iptables { restore, .. } => feed(restore, &["--noflush", "--wait", "10"], &iptables(subject)),
        Filter::Nftables(program) => feed(program, &["-f", "-"], &nftables(subject)),
    }
}

/// Removes all rules of a mark; none there is no error.
pub(super) fn remove(filter: &Filter, mark: &str) -> io::Result<()> {
    match filter {
        Filter::Iptables { restore, save } => {
            let output = Command::new(save).stdin(Stdio::null()).output()?;
            let rules = String::from_utf8_lossy(&output.stdout).into_owned();
            checked(output)?;
            match removal(&rules, mark) {
                Some(text) => Setting(feed(restore, &["--noflush", "--wait", "10"], &text)?.0).done(),
                None => Ok(()),
            }
        }
        // Made first, so that a table that is not there is no error.
        Filter::Nftables(program) => {
            feed(program, &["-f", "-"], &format!("table inet {mark}\ndelete table inet {mark}\n"))?.done()
        }
    }
}

fn feed(program: &Path, arguments: &[&str], text: &str) -> io::Result<Setting> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    Ok(Setting(child))
}

fn checked(output: Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("the packet filter's rules for a container were refused: {}", words.trim())))
}

/// For `iptables-restore`: each rule before all that are there, in this order, and with the mark as its comment.
fn iptables(subject: &Subject<'_>) -> String {
    let Subject { device, address, outside: Outside { mark, .. } } = subject;
    let (mut input, mut forward) = (Vec::new(), vec![format!("-i {device} ! -s {address}/32 -j DROP")]);
    for server in subject.name_servers() {
        for protocol in ["udp", "tcp"] {
            let question = format!("-i {device} -d {server}/32 -p {protocol} --dport 53 -j ACCEPT");
            input.push(question.clone());
            forward.push(question);
        }
    }
    input.push(format!("-i {device} -j DROP"));
    forward.push(format!("-i {device} -o {PAIRS}+ -j DROP"));
    forward.extend(subject.closed().map(|prefix| format!("-i {device} -d {prefix} -j REJECT")));
    forward.push(format!("-i {device} -j ACCEPT"));
    forward.push(format!("-o {device} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"));
    forward.push(format!("-o {device} -j DROP"));
    let masquerade = [format!("-s {address}/32 ! -o {device} -j MASQUERADE")];
    let table = |name: &str, chains: &[(&str, &[String])]| {
        let mut lines = vec![format!("*{name}")];
        for (chain, rules) in chains {
            let place = |(number, rule): (usize, &String)| {
                format!("-I {chain} {} -m comment --comment {mark} {rule}", number + 1)
            };
            lines.extend(rules.iter().enumerate().map(place));
        }
        lines.push("COMMIT\n".to_owned());
        lines.join("\n")
    };
    table("nat", &[("POSTROUTING", &masquerade)]) + &table("filter", &[("INPUT", &input), ("FORWARD", &forward)])
}

/// The rules of `mark` among those that `iptables-save` told, to be deleted; none if there are none.
fn removal(rules: &str, mark: &str) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut found = false;
    for line in rules.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let marked = words.windows(2).any(|pair| pair[0] == "--comment" && pair[1].trim_matches('"') == mark);
        match line.strip_prefix("-A ") {
            Some(rule) if marked => {
                found = true;
                lines.push(format!("-D {rule}"));
            }
            Some(_) => {}
            None if line.starts_with('*') || line == "COMMIT" => lines.push(line.to_owned()),
            None => {}
        }
    }
    found.then(|| lines.join("\n") + "\n")
}

/// For `nft`: a table of the container's own. Other tables may still refuse what this one accepts.
fn nftables(subject: &Subject<'_>) -> String {
    let Subject { device, address, outside: Outside { mark, .. } } = subject;
    let servers: String = subject
        .name_servers()
        .flat_map(|server| ["udp", "tcp"].map(|kind| (server, kind)))
        .map(|(server, kind)| format!("  iifname \"{device}\" ip daddr {server} {kind} dport 53 accept\n"))
        .collect();
    let closed: String =
        subject.closed().map(|prefix| format!("  iifname \"{device}\" ip daddr {prefix} reject\n")).collect();
    format!(
        "table inet {mark} {{\n \
         chain nat {{\n  type nat hook postrouting priority 100\n  ip saddr {address} oifname != \"{device}\" masquerade\n }}\n \
         chain input {{\n  type filter hook input priority -5\n{servers}  iifname \"{device}\" drop\n }}\n \
         chain forward {{\n  type filter hook forward priority -5\n  iifname \"{device}\" ip saddr != {address} drop\n{servers}  \
         iifname \"{device}\" meta nfproto ipv6 drop\n  iifname \"{device}\" oifname \"{PAIRS}*\" drop\n{closed}  \
         iifname \"{device}\" accept\n  oifname \"{device}\" ct state established,related accept\n  oifname \"{device}\" drop\n \
         }}\n}}\n"
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Addresses, Prefix, Way};
    use super::*;

    fn outside() -> Outside {
        Outside {
            way: Way::Veth(Filter::Nftables("nft".into())),
            addresses: Addresses { network: [10, 213, 0, 0].into(), ipv6: false },
            closed: vec![Prefix::from((Ipv4Addr::new(169, 254, 0, 0), 16)), Prefix::host("fd00::1".parse().unwrap())],
            name_servers: vec!["169.254.169.253".parse().unwrap()],
            mark: "landfall-ab-c1".to_owned(),
            passes_names: false,
        }
    }

    fn subject(outside: &Outside) -> Subject<'_> {
        Subject { device: "lf-x", address: [10, 213, 1, 0].into(), outside }
    }

    #[test]
    fn iptables_lets_out_and_nothing_in() {
        let outside = outside();
        let text = iptables(&subject(&outside));
        let place = |words: &str| text.lines().position(|line| line.contains(words)).unwrap();
        assert!(place("! -s 10.213.1.0/32 -j DROP") < place("-i lf-x -o lf-+ -j DROP"));
        assert!(place("--dport 53 -j ACCEPT") < place("-d 169.254.0.0/16 -j REJECT"));
        assert!(place("-d 169.254.0.0/16 -j REJECT") < place("FORWARD 6 "));
        assert!(place("--ctstate RELATED,ESTABLISHED -j ACCEPT") < place("-o lf-x -j DROP"));
        assert!(place("-i lf-x -j DROP") < place("FORWARD 1 "));
        assert!(!text.contains("fd00::1"));
        let rules = text.lines().filter(|line| line.starts_with("-I "));
        assert!(rules.clone().count() > 8 && rules.clone().all(|line| line.contains("--comment landfall-ab-c1 ")));
    }

    #[test]
    fn removes_what_carries_its_mark_and_nothing_else() {
        let rules = "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -s 10.213.1.0/32 -m comment --comment landfall-ab-c1 -j MASQUERADE\n\
                     -A POSTROUTING -s 10.213.1.1/32 -m comment --comment landfall-ab-c11 -j MASQUERADE\nCOMMIT\n\
                     *filter\n-A FORWARD -i lf-x -m comment --comment \"landfall-ab-c1\" -j ACCEPT\n-A FORWARD -j DROP\nCOMMIT\n";
        let expected = "*nat\n-D POSTROUTING -s 10.213.1.0/32 -m comment --comment landfall-ab-c1 -j MASQUERADE\nCOMMIT\n\
                        *filter\n-D FORWARD -i lf-x -m comment --comment \"landfall-ab-c1\" -j ACCEPT\nCOMMIT\n";
        assert_eq!(removal(rules, "landfall-ab-c1").as_deref(), Some(expected));
        assert_eq!(removal(rules, "landfall-ab-c2"), None);
        assert_eq!(removal("", "x"), None);
    }

    #[test]
    fn nftables_keeps_all_in_one_table() {
        let outside = outside();
        let text = nftables(&subject(&outside));
        assert!(text.starts_with("table inet landfall-ab-c1 {"), "{text}");
        for words in ["oifname != \"lf-x\" masquerade", "oifname \"lf-*\" drop", "ip daddr 169.254.0.0/16 reject"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
