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

/// The bounding, permitted and effective sets; inheritable and ambient stay empty.
pub(super) fn capabilities() -> Result<LinuxCapabilities, OciSpecError> {
    let set: HashSet<Capability> = CAPABILITIES.into_iter().collect();
    LinuxCapabilitiesBuilder::default()
        .bounding(set.clone())
        .permitted(set.clone())
        .effective(set)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()
}

/// The kernel's masked paths and these of ours.
pub(super) fn masked<'a>(ours: impl IntoIterator<Item = &'a Path>) -> Vec<String> {
    let ours = ours.into_iter().map(|path| path.to_string_lossy().into_owned());
    MASKED.into_iter().map(str::to_owned).chain(ours).collect()
}

/// The kernel's paths that are read-only.
pub(super) fn read_only() -> Vec<String> {
    READ_ONLY.map(str::to_owned).to_vec()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn root_in_a_container_is_not_root_of_the_machine() {
        let sets = capabilities().unwrap();
        let bounding = sets.bounding().clone().unwrap();
        assert_eq!(bounding.len(), 14);
        for power in [Capability::SysAdmin, Capability::NetAdmin, Capability::SysModule, Capability::SysPtrace] {
            assert!(!bounding.contains(&power), "{power:?}");
        }
        assert!(sets.inheritable().as_ref().unwrap().is_empty());
    }

    #[test]
    fn our_paths_are_masked_too() {
        let masked = masked([Path::new("/var/lib/landfall")]);
        assert!(masked.iter().any(|path| path == "/var/lib/landfall"));
        assert!(masked.iter().any(|path| path == "/proc/kcore"));
    }
}
