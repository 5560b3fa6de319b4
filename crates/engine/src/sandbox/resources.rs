//! A container's limits in the runtime's terms.

use nix::sys::resource::{Resource, getrlimit};
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    LinuxCpuBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType, LinuxMemoryBuilder,
    LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder, PosixRlimit, PosixRlimitBuilder, PosixRlimitType,
};

use super::cgroup::Cgroups;
use crate::Limits;

/// Processes and threads of a container for which no number was asked: far more than builds have, and so few that a fork
/// bomb is in nobody's way.
const DEFAULT_PIDS: u32 = 4096;

/// The period over which processor time is limited, in microseconds: the kernel's default.
const CPU_PERIOD: u64 = 100_000;

/// Devices that a container daemon's containers are given and the runtime's own list has not: console and tun.
const FOR_DAEMONS: [(i64, i64); 2] = [(5, 1), (10, 200)];

/// Open files of a build: enough for any, and not the million that makes old programs close each in turn.
const OPEN_FILES: u64 = 65_536;
/// Memory that a build may keep from being swapped, in bytes.
const LOCKED: u64 = 64 << 20;

/// The limits as far as `cgroups` can keep them, and no devices but the few that the runtime always allows.
pub(super) fn resources(limits: Limits, cgroups: &Cgroups, privileged: bool) -> Result<LinuxResources, OciSpecError> {
    let pids = i64::from(limits.pids.unwrap_or(DEFAULT_PIDS));
    let mut resources = LinuxResourcesBuilder::default()
        .devices(devices(privileged)?)
        .pids(LinuxPidsBuilder::default().limit(pids).build()?);
    if let Some(bytes) = limits.memory_bytes {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let memory = LinuxMemoryBuilder::default().limit(bytes);
        // Memory and swap together: none is swapped out to have more.
        let memory = if cgroups.swap { memory.swap(bytes) } else { memory };
        resources = resources.memory(memory.build()?);
    }
    if let (Some(millis), true) = (limits.cpu_millis, cgroups.cpu) {
        let quota = i64::try_from(millis.saturating_mul(CPU_PERIOD / 1000)).unwrap_or(i64::MAX);
        resources = resources.cpu(LinuxCpuBuilder::default().quota(quota).period(CPU_PERIOD).build()?);
    }
    resources.build()
}

fn devices(privileged: bool) -> Result<Vec<LinuxDeviceCgroup>, OciSpecError> {
    let none = LinuxDeviceCgroupBuilder::default().allow(false).access("rwm").build()?;
    let more = FOR_DAEMONS.into_iter().filter(|_| privileged).map(|(major, minor)| {
        let device = LinuxDeviceCgroupBuilder::default().allow(true).typ(LinuxDeviceType::C);
        device.major(major).minor(minor).access("rwm").build()
    });
    std::iter::once(Ok(none)).chain(more).collect()
}

/// Limits of each process. A privileged container's daemon sets its own.
pub(super) fn rlimits(privileged: bool) -> Result<Vec<PosixRlimit>, OciSpecError> {
    let wanted = [
        (PosixRlimitType::RlimitCore, Resource::RLIMIT_CORE, 0),
        (PosixRlimitType::RlimitNofile, Resource::RLIMIT_NOFILE, OPEN_FILES),
        (PosixRlimitType::RlimitMemlock, Resource::RLIMIT_MEMLOCK, LOCKED),
    ];
    let count = if privileged { 1 } else { wanted.len() };
    let limit = |(kind, resource, most)| {
        // A limit that cannot be read is left as it is.
        let (_, hard) = getrlimit(resource).ok()?;
        let value = lowered(hard, most);
        Some(PosixRlimitBuilder::default().typ(kind).soft(value).hard(value).build())
    };
    wanted.into_iter().take(count).filter_map(limit).collect()
}

/// Never above the hard limit that this process has: raising it needs a privilege that even root may lack.
fn lowered(hard: u64, most: u64) -> u64 {
    hard.min(most)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn json(limits: Limits, cgroups: &Cgroups, privileged: bool) -> serde_json::Value {
        serde_json::to_value(resources(limits, cgroups, privileged).unwrap()).unwrap()
    }

    const ASKED: Limits =
        Limits { memory_bytes: Some(1 << 30), cpu_millis: Some(1500), pids: Some(99), disk_bytes: None };

    #[test]
    fn limits_are_in_the_kernels_units() {
        let resources = json(ASKED, &Cgroups::fake(true, true), false);
        assert_eq!(resources["memory"]["limit"], 1_i64 << 30);
        assert_eq!(resources["memory"]["swap"], 1_i64 << 30);
        assert_eq!(resources["cpu"]["quota"], 150_000);
        assert_eq!(resources["pids"]["limit"], 99);
    }

    #[test]
    fn what_groups_cannot_limit_is_not_asked_of_them() {
        let resources = json(ASKED, &Cgroups::fake(false, false), false);
        assert!(resources["memory"]["swap"].is_null() && resources["cpu"].is_null());
        assert_eq!(resources["memory"]["limit"], 1_i64 << 30);
    }

    #[test]
    fn processes_are_always_limited() {
        let resources = json(Limits::default(), &Cgroups::fake(true, true), false);
        assert_eq!(resources["pids"]["limit"], DEFAULT_PIDS);
        assert!(resources["memory"].is_null() && resources["cpu"].is_null());
    }

    #[test]
    fn a_daemons_devices_are_no_disks() {
        let devices = json(ASKED, &Cgroups::fake(true, true), true)["devices"].clone();
        let allowed: Vec<_> = devices.as_array().unwrap().iter().filter(|device| device["allow"] == true).collect();
        assert_eq!(allowed.len(), 2);
        assert!(allowed.iter().all(|device| device["type"] == "c"));
    }

    #[test]
    fn limits_of_processes_are_never_raised() {
        for (hard, most, expected) in [(20_000, 65_536, 20_000), (1 << 20, 65_536, 65_536), (0, 5, 0), (u64::MAX, 0, 0)]
        {
            assert_eq!(lowered(hard, most), expected);
        }
        let usual = rlimits(false).unwrap();
        for limit in &usual {
            assert_eq!(limit.soft(), limit.hard());
        }
        assert_eq!((usual.len(), rlimits(true).unwrap().len()), (3, 1));
    }
}
