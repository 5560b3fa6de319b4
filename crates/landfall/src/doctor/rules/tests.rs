//! Many machines, and what the doctor says of each.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::super::facts::{Cgroups, Daemon, Images, Runtimes, Sandbox, Subordinate, UserNamespaces, WaysOut};
use super::*;
use proptest::prelude::*;
use std::time::Duration;

/// A Debian machine on which all is well.
fn healthy() -> Facts {
    Facts {
        kernel: Some(Version(6, 12, 0)),
        root: true,
        packages: Packages::Apt,
        cgroups: Cgroups::V2 { writable: true, controllers: true },
        user_namespaces: UserNamespaces { most: Some(15_000), unprivileged_clone: None, apparmor_restricts: None },
        overlayfs: true,
        runtimes: Runtimes { runc: Some(Version(1, 3, 0)), crun: Some(Version(1, 20, 0)) },
        subordinate: Subordinate::default(),
        sandbox: Sandbox::Ran { took: Duration::from_millis(40), way_out: Some("pasta") },
        daemon: None,
        images: None,
        git: Some(Version(2, 47, 0)),
        ways_out: WaysOut { pasta: true, tun: true, ..WaysOut::default() },
        agent: true,
        open_files: Some((65_536, 65_536)),
        clock: Clock::Plausible { synchronized: true },
        port: Port::Free("127.0.0.1:4566".to_owned()),
        folder: Folder {
            path: "landfall-data".into(),
            state: FolderState::Absent { can_be_made: true },
            free: Some(100_000_000_000),
            on_overlay: false,
        },
    }
}

fn find(facts: &Facts, name: &str) -> Finding {
    judge(facts).into_iter().find(|finding| finding.name == name).unwrap()
}

#[test]
fn nothing_is_said_against_a_healthy_machine() {
    for finding in judge(&healthy()) {
        assert_eq!((finding.level, &finding.fix), (Level::Ok, &None), "{finding:?}");
    }
}

/// A change to the healthy machine, the finding that it shows in, its level, and a part of the fix (or of what it says,
/// where there is nothing to mend).
type Case = (fn(&mut Facts), &'static str, Level, &'static str);

