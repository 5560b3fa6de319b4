use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Identities, Layout, network};

/// What the engine tells the shim, in the bundle's `shim.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimConfig {
    /// The container's name for the runtime.
    pub container: String,
    /// The OCI runtime and what comes first on its command line.
    pub runtime: Runtime,
    /// What it can reach.
    pub network: network::Config,
    /// The user namespace where Landfall does not run as root.
    pub identities: Option<Identities>,
    /// Where the container writes at most so much.
    pub disk: Option<Disk>,
    /// What is made in the writable space.
    pub layout: Layout,
    /// The container's control groups, by absolute path: one for each hierarchy. None where there are no limits.
    pub groups: Vec<PathBuf>,
}

/// A program that runs OCI bundles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Its path.
    pub program: PathBuf,
    /// Options that come before its command.
    pub options: Vec<String>,
    /// A mount that it must not see: crun refuses to work beside the second version's hierarchy on machines that have both.
    pub covered: Option<PathBuf>,
}

/// How the size of the writable space is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disk {
    /// It is the ext4 file system in this file.
    Image(PathBuf),
    /// The shim counts now and then, and ends a container that has written more than so many bytes.
    Watched(u64),
}

impl Disk {
    /// How many bytes the container may write.
    pub(super) fn size(&self) -> std::io::Result<u64> {
        match self {
            Self::Image(image) => Ok(image.metadata()?.len()),
            Self::Watched(limit) => Ok(*limit),
        }
    }
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
        /// Why, in the runtime's or the system's words.
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
