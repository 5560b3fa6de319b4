//! The kernel: what it is, has and allows.

use super::super::facts::{Cgroups, Clock, UserNamespaces};
use super::super::version::Version;
use kernel::{Clock as _, SystemClock, Timestamp};
use nix::sys::resource::{Resource, getrlimit};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// 2026-11-01: no clock that is right shows an earlier time to this release.
const RELEASE: i64 = 1_793_491_200;
/// Two clocks that agree differ by less, in seconds.
const TOLERANCE: u64 = 300;

pub(super) fn kernel() -> Option<Version> {
    Version::find(&std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?)
}

pub(super) fn user_namespaces() -> UserNamespaces {
    let number = |name: &str| std::fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse::<u64>().ok();
    let switch = |name: &str| number(name).map(|value| value != 0);
    UserNamespaces {
        most: number("user/max_user_namespaces"),
        unprivileged_clone: switch("kernel/unprivileged_userns_clone"),
        apparmor_restricts: switch("kernel/apparmor_restrict_unprivileged_userns"),
    }
}

/// Loaded, or there to be loaded at the first mount.
pub(super) fn overlayfs() -> bool {
    let loaded = std::fs::read_to_string("/proc/filesystems")
        .is_ok_and(|list| list.lines().any(|line| line.ends_with("\toverlay")));
    let modules = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    loaded || Path::new("/lib/modules").join(modules.trim()).join("kernel/fs/overlayfs").is_dir()
}

pub(super) fn open_files() -> Option<(u64, u64)> {
    getrlimit(Resource::RLIMIT_NOFILE).ok()
}

/// How control groups are mounted at `root`, usually /sys/fs/cgroup.
pub(super) fn cgroups(root: &Path) -> Cgroups {
    if let Ok(controllers) = std::fs::read_to_string(root.join("cgroup.controllers")) {
        let has = |name: &str| controllers.split_whitespace().any(|controller| controller == name);
        return Cgroups::V2 { writable: can_make_group(root), controllers: has("memory") && has("pids") };
    }
    let memory = root.join("memory");
    if !memory.is_dir() {
        return Cgroups::None;
    }
    Cgroups::V1 { hybrid: root.join("unified/cgroup.controllers").exists(), writable: can_make_group(&memory) }
}

/// Makes a group and removes it: what the file's mode says does not count in a container.
fn can_make_group(hierarchy: &Path) -> bool {
    let group = hierarchy.join(format!("landfall-doctor-{}", std::process::id()));
    std::fs::create_dir(&group).and_then(|()| std::fs::remove_dir(&group)).is_ok()
}

pub(super) fn clock(data_dir: &Path) -> Clock {
    let now = SystemClock.now();
    if now < Timestamp::from_seconds(RELEASE) {
        return Clock::Past;
    }
    let written =
        std::fs::metadata(data_dir.join(kernel::store::DATABASE)).and_then(|metadata| metadata.modified()).ok();
    let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |time| time.as_secs());
    let behind = written.saturating_sub(u64::try_from(now.seconds()).unwrap_or(0));
    if behind > TOLERANCE {
        return Clock::BehindFolder(behind);
    }
    // systemd-timesyncd leaves this; others leave nothing that is easy to read.
    Clock::Plausible { synchronized: Path::new("/run/systemd/timesync/synchronized").exists() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_is_known_by_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(cgroups(root), Cgroups::None);
        std::fs::create_dir_all(root.join("memory")).unwrap();
        assert_eq!(cgroups(root), Cgroups::V1 { hybrid: false, writable: true });
        std::fs::create_dir_all(root.join("unified")).unwrap();
        std::fs::write(root.join("unified/cgroup.controllers"), "hugetlb").unwrap();
        assert_eq!(cgroups(root), Cgroups::V1 { hybrid: true, writable: true });
        std::fs::write(root.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        assert_eq!(cgroups(root), Cgroups::V2 { writable: true, controllers: true });
        std::fs::write(root.join("cgroup.controllers"), "cpu\n").unwrap();
        assert_eq!(cgroups(root), Cgroups::V2 { writable: true, controllers: false });
    }

    #[test]
    fn a_folder_from_the_future_shows_that_the_clock_is_behind() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(clock(folder.path()), Clock::Plausible { .. }));
        let database = std::fs::File::create(folder.path().join(kernel::store::DATABASE)).unwrap();
        let ahead = u64::try_from(SystemClock.now().seconds()).unwrap() + 3_600;
        database.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(ahead)).unwrap();
        assert!(matches!(clock(folder.path()), Clock::BehindFolder(seconds) if seconds > 3_000));
    }
}
