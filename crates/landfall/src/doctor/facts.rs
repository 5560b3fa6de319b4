//! What was seen on a machine: plain data.

use super::version::Version;
use std::path::PathBuf;
use std::time::Duration;

/// A machine.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) kernel: Option<Version>,
    /// Whether we are root.
    pub(super) root: bool,
    /// What installs packages here.
    pub(super) packages: Packages,
    pub(super) cgroups: Cgroups,
    pub(super) user_namespaces: UserNamespaces,
    pub(super) overlayfs: bool,
    pub(super) runtimes: Runtimes,
    pub(super) subordinate: Subordinate,
    pub(super) sandbox: Sandbox,
    pub(super) daemon: Option<Daemon>,
    pub(super) images: Option<Images>,
    pub(super) git: Option<Version>,
    pub(super) ways_out: WaysOut,
    /// Whether the agent is in our file or beside it.
    pub(super) agent: bool,
    /// Soft and hard limit of open files.
    pub(super) open_files: Option<(u64, u64)>,
    pub(super) clock: Clock,
    pub(super) port: Port,
    pub(super) folder: Folder,
}

/// What installs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packages {
    Apt,
    Dnf,
    Pacman,
    Zypper,
    Apk,
    Unknown,
}

/// How control groups are mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cgroups {
    /// One hierarchy. `writable`: we can make groups in it; `controllers`: memory and pids are there.
    V2 {
        writable: bool,
        controllers: bool,
    },
    /// A hierarchy per controller, perhaps with an empty v2 one beside them.
    V1 {
        hybrid: bool,
        writable: bool,
    },
    None,
}

/// Whether processes may make user namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UserNamespaces {
    /// `user.max_user_namespaces`.
    pub(super) most: Option<u64>,
    /// Debian's `kernel.unprivileged_userns_clone`.
    pub(super) unprivileged_clone: Option<bool>,
    /// Ubuntu's `kernel.apparmor_restrict_unprivileged_userns`, since 24.04.
    pub(super) apparmor_restricts: Option<bool>,
}

/// The programs that make containers out of OCI bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Runtimes {
    pub(super) runc: Option<Version>,
    pub(super) crun: Option<Version>,
}

/// Further ids for the containers of an ordinary user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Subordinate {
    /// `newuidmap` and `newgidmap` are there.
    pub(super) programs: bool,
    /// /etc/subuid and /etc/subgid have a range for this user.
    pub(super) ranges: bool,
}

/// What became of a container that ran `true`, within limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sandbox {
    /// It did; how long from its start to its end, and how it could have reached other networks.
    Ran { took: Duration, way_out: Option<&'static str> },
    /// Why not, with what to do, as the server would say it.
    Failed(String),
    /// There is no agent or no place to try it in, which other findings tell.
    NotTried,
}

/// A Docker or Podman daemon that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Daemon {
    pub(super) socket: String,
    /// `Docker 20.10.24`.
    pub(super) name: String,
    /// The API's version, `1.41`.
    pub(super) api: String,
}

/// What the store of images holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Images {
    pub(super) count: usize,
    /// Bytes, unpacked; layers that several have are counted for each.
    pub(super) bytes: u64,
    /// The standard image is among them.
    pub(super) standard: bool,
}

/// Programs that could give builds a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct WaysOut {
    pub(super) pasta: bool,
    pub(super) slirp4netns: bool,
    /// /dev/net/tun, which both need, can be opened by this user.
    pub(super) tun: bool,
    /// It is there, but not for this user.
    pub(super) tun_denied: bool,
}

/// What the clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// A time after this release; `synchronized` where something is known to keep it.
    Plausible { synchronized: bool },
    /// Before this release was made.
    Past,
    /// So many seconds before the data folder was last written.
    BehindFolder(u64),
}

/// The address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Port {
    Free(String),
    /// The server of the data folder listens already.
    Ours(String),
    /// Somebody does.
    Taken(String),
    /// The system says why not.
    Refused(String, String),
}

/// The data folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) state: FolderState,
    /// Bytes free on its disk.
    pub(super) free: Option<u64>,
    /// Overlays cannot be stacked on an overlay.
    pub(super) on_overlay: bool,
}

/// What is at the data folder's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FolderState {
    /// Nothing yet; `can_be_made` by us.
    Absent {
        can_be_made: bool,
    },
    /// Something that is no folder.
    NoFolder,
    /// A folder that we may not write.
    Unwritable,
    /// A folder that others may look into, by its mode.
    Open(u32),
    /// Written by a release with another format of it.
    Newer {
        found: u32,
        known: u32,
    },
    Good {
        format: Option<u32>,
    },
}
