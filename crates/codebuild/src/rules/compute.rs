//! Sizes of compute types (CodeBuild user guide, "Build environment compute modes and types").

/// What a compute type gives on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Processors.
    pub cpus: u32,
    /// Memory in GiB.
    pub memory_gib: u32,
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
    fn environments() {
        assert!(is_linux_container("LINUX_CONTAINER") && is_linux_container("ARM_CONTAINER"));
        assert!(!is_linux_container("WINDOWS_CONTAINER") && !is_linux_container("MAC_ARM"));
    }
}
