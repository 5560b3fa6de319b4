//! What the facts mean, and what to do about them. Pure.

mod containers;

use super::facts::{Clock, Facts, Folder, FolderState, Packages, Port};
use super::version::Version;
use crate::terminal::bytes;

/// pidfds, cgroup.kill's older sister and overlays in user namespaces are there.
const KERNEL: Version = Version(5, 4, 0);
/// `git upload-pack --http-backend-info-refs` is known.
const GIT: Version = Version(2, 34, 0);
/// Less room soon ends in failed builds.
const ROOM: u64 = 5_000_000_000;
/// Less room is none.
const LEAST_ROOM: u64 = 500_000_000;
/// A busy server has this many connections, sockets and files open.
const OPEN_FILES: u64 = 4_096;

/// How a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Ok,
    /// It works, with something to think about.
    Warn,
    /// `landfall serve` or its builds cannot work.
    Fail,
}

impl Level {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    pub(super) fn mark(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Warn => '!',
            Self::Fail => '✗',
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) name: &'static str,
    pub(super) level: Level,
    pub(super) says: String,
    /// The command that mends it, or what to do.
    pub(super) fix: Option<String>,
}

/// The verdict on one thing, before it has its name.
type Verdict = (Level, String, Option<String>);

fn ok(says: impl Into<String>) -> Verdict {
    (Level::Ok, says.into(), None)
}

fn warn(says: impl Into<String>, fix: impl Into<String>) -> Verdict {
    (Level::Warn, says.into(), Some(fix.into()))
}

fn fail(says: impl Into<String>, fix: impl Into<String>) -> Verdict {
    (Level::Fail, says.into(), Some(fix.into()))
}

/// Every finding, in the order in which one would mend them.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let install = |package: &str| install(facts.packages, facts.root, package);
    [
        ("kernel", kernel(facts.kernel)),
        ("user", containers::user(facts.root, facts.subordinate, &install("uidmap"))),
        ("cgroups", containers::cgroups(facts.cgroups, facts.root)),
        ("user namespaces", containers::user_namespaces(facts.user_namespaces, facts.root)),
        ("overlayfs", containers::overlayfs(facts.overlayfs)),
        ("OCI runtime", containers::runtime(facts.runtimes, &install("runc"))),
        ("agent", agent(facts.agent)),
        ("sandbox", containers::sandbox(&facts.sandbox)),
        ("network", containers::network(facts, &install(pasta(facts.packages)))),
        ("daemon", containers::daemon(facts.daemon.as_ref())),
        ("images", containers::images(facts.images)),
        ("git", git(facts.git, &install("git"))),
        ("open files", open_files(facts.open_files)),
        ("clock", clock(facts.clock)),
        ("port", port(&facts.port)),
        ("data folder", folder(&facts.folder)),
        ("disk", disk(&facts.folder)),
    ]
    .into_iter()
    .map(|(name, (level, says, fix))| Finding { name, level, says, fix })
    .collect()
}

/// The command that installs a package.
fn install(packages: Packages, root: bool, package: &str) -> String {
    let command = match packages {
        Packages::Apt => "apt-get install --yes",
        Packages::Dnf => "dnf install -y",
        Packages::Pacman => "pacman -S --noconfirm",
        Packages::Zypper => "zypper install -y",
        Packages::Apk => "apk add",
        Packages::Unknown => return format!("install the package {package}"),
    };
    format!("{}{command} {package}", if root { "" } else { "sudo " })
}

/// The package that pasta is in.
fn pasta(packages: Packages) -> &'static str {
    if packages == Packages::Unknown { "passt (or slirp4netns)" } else { "passt" }
}

fn kernel(found: Option<Version>) -> Verdict {
    match found {
        Some(version) if version >= KERNEL => ok(format!("Linux {version}")),
        Some(version) => fail(format!("Linux {version}; {KERNEL} is needed"), "use a machine with a newer kernel"),
        None => warn("its version cannot be read", "cat /proc/sys/kernel/osrelease"),
    }
}

