//! Sizes of compute types (CodeBuild user guide, "Build environment compute modes and types"), and what of them a
//! machine can give.

use engine::Limits;

/// How many processes and threads a build may have for each of its processors: more than compilers and virtual machines
/// start, and few enough that a fork bomb leaves the machine to the others (four times as many were measured not to).
const PIDS_PER_CPU: u32 = 512;

/// Processors and memory: what a compute type gives on AWS, or what a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Processors.
    pub cpus: u32,
    /// Memory in GiB.
    pub memory_gib: u32,
}

/// What this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// The size of a compute type, if Landfall can run it.
#[must_use]
pub fn size(compute_type: &str) -> Option<Size> {
    let (cpus, memory_gib) = match compute_type {
        "BUILD_GENERAL1_SMALL" => (2, 4),
        "BUILD_GENERAL1_MEDIUM" => (4, 8),
        "BUILD_GENERAL1_LARGE" => (8, 16),
        "BUILD_GENERAL1_XLARGE" => (36, 72),
        "BUILD_GENERAL1_2XLARGE" => (72, 144),
        _ => return None,
    };
    Some(Size { cpus, memory_gib })
}

/// The limits of a build: those of its compute type, but never more than the machine has. A compute type without a size
/// may use the whole machine. `disk_bytes` is the operator's, for AWS's sizes would be all of most machines' disks.
#[must_use]
pub fn limits(compute_type: &str, machine: Machine, disk_bytes: Option<u64>) -> Limits {
    let size = size(compute_type);
    let cpus = size.map_or(machine.cpus, |size| size.cpus.min(machine.cpus)).max(1);
    let memory = size.map_or(machine.memory_bytes, |size| machine.memory_bytes.min(u64::from(size.memory_gib) << 30));
    Limits {
        memory_bytes: Some(memory),
        cpu_millis: Some(u64::from(cpus) * 1_000),
        pids: Some(cpus.saturating_mul(PIDS_PER_CPU)),
        disk_bytes,
    }
}

/// Whether builds of this environment type can run here: Linux containers, of either architecture.
#[must_use]
pub fn is_linux_container(environment_type: &str) -> bool {
    matches!(environment_type, "LINUX_CONTAINER" | "ARM_CONTAINER" | "LINUX_GPU_CONTAINER" | "LINUX_EC2" | "ARM_EC2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("BUILD_GENERAL1_SMALL"), Some(Size { cpus: 2, memory_gib: 4 }));
        assert_eq!(size("BUILD_GENERAL1_2XLARGE"), Some(Size { cpus: 72, memory_gib: 144 }));
        assert_eq!(size("BUILD_LAMBDA_1GB"), None);
    }

    #[test]
    fn limits_are_awss_and_never_above_the_machine() {
        let machine = |cpus, gib: u64| Machine { cpus, memory_bytes: gib << 30 };
        for (compute_type, machine, cpus, gib) in [
            ("BUILD_GENERAL1_SMALL", machine(16, 64), 2, 4),
            ("BUILD_GENERAL1_LARGE", machine(16, 64), 8, 16),
            ("BUILD_GENERAL1_LARGE", machine(2, 8), 2, 8),
            ("BUILD_GENERAL1_2XLARGE", machine(16, 64), 16, 64),
            ("ATTRIBUTE_BASED_COMPUTE", machine(16, 64), 16, 64),
        ] {
            let limits = limits(compute_type, machine, Some(7));
            assert_eq!(limits.cpu_millis, Some(cpus * 1_000), "{compute_type}");
            assert_eq!(limits.memory_bytes, Some(gib << 30), "{compute_type}");
            assert_eq!((limits.pids.map(u64::from), limits.disk_bytes), (Some(cpus * 512), Some(7)));
        }
    }

    #[test]
    fn environments() {
        assert!(is_linux_container("LINUX_CONTAINER") && is_linux_container("ARM_CONTAINER"));
        assert!(!is_linux_container("WINDOWS_CONTAINER") && !is_linux_container("MAC_ARM"));
    }
}
