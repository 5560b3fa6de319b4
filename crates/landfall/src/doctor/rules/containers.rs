//! What builds need: containers, their limits, their network, their images.

use super::super::facts::{Cgroups, Daemon, Facts, Images, Runtimes, Sandbox, Subordinate, UserNamespaces, WaysOut};
use super::super::version::Version;
use super::{Verdict, fail, ok, warn};
use crate::span;
use crate::terminal::bytes;

/// CVE-2024-21626 lets a container out in earlier ones, unless the distribution has mended them.
const RUNC: Version = Version(1, 1, 12);

pub(super) fn user(root: bool, found: Subordinate, install: &str) -> Verdict {
    match (root, found) {
        (true, _) => ok("root"),
        (false, Subordinate { programs: true, ranges: true }) => {
            ok("an ordinary user, with subordinate ids: privileged builds and limits without delegation need root")
        }
        (false, Subordinate { programs: false, .. }) => warn(
            "an ordinary user, without newuidmap: builds have a single user and group, so that apt and chown fail in them",
            install,
        ),
        (false, Subordinate { ranges: false, .. }) => warn(
            "an ordinary user, without subordinate ids: builds have a single user and group, so that apt and chown fail in them",
            "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER",
        ),
    }
}

/// What is mounted; whether containers can really be limited is [`sandbox`]'s to say, for it tries.
pub(super) fn cgroups(found: Cgroups, root: bool) -> Verdict {
    match found {
        Cgroups::V2 { writable: false, .. } if !root => {
            ok("version 2; an ordinary user's groups are below those that systemd gave")
        }
        Cgroups::V1 { writable: false, .. } if !root => {
            ok("version 1: builds of an ordinary user cannot be limited, unless the groups are given to the user")
        }
        Cgroups::V2 { writable: true, controllers: true } => ok("version 2"),
        Cgroups::V2 { writable: false, .. } => fail(
            "version 2, but no group can be made: builds cannot be bounded",
            "run as root, or under systemd with Delegate=yes (packaging/landfall.service)",
        ),
        Cgroups::V2 { controllers: false, .. } => warn(
            "version 2 without memory and pids: a build can take all of the machine",
            "echo '+memory +pids +cpu' > /sys/fs/cgroup/cgroup.subtree_control, or Delegate=yes under systemd",
        ),
        Cgroups::V1 { writable: true, hybrid } => ok(if hybrid { "version 1 and 2 (hybrid)" } else { "version 1" }),
        Cgroups::V1 { writable: false, .. } => {
            fail("version 1, but no group can be made: builds cannot be bounded", "run as root, outside of a container")
        }
        Cgroups::None => fail("not mounted: builds cannot be bounded", "mount -t cgroup2 none /sys/fs/cgroup"),
    }
}

pub(super) fn user_namespaces(found: UserNamespaces, root: bool) -> Verdict {
    let shut = |says: &str, fix: &str| {
        if root {
            ok(format!("{says} (root needs none)"))
        } else {
            fail(format!("{says}: only root can run builds"), fix)
        }
    };
    match found {
        UserNamespaces { most: Some(0), .. } => shut("none are allowed", "sysctl -w user.max_user_namespaces=15000"),
        UserNamespaces { unprivileged_clone: Some(false), .. } => {
            shut("for root alone", "sysctl -w kernel.unprivileged_userns_clone=1")
        }
        UserNamespaces { apparmor_restricts: Some(true), .. } => shut(
            "restricted by AppArmor, as on Ubuntu since 24.04",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        UserNamespaces { most: None, .. } => shut("this kernel has none", "use a kernel with CONFIG_USER_NS"),
        _ => ok("allowed"),
    }
}

pub(super) fn overlayfs(found: bool) -> Verdict {
    if found {
        return ok("there");
    }
    fail("this kernel does not have it loaded: builds see their image through overlays", "modprobe overlay")
}

pub(super) fn runtime(found: Runtimes, install: &str) -> Verdict {
    let crun = found.crun.map(|version| format!("crun {version}"));
    match (found.runc, crun) {
        (Some(runc), crun) if runc >= RUNC => ok(with(crun, format!("runc {runc}"))),
        (Some(runc), crun) => warn(
            with(
                crun,
                format!("runc {runc}; {RUNC} mended CVE-2024-21626, which distributions may have done in theirs"),
            ),
            install,
        ),
        (None, Some(crun)) => ok(crun),
        (None, None) => fail("neither runc nor crun is here: one of them starts the containers of builds", install),
    }
}

fn with(first: Option<String>, second: String) -> String {
    first.map_or_else(|| second.clone(), |first| format!("{first}, {second}"))
}

/// The proof: a container ran, or why it did not.
pub(super) fn sandbox(found: &Sandbox) -> Verdict {
    match found {
        Sandbox::Ran { took, .. } => ok(format!(
            "a container ran here in {}, its memory, processors, processes and disk limited",
            span::said(*took)
        )),
        Sandbox::Failed(why) => {
            let (says, fix) =
                why.split_once(": ").unwrap_or((why, "landfall serve --engine docker, where a daemon runs"));
            fail(says, fix)
        }
        Sandbox::NotTried => ok("not tried, for what is said above"),
    }
}

/// How builds reach other networks.
pub(super) fn network(facts: &Facts, install: &str) -> Verdict {
    const ALONE: &str = "builds reach Landfall alone";
    if let Sandbox::Ran { way_out: Some(way_out), .. } = facts.sandbox {
        return ok(format!("builds reach other networks by {way_out}"));
    }
    match facts.ways_out {
        WaysOut { tun_denied: true, pasta, slirp4netns, .. } if pasta || slirp4netns => warn(
            format!("{ALONE}: this user may not open /dev/net/tun, which pasta and slirp4netns need"),
            "sudo chmod 0666 /dev/net/tun",
        ),
        WaysOut { tun: false, pasta, slirp4netns, .. } if pasta || slirp4netns => warn(
            format!("{ALONE}: there is no /dev/net/tun, which pasta and slirp4netns need"),
            "modprobe tun; in a container, give it the device /dev/net/tun",
        ),
        WaysOut { pasta: false, slirp4netns: false, .. } => warn(format!("{ALONE}: there is no way out here"), install),
        _ if matches!(facts.sandbox, Sandbox::Ran { .. }) => {
            warn(format!("{ALONE}: pasta or slirp4netns is here, but did not work"), install)
        }
        WaysOut { pasta: true, .. } => ok("pasta is here, and is tried with the first build"),
        _ => ok("slirp4netns is here, and is tried with the first build"),
    }
}

/// A daemon is no need: the sandbox does without.
pub(super) fn daemon(found: Option<&Daemon>) -> Verdict {
    match found {
        Some(Daemon { socket, name, api }) => {
            ok(format!("{name} at {socket} (API {api}): --engine docker, and auto, run builds by it"))
        }
        None => ok("no Docker or Podman answers: builds run in the sandbox"),
    }
}

/// What is in the store.
pub(super) fn images(found: Option<Images>) -> Verdict {
    match found {
        Some(Images { standard: true, count, bytes: size }) => {
            ok(format!("{count}, {}, the standard one among them", bytes(size)))
        }
        Some(Images { count, bytes: size, .. }) => {
            ok(format!("{count}, {}; for aws/codebuild/*: landfall images build standard, or --image-map", bytes(size)))
        }
        None => ok("none yet; for aws/codebuild/*: landfall images build standard, or --image-map"),
    }
}
