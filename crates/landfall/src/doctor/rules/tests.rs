//! Many machines, and what the doctor says of each.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use proptest::prelude::*;

/// A Debian machine on which all is well.
fn healthy() -> Facts {
    Facts {
        kernel: Some(Version(6, 12, 0)),
        root: true,
        packages: Packages::Apt,
        cgroups: Cgroups::V2 { writable: true, controllers: true },
        user_namespaces: UserNamespaces { most: Some(15_000), unprivileged_clone: None, apparmor_restricts: None },
        overlayfs: true,
        runc: Some(Version(1, 3, 0)),
        git: Some(Version(2, 47, 0)),
        ways_out: WaysOut { pasta: true, ..WaysOut::default() },
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
    (|facts| facts.root = false, "user", Level::Fail, "sudo landfall serve"),
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
    (|facts| facts.runc = None, "runc", Level::Fail, "apt-get install --yes runc"),
    (|facts| facts.runc = Some(Version(1, 1, 5)), "runc", Level::Warn, "apt-get install --yes runc"),
    (|facts| facts.agent = false, "agent", Level::Fail, "scripts/build"),
    (|facts| facts.git = None, "git", Level::Fail, "apt-get install --yes git"),
    (|facts| facts.git = Some(Version(2, 30, 2)), "git", Level::Fail, "apt-get install --yes git"),
    (|facts| facts.ways_out = WaysOut::default(), "network", Level::Warn, "apt-get install --yes passt"),
    (|facts| facts.ways_out = WaysOut { iptables: true, ..WaysOut::default() }, "network", Level::Ok, "masquerade"),
    (|facts| facts.ways_out = WaysOut { slirp4netns: true, ..WaysOut::default() }, "network", Level::Ok, "slirp4netns"),
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
        assert_eq!(finding.level, Level::Warn);
        assert!(finding.fix.as_ref().is_some_and(|text| text.contains(fix)), "{finding:?}");
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
            let facts = Facts { kernel: Some(version), git: Some(version), runc: Some(version), ..healthy() };
            ["kernel", "git", "runc"].map(|name| worse(find(&facts, name).level))
        };
        let (older, newer) = (of(Version(major, minor, patch)), of(Version(major, minor, patch + 1)));
        prop_assert!(newer.iter().zip(older).all(|(newer, older)| *newer <= older));
    }
}
