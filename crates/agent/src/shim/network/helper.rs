//! The program that carries a container's packets: `pasta` or `slirp4netns`, a child of the shim in the machine's own namespaces.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{dup2_stdin, getuid};

use super::{Outside, Way};

/// The helper's device in the router's namespace.
pub(super) const DEVICE: &str = "tap0";
/// The largest packets that the helpers take.
pub(super) const MTU: u32 = 65_520;
/// How many of a helper's last lines are told when it ends too early.
const WORDS: usize = 4;
/// The shim's flag that makes a process the helper.
pub(in crate::shim) const FLAG: &str = "--helper";

/// A helper, which waits for its network namespace or serves it.
pub(super) struct Helper {
    child: Child,
    log: std::path::PathBuf,
}

impl Helper {
    /// Starts a process in this process's namespaces that becomes the program when it is told a network namespace. `user` is
    /// set where that will belong to a user namespace of this process's own.
    pub(super) fn spawn(outside: &Outside, user: bool, log: &Path) -> io::Result<Option<Self>> {
        let user = user.then(|| format!("/proc/{}/ns/user", std::process::id()));
        let Some(command) = command(outside, user.as_deref()) else { return Ok(None) };
        let words = OpenOptions::new().append(true).create(true).mode(0o600).open(log)?;
        let child = Command::new("/proc/self/exe")
            .args(["shim", FLAG])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(words)
            .spawn()?;
        Ok(Some(Self { child, log: log.to_path_buf() }))
    }

    /// Its process id, for the record.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it serve the network namespace at `path`.
    pub(super) fn serve(&mut self, path: &str) -> io::Result<()> {
        match self.child.stdin.take() {
            Some(mut line) => writeln!(line, "{path}"),
            None => Ok(()),
        }
    }

    /// Its last words, if it has ended.
    pub(super) fn ended(&mut self) -> io::Result<Option<String>> {
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        let words = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = lines[lines.len().saturating_sub(WORDS)..].join("; ");
        Ok(Some(format!("{status}: {last}")))
    }

    /// Ends it.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

/// The program's command line; it finds its network namespace at its standard input. None for a way that needs no program.
///
/// pasta: no port is forwarded either way, and its own name for the machine's loopback (`--map-gw`) is off. As root it stays
/// root, without most of its rights, as it could else not enter the namespace. slirp4netns 1.2 cannot shut itself in when it
/// has entered another's user namespace; it has only an ordinary user's rights then.
fn command(outside: &Outside, user: Option<&str>) -> Option<Vec<OsString>> {
    let addresses = outside.addresses;
    let mtu = MTU.to_string();
    let name_server = addresses.name_server().to_string();
    let mut command: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| command.extend(words.iter().map(OsString::from));
    match &outside.way {
        Way::Pasta(program) => {
            add(&[&program.to_string_lossy(), "--foreground", "--quiet", "--stderr", "--mtu", &mtu]);
            add(&["--no-map-gw", "--no-dhcp", "--no-dhcpv6", "--no-ra"]);
            if outside.passes_names {
                add(&["--dns-forward", &name_server]);
            }
            add(&["-t", "none", "-u", "none", "-T", "none", "-U", "none", "--netmask", "24", "--ns-ifname", DEVICE]);
            for (address, gateway) in addresses.container().iter().zip(addresses.helper()) {
                add(&["--address", &address.to_string(), "--gateway", &gateway.to_string()]);
            }
            if !addresses.ipv6 {
                add(&["--ipv4-only"]);
            }
            add(&user.map_or(["--runas", "0:0"], |user| ["--userns", user]));
            add(&["--netns", "/proc/self/fd/0"]);
        }
        Way::Slirp4netns(program) => {
            add(&[&program.to_string_lossy(), "--mtu", &mtu, "--cidr", &format!("{}/24", addresses.network)]);
            add(&["--disable-host-loopback", "--enable-seccomp", "--netns-type", "path"]);
            match user {
                Some(user) => add(&[&format!("--userns-path={user}")]),
                None => add(&["--enable-sandbox"]),
            }
            add(&["/proc/self/fd/0", DEVICE]);
        }
        Way::Veth(_) => return None,
    }
    Some(command)
}

/// `landfall-agent shim --helper PROGRAM ARGUMENT…`: waits for a line with a network namespace's path on standard input, puts
/// the namespace in the input's place, and becomes the program.
pub(in crate::shim) fn main(mut command: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(program) = command.next() else { return ExitCode::from(64) };
    let error = match wait() {
        Ok(true) => Command::new(program).args(command).exec(),
        // The shim is gone, and with it the need.
        Ok(false) => return ExitCode::SUCCESS,
        Err(error) => error,
    };
    eprintln!("landfall-agent: {error}");
    ExitCode::FAILURE
}

fn wait() -> io::Result<bool> {
    // With its parent this process ends too, whatever it has become; a parent that is gone already has closed the pipe.
    set_pdeathsig(Signal::SIGKILL)?;
    let mut line = String::new();
    io::stdin().take(256).read_to_string(&mut line)?;
    let Some(path) = line.strip_suffix('\n') else { return Ok(false) };
    dup2_stdin(File::open(path)?)?;
    if getuid().is_root() {
        // slirp4netns shuts itself in by unmounting all it sees, which must not reach the machine.
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None::<&str>)?;
    }
    Ok(true)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::Addresses;
    use super::*;

    fn line(way: Way, ipv6: bool, user: Option<&str>) -> String {
        let addresses = Addresses { network: [10, 0, 2, 0].into(), ipv6 };
        let (closed, name_servers, mark) = (vec![], vec![], String::new());
        let outside = Outside { way, addresses, closed, name_servers, mark, passes_names: ipv6 };
        let command = command(&outside, user).unwrap();
        command.join(&OsString::from(" ")).into_string().unwrap()
    }

    #[test]
    fn pasta_forwards_no_port_and_hides_the_machines_loopback() {
        let root = line(Way::Pasta("/usr/bin/pasta".into()), false, None);
        assert!(root.starts_with("/usr/bin/pasta --foreground"), "{root}");
        for words in
            ["--no-map-gw", "-t none -u none -T none -U none", "--runas 0:0", "--ipv4-only", "--netns /proc/self/fd/0"]
        {
            assert!(root.contains(words), "{words}: {root}");
        }
        let user = line(Way::Pasta("pasta".into()), true, Some("/proc/7/ns/user"));
        assert!(user.contains("--userns /proc/7/ns/user") && !user.contains("--runas"), "{user}");
        assert!(user.contains("--address fd4c:616e:6466:616c::64 --gateway fd4c:616e:6466:616c::2"), "{user}");
        assert!(!user.contains("--ipv4-only") && user.contains("--dns-forward 10.0.2.3"), "{user}");
        assert!(!root.contains("--dns-forward"), "{root}");
    }

    #[test]
    fn slirp4netns_is_shut_in() {
        let root = line(Way::Slirp4netns("slirp4netns".into()), false, None);
        for words in ["--disable-host-loopback", "--enable-sandbox", "--enable-seccomp", "--cidr 10.0.2.0/24"] {
            assert!(root.contains(words), "{words}: {root}");
        }
        assert!(root.contains("--netns-type path") && root.ends_with(" /proc/self/fd/0 tap0"), "{root}");
        let user = line(Way::Slirp4netns("slirp4netns".into()), false, Some("/proc/7/ns/user"));
        assert!(user.contains("--userns-path=/proc/7/ns/user") && !user.contains("--enable-sandbox"), "{user}");
    }
}