fn agent(found: bool) -> Verdict {
    if found {
        return ok("landfall-agent is there");
    }
    fail("landfall-agent is neither in this program's file nor beside it", "scripts/build")
}

fn git(found: Option<Version>, install: &str) -> Verdict {
    match found {
        Some(version) if version >= GIT => ok(version.to_string()),
        Some(version) => fail(format!("{version}; {GIT} is needed to serve repositories"), install),
        None => fail("not found: it serves the repositories", install),
    }
}

fn open_files(found: Option<(u64, u64)>) -> Verdict {
    match found {
        Some((soft, _)) if soft >= OPEN_FILES => ok(soft.to_string()),
        Some((soft, hard)) if hard >= OPEN_FILES => {
            warn(format!("{soft}; {OPEN_FILES} are better for many connections"), format!("ulimit -n {OPEN_FILES}"))
        }
        Some((soft, hard)) => warn(
            format!("{soft}, at most {hard}; {OPEN_FILES} are better for many connections"),
            "LimitNOFILE=65536 in packaging/landfall.service, or a line in /etc/security/limits.conf",
        ),
        None => warn("the limit cannot be read", "ulimit -n"),
    }
}

fn clock(found: Clock) -> Verdict {
    match found {
        Clock::Plausible { synchronized: true } => ok("synchronized"),
        Clock::Plausible { synchronized: false } => ok("plausible; clients may differ by 15 minutes at most"),
        Clock::Past => {
            fail("it is before this release was made: signatures will not be taken", "timedatectl set-ntp true")
        }
        Clock::BehindFolder(seconds) => {
            warn(format!("{seconds} s behind what the data folder was last written at"), "timedatectl set-ntp true")
        }
    }
}

fn port(found: &Port) -> Verdict {
    match found {
        Port::Free(address) => ok(format!("{address} is free")),
        Port::Ours(address) => ok(format!("{address}: the server of this data folder runs")),
        Port::Taken(address) => fail(
            format!("{address} is taken by another program"),
            "landfall serve --listen 127.0.0.1:4567, or end the other: ss -ltnp",
        ),
        Port::Refused(address, reason) => {
            fail(format!("{address}: {reason}"), "landfall serve --listen 127.0.0.1:4566")
        }
    }
}

fn folder(found: &Folder) -> Verdict {
    let path = found.path.display();
    if found.on_overlay {
        return fail(
            format!("{path} is on an overlay file system, on which builds cannot stack theirs"),
            "landfall serve --data-dir on a disk or a volume",
        );
    }
    match &found.state {
        FolderState::Absent { can_be_made: true } => ok(format!("{path} will be made")),
        FolderState::Absent { can_be_made: false } => {
            fail(format!("{path} cannot be made by this user"), format!("sudo install -d -m 700 -o $USER {path}"))
        }
        FolderState::NoFolder => fail(format!("{path} is no folder"), "landfall serve --data-dir DIR"),
        FolderState::Unwritable => {
            fail(format!("{path} cannot be written by this user"), format!("sudo chown -R $USER {path}, or use sudo"))
        }
        FolderState::Open(mode) => {
            warn(format!("every user may look into {path} (mode {mode:o})"), format!("chmod 700 {path}"))
        }
        FolderState::Newer { found, known } => fail(
            format!("{path} has format {found}, and this version knows {known}"),
            "use the newer version that wrote it, or `landfall restore` a backup",
        ),
        FolderState::Good { format: Some(format) } => ok(format!("{path}, format {format}")),
        FolderState::Good { format: None } => ok(path.to_string()),
    }
}

fn disk(found: &Folder) -> Verdict {
    match found.free {
        Some(free) if free >= ROOM => ok(format!("{} free", bytes(free))),
        Some(free) if free >= LEAST_ROOM => {
            warn(format!("{} free", bytes(free)), "landfall gc --dry-run, or a --data-dir with more room")
        }
        Some(free) => fail(format!("{} free", bytes(free)), "a --data-dir with more room"),
        None => warn("the free room cannot be read", format!("df {}", found.path.display())),
    }
}

#[cfg(test)]
mod tests;
