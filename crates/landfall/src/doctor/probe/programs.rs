//! Programs: which there are, and their versions.

use super::super::facts::{Packages, Runtimes, Subordinate, WaysOut};
use super::super::version::Version;
use nix::unistd::{User, geteuid};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where programs are besides PATH, which may lack the folders for root.
const USUAL_FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/// The version that a program tells, if it is there.
pub(super) fn version(program: &str) -> Option<Version> {
    let output = Command::new(find(program)?).arg("--version").stdin(Stdio::null()).output().ok()?;
    Version::find(&String::from_utf8_lossy(&output.stdout))
}

/// The programs that could give builds a network.
pub(super) fn ways_out() -> WaysOut {
    let there = |program: &str| find(program).is_some();
    let device = Path::new("/dev/net/tun");
    let tun = File::options().read(true).write(true).open(device).is_ok();
    WaysOut { pasta: there("pasta"), slirp4netns: there("slirp4netns"), tun, tun_denied: !tun && device.exists() }
}

/// The programs that make containers.
pub(super) fn runtimes() -> Runtimes {
    Runtimes { runc: version("runc"), crun: version("crun") }
}

/// What an ordinary user has of further ids (subuid(5)).
pub(super) fn subordinate() -> Subordinate {
    let user = User::from_uid(geteuid()).ok().flatten().map(|user| user.name).unwrap_or_default();
    let has = |file: &str| std::fs::read_to_string(file).is_ok_and(|text| has_range(&text, &user, geteuid().as_raw()));
    let programs = ["newuidmap", "newgidmap"].into_iter().all(|program| find(program).is_some());
    Subordinate { programs, ranges: has("/etc/subuid") && has("/etc/subgid") }
}

fn has_range(text: &str, user: &str, uid: u32) -> bool {
    let number = uid.to_string();
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .any(|(who, _)| who == number || (!user.is_empty() && who == user))
}

/// What installs packages here.
pub(super) fn packages() -> Packages {
    [
        ("apt-get", Packages::Apt),
        ("dnf", Packages::Dnf),
        ("pacman", Packages::Pacman),
        ("zypper", Packages::Zypper),
        ("apk", Packages::Apk),
    ]
    .into_iter()
    .find(|(program, _)| find(program).is_some())
    .map_or(Packages::Unknown, |(_, packages)| packages)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(USUAL_FOLDERS.into_iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_users_by_name_or_number() {
        let text = "ann:100000:65536\n1001:165536:65536\n";
        assert!(has_range(text, "ann", 1000) && has_range(text, "bob", 1001));
        assert!(!has_range(text, "bob", 1002) && !has_range(text, "", 1002));
    }

    #[test]
    fn programs_are_found_and_asked() {
        assert!(version("git").is_some());
        assert_eq!(version("no-such-program"), None);
    }
}
