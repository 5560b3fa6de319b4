use serde::{Deserialize, Serialize};

/// What the engine tells the shim, in the bundle's `shim.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimConfig {
    /// The container's name for runc.
    pub container: String,
    /// Puts 169.254.170.2 on the container's loopback device.
    pub link_local: bool,
}

/// The one line that the shim writes to its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The container's first process runs.
    Started {
        /// Its process id on the machine.
        pid: i32,
    },
    /// Nothing was started.
    Failed {
        /// Why, in runc's or the system's words.
        reason: String,
    },
}

/// How the container's first process ended, in the bundle's `exit.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// Its exit code, unless a signal killed it.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// The kernel killed a process of the container for want of memory.
    pub oom: bool,
}
