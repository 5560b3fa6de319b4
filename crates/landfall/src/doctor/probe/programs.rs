//! Programs: which there are, and their versions.

use super::super::facts::{Packages, WaysOut};
use super::super::version::Version;
use std::path::PathBuf;
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
    WaysOut { pasta: there("pasta"), slirp4netns: there("slirp4netns"), nft: there("nft"), iptables: there("iptables") }
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
    fn programs_are_found_and_asked() {
        assert!(version("git").is_some());
        assert_eq!(version("no-such-program"), None);
    }
}