const CASES: &[Case] = &[
    (|facts| facts.kernel = Some(Version(4, 19, 0)), "kernel", Level::Fail, "newer kernel"),
    (|facts| facts.kernel = None, "kernel", Level::Warn, "osrelease"),
    (|facts| facts.root = false, "user", Level::Warn, "install --yes uidmap"),
    (
        |facts| {
            facts.root = false;
            facts.subordinate = Subordinate { programs: true, ranges: false };
        },
        "user",
        Level::Warn,
        "--add-subuids",
    ),
    (
        |facts| {
            facts.root = false;
            facts.subordinate = Subordinate { programs: true, ranges: true };
        },
        "user",
        Level::Ok,
        "subordinate ids",
    ),
    (|facts| facts.cgroups = Cgroups::None, "cgroups", Level::Fail, "mount -t cgroup2"),
    (
        |facts| facts.cgroups = Cgroups::V2 { writable: false, controllers: true },
        "cgroups",
        Level::Fail,
        "Delegate=yes",
    ),
    (|facts| facts.cgroups = Cgroups::V2 { writable: true, controllers: false }, "cgroups", Level::Warn, "+memory"),
    (|facts| facts.cgroups = Cgroups::V1 { hybrid: true, writable: true }, "cgroups", Level::Ok, "hybrid"),
    (|facts| facts.cgroups = Cgroups::V1 { hybrid: false, writable: true }, "cgroups", Level::Ok, "version 1"),
    (|facts| facts.cgroups = Cgroups::V1 { hybrid: false, writable: false }, "cgroups", Level::Fail, "as root"),
    (|facts| facts.user_namespaces.most = Some(0), "user namespaces", Level::Ok, "root needs none"),
    (|facts| facts.user_namespaces.most = None, "user namespaces", Level::Ok, "root needs none"),
    (|facts| facts.overlayfs = false, "overlayfs", Level::Fail, "modprobe overlay"),
    (|facts| facts.runtimes = Runtimes::default(), "OCI runtime", Level::Fail, "apt-get install --yes runc"),
    (|facts| facts.runtimes.runc = None, "OCI runtime", Level::Ok, "crun 1.20.0"),
    (|facts| facts.runtimes.crun = None, "OCI runtime", Level::Ok, "runc 1.3.0"),
    (|facts| facts.runtimes.runc = Some(Version(1, 1, 5)), "OCI runtime", Level::Warn, "apt-get install --yes runc"),
    (
        |facts| facts.sandbox = Sandbox::Failed("no loops: modprobe loop".into()),
        "sandbox",
        Level::Fail,
        "modprobe loop",
    ),
    (|facts| facts.sandbox = Sandbox::Failed("it broke".into()), "sandbox", Level::Fail, "--engine docker"),
    (|facts| facts.sandbox = Sandbox::NotTried, "sandbox", Level::Ok, "not tried"),
    (
        |facts| {
            let daemon = ("/var/run/docker.sock", "Docker 28.2", "1.50");
            let (socket, name, api) = (daemon.0.to_owned(), daemon.1.to_owned(), daemon.2.to_owned());
            facts.daemon = Some(Daemon { socket, name, api });
        },
        "daemon",
        Level::Ok,
        "Docker 28.2 at /var/run/docker.sock (API 1.50)",
    ),
    (|facts| facts.images = Some(Images { count: 2, bytes: 7_000, standard: true }), "images", Level::Ok, "2, 7.0 kB"),
    (
        |facts| facts.images = Some(Images { count: 0, bytes: 0, standard: false }),
        "images",
        Level::Ok,
        "build standard",
    ),
    (|facts| facts.agent = false, "agent", Level::Fail, "scripts/build"),
    (|facts| facts.git = None, "git", Level::Fail, "apt-get install --yes git"),
    (|facts| facts.git = Some(Version(2, 30, 2)), "git", Level::Fail, "apt-get install --yes git"),
    (|facts| without_way_out(facts, WaysOut::default()), "network", Level::Warn, "apt-get install --yes passt"),
    (
        |facts| without_way_out(facts, WaysOut { pasta: true, ..WaysOut::default() }),
        "network",
        Level::Warn,
        "modprobe tun",
    ),
    (
        |facts| {
            facts.sandbox = Sandbox::NotTried;
            facts.ways_out = WaysOut { pasta: true, tun_denied: true, ..WaysOut::default() };
        },
        "network",
        Level::Warn,
        "chmod 0666 /dev/net/tun",
    ),
    (
        |facts| without_way_out(facts, WaysOut { pasta: true, tun: true, ..WaysOut::default() }),
        "network",
        Level::Warn,
        "passt",
    ),
    (|facts| facts.open_files = Some((1_024, 524_288)), "open files", Level::Warn, "ulimit -n 4096"),
    (|facts| facts.open_files = Some((1_024, 1_024)), "open files", Level::Warn, "LimitNOFILE"),
    (|facts| facts.open_files = None, "open files", Level::Warn, "ulimit"),
    (|facts| facts.clock = Clock::Past, "clock", Level::Fail, "timedatectl"),
    (|facts| facts.clock = Clock::BehindFolder(600), "clock", Level::Warn, "timedatectl"),
    (|facts| facts.clock = Clock::Plausible { synchronized: false }, "clock", Level::Ok, "15 minutes"),
    (|facts| facts.port = Port::Taken("127.0.0.1:4566".into()), "port", Level::Fail, "--listen"),
    (|facts| facts.port = Port::Ours("127.0.0.1:4566".into()), "port", Level::Ok, "runs"),
    (|facts| facts.port = Port::Refused("1.2.3.4:80".into(), "no".into()), "port", Level::Fail, "--listen"),
    (|facts| facts.folder.state = FolderState::Absent { can_be_made: false }, "data folder", Level::Fail, "install -d"),
    (|facts| facts.folder.state = FolderState::NoFolder, "data folder", Level::Fail, "--data-dir"),
    (|facts| facts.folder.state = FolderState::Unwritable, "data folder", Level::Fail, "chown"),
    (|facts| facts.folder.state = FolderState::Open(0o755), "data folder", Level::Warn, "chmod 700 landfall-data"),
    (
        |facts| facts.folder.state = FolderState::Newer { found: 9, known: 2 },
        "data folder",
        Level::Fail,
        "newer version",
    ),
    (|facts| facts.folder.state = FolderState::Good { format: Some(2) }, "data folder", Level::Ok, "format 2"),
    (|facts| facts.folder.on_overlay = true, "data folder", Level::Fail, "disk or a volume"),
    (|facts| facts.folder.free = Some(1_000_000_000), "disk", Level::Warn, "landfall gc"),
    (|facts| facts.folder.free = Some(1_000_000), "disk", Level::Fail, "more room"),
    (|facts| facts.folder.free = None, "disk", Level::Warn, "df "),
];

