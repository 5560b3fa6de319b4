use std::collections::HashSet;
use std::path::Path;

use oci_spec::OciSpecError;
use oci_spec::runtime::{Capability, LinuxCapabilities, LinuxCapabilitiesBuilder};

/// What root in a container may do: the usual fourteen. None of them reaches the machine's network,
/// mounts, devices, modules or clock.
const CAPABILITIES: [Capability; 14] = [
    Capability::AuditWrite,
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Mknod,
    Capability::NetBindService,
    Capability::NetRaw,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysChroot,
];

/// Kernel files that tell about the machine or other containers: seen empty.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Kernel files through which root could change the machine.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The same for a container daemon, which sets up its own network in /proc/sys/net.
const READ_ONLY_FOR_DAEMONS: [&str; 8] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys/dev",
    "/proc/sys/fs",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/proc/sysrq-trigger",
];

/// What a container daemon needs besides: namespaces, mounts and networks, each within what is the container's own. What
/// reaches past any namespace (modules, raw devices, the clock, rebooting, the kernel's log, accounting) is not among them.
const CAPABILITIES_OF_DAEMONS: [Capability; 12] = [
    Capability::CheckpointRestore,
    Capability::DacReadSearch,
    Capability::IpcLock,
    Capability::IpcOwner,
    Capability::Lease,
    Capability::LinuxImmutable,
    Capability::NetAdmin,
    Capability::NetBroadcast,
    Capability::SysAdmin,
    Capability::SysNice,
    Capability::SysPtrace,
    Capability::SysResource,
];

/// The bounding, permitted and effective sets, as far as this process has them to give (`own`, as in [`own_capabilities`]);
/// inheritable and ambient stay empty.
pub(super) fn capabilities(privileged: bool, own: u64) -> Result<LinuxCapabilities, OciSpecError> {
    let more = CAPABILITIES_OF_DAEMONS.into_iter().filter(|_| privileged);
    let has = |capability: &Capability| own & (1 << number(*capability)) != 0;
    let set: HashSet<Capability> = CAPABILITIES.into_iter().chain(more).filter(has).collect();
    LinuxCapabilitiesBuilder::default()
        .bounding(set.clone())
        .permitted(set.clone())
        .effective(set)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()
}

/// The set without the making of devices.
pub(super) fn without_devices(own: u64) -> u64 {
    own & !(1 << number(Capability::Mknod))
}

/// This process's bounding set, one bit for each capability: what it can give at most. All of them where it cannot be read.
pub(super) fn own_capabilities() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    bounding(&status).unwrap_or(u64::MAX)
}

fn bounding(status: &str) -> Option<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("CapBnd:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

/// A capability's number in <linux/capability.h>.
fn number(capability: Capability) -> u32 {
    match capability {
        Capability::Chown => 0,
        Capability::DacOverride => 1,
        Capability::DacReadSearch => 2,
        Capability::Fowner => 3,
        Capability::Fsetid => 4,
        Capability::Kill => 5,
        Capability::Setgid => 6,
        Capability::Setuid => 7,
        Capability::Setpcap => 8,
        Capability::LinuxImmutable => 9,
        Capability::NetBindService => 10,
        Capability::NetBroadcast => 11,
        Capability::NetAdmin => 12,
        Capability::NetRaw => 13,
        Capability::IpcLock => 14,
        Capability::IpcOwner => 15,
        Capability::SysModule => 16,
        Capability::SysRawio => 17,
        Capability::SysChroot => 18,
        Capability::SysPtrace => 19,
        Capability::SysPacct => 20,
        Capability::SysAdmin => 21,
        Capability::SysBoot => 22,
        Capability::SysNice => 23,
        Capability::SysResource => 24,
        Capability::SysTime => 25,
        Capability::SysTtyConfig => 26,
        Capability::Mknod => 27,
        Capability::Lease => 28,
        Capability::AuditWrite => 29,
        Capability::AuditControl => 30,
        Capability::Setfcap => 31,
        Capability::MacOverride => 32,
        Capability::MacAdmin => 33,
        Capability::Syslog => 34,
        Capability::WakeAlarm => 35,
        Capability::BlockSuspend => 36,
        Capability::AuditRead => 37,
        Capability::Perfmon => 38,
        Capability::Bpf => 39,
        Capability::CheckpointRestore => 40,
    }
}

/// The kernel's masked paths and these of ours.
pub(super) fn masked<'a>(ours: impl IntoIterator<Item = &'a Path>) -> Vec<String> {
    let ours = ours.into_iter().map(|path| path.to_string_lossy().into_owned());
    MASKED.into_iter().map(str::to_owned).chain(ours).collect()
}

/// The kernel's paths that are read-only.
pub(super) fn read_only(privileged: bool) -> Vec<String> {
    let paths: &[&str] = if privileged { &READ_ONLY_FOR_DAEMONS } else { &READ_ONLY };
    paths.iter().map(|&path| path.to_owned()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn root_in_a_container_is_not_root_of_the_machine() {
        let sets = capabilities(false, u64::MAX).unwrap();
        let bounding = sets.bounding().clone().unwrap();
        assert_eq!(bounding.len(), 14);
        for power in [Capability::SysAdmin, Capability::NetAdmin, Capability::SysModule, Capability::SysPtrace] {
            assert!(!bounding.contains(&power), "{power:?}");
        }
        assert!(sets.inheritable().as_ref().unwrap().is_empty());
    }

    #[test]
    fn nobody_gives_what_they_have_not() {
        let without_resource = bounding("Name:\tx\nCapBnd:\t000001fffeffffff\n").unwrap();
        let sets = capabilities(true, without_resource).unwrap();
        let bounding = sets.bounding().clone().unwrap();
        assert!(bounding.contains(&Capability::SysAdmin) && !bounding.contains(&Capability::SysResource));
        assert!(capabilities(true, 0).unwrap().effective().as_ref().unwrap().is_empty());
        assert_eq!(super::bounding("CapBnd: x"), None);
    }

    #[test]
    fn a_daemon_cannot_reach_past_its_namespaces() {
        let sets = capabilities(true, u64::MAX).unwrap();
        let bounding = sets.bounding().clone().unwrap();
        for power in [
            Capability::SysModule,
            Capability::SysRawio,
            Capability::SysBoot,
            Capability::SysTime,
            Capability::Syslog,
            Capability::MacAdmin,
            Capability::Bpf,
        ] {
            assert!(!bounding.contains(&power), "{power:?}");
        }
        assert!(!read_only(true).contains(&"/proc/sys".to_owned()));
    }

    #[test]
    fn our_paths_are_masked_too() {
        let masked = masked([Path::new("/var/lib/landfall")]);
        assert!(masked.iter().any(|path| path == "/var/lib/landfall"));
        assert!(masked.iter().any(|path| path == "/proc/kcore"));
    }
}
