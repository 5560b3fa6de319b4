//! Running containers.
//!
//! One small trait, [`Engine`], stands between Landfall's services and whatever runs processes apart
//! from the machine: prepare an image, start a container, stream its output, run a command in it, signal
//! it, wait for its end, remove it, and find it again after a restart.
//!
//! - [`sandbox`]: embedded, no daemon: OCI bundles run by `crun` or `runc`, each under a shim of its own.
//! - [`docker`]: a Docker or Podman daemon on its socket; beside it the sandbox for image `host`.
//! - [`dummy`]: scripted by environment variables, for tests of what stands above.
//!
//! [`open`] makes one of them from [`EngineOptions`].

#![forbid(unsafe_code)]

mod blocking;
mod contract;
pub mod docker;
pub mod dummy;
mod error;
mod exec;
mod exit;
mod locks;
mod mount_point;
mod options;
mod routed;
pub mod sandbox;
mod spec;

pub use contract::{Container, Engine, OutputStream, Started, State};
pub use error::EngineError;
pub use exec::{Exec, ExecChunk, ExecOutput, Execution};
pub use exit::{Ending, Exit};
pub use images::{
    Collected, ImageRequest, Limits as ImageLimits, Password, Progress, PullPolicy, PullProgress, Registries,
    RegistryCredentials, Unused,
};
pub use options::{AGENT_IN_CONTAINER, EngineKind, EngineOptions, ImageOptions, RuntimeChoice, WayOut, open};
pub use spec::{ContainerSpec, LINK_LOCAL, Limits, Mount, Network, Signal, SpecError};