/// A machine whose containers have their loopback alone.
fn without_way_out(facts: &mut Facts, found: WaysOut) {
    facts.sandbox = Sandbox::Ran { took: Duration::from_millis(40), way_out: None };
    facts.ways_out = found;
}

#[test]
fn each_lack_is_found_with_its_fix() {
    for (place, (change, name, level, part)) in CASES.iter().enumerate() {
        let mut facts = healthy();
        change(&mut facts);
        let finding = find(&facts, name);
        assert_eq!(finding.level, *level, "case {place}: {finding:?}");
        let text = if *level == Level::Ok { &finding.says } else { finding.fix.as_ref().unwrap() };
        assert!(text.contains(part), "case {place}: {finding:?}");
        // One lack is one finding.
        for other in judge(&facts).iter().filter(|other| other.name != *name) {
            assert_eq!(other.level, Level::Ok, "case {place}: {other:?}");
        }
    }
}

#[test]
fn without_root_the_way_to_user_namespaces_is_told() {
    let unrestricted = healthy().user_namespaces;
    for (found, fix) in [
        (UserNamespaces { most: Some(0), ..unrestricted }, "user.max_user_namespaces"),
        (UserNamespaces { unprivileged_clone: Some(false), ..unrestricted }, "unprivileged_userns_clone=1"),
        (UserNamespaces { apparmor_restricts: Some(true), ..unrestricted }, "apparmor_restrict_unprivileged_userns=0"),
    ] {
        let facts = Facts { root: false, user_namespaces: found, ..healthy() };
        let finding = find(&facts, "user namespaces");
        assert_eq!(finding.level, Level::Fail);
        assert!(finding.fix.as_ref().is_some_and(|text| text.contains(fix)), "{finding:?}");
    }
}

#[test]
fn an_untried_sandbox_still_has_its_programs() {
    for (found, part) in [
        (WaysOut { pasta: true, tun: true, ..WaysOut::default() }, "pasta"),
        (WaysOut { slirp4netns: true, tun: true, ..WaysOut::default() }, "slirp4netns"),
    ] {
        let facts = Facts { sandbox: Sandbox::NotTried, ways_out: found, ..healthy() };
        let finding = find(&facts, "network");
        assert!(finding.level == Level::Ok && finding.says.contains(part), "{finding:?}");
    }
}

#[test]
fn each_distribution_installs_in_its_way() {
    for (packages, root, command) in [
        (Packages::Apt, true, "apt-get install --yes git"),
        (Packages::Apt, false, "sudo apt-get install --yes git"),
        (Packages::Dnf, true, "dnf install -y git"),
        (Packages::Pacman, true, "pacman -S --noconfirm git"),
        (Packages::Zypper, true, "zypper install -y git"),
        (Packages::Apk, true, "apk add git"),
        (Packages::Unknown, true, "install the package git"),
    ] {
        let facts = Facts { packages, root, git: None, ..healthy() };
        assert_eq!(find(&facts, "git").fix.as_deref(), Some(command));
    }
}

proptest! {
    #[test]
    fn a_newer_program_is_never_worse(major in 0u32..4, minor in 0u32..60, patch in 0u32..30) {
        let worse = |level| match level { Level::Ok => 0, Level::Warn => 1, Level::Fail => 2 };
        let of = |version| {
            let runtimes = Runtimes { runc: Some(version), crun: None };
            let facts = Facts { kernel: Some(version), git: Some(version), runtimes, ..healthy() };
            ["kernel", "git", "OCI runtime"].map(|name| worse(find(&facts, name).level))
        };
        let (older, newer) = (of(Version(major, minor, patch)), of(Version(major, minor, patch + 1)));
        prop_assert!(newer.iter().zip(older).all(|(newer, older)| *newer <= older));
    }
}
