//! The small static program that Landfall puts where work is done.
//!
//! - `landfall-agent build`: the first process of a build container. It takes its job over a Unix
//!   socket, unpacks sources, runs the phases in one shell and streams output back ([`protocol`]).
//! - `landfall-agent host`: the CodeDeploy agent of a host.
//! - `landfall-agent link-local`: puts the network of a Docker or Podman container right.
//! - `landfall-agent shim`: keeps a container's output and exit record while the server restarts.
//!
//! The server links only [`protocol`]; everything here stays free of the store and of AWS shapes,
//! so that the binary is small enough to append to the server's own.

pub mod archive;
pub mod build;
mod der;
pub mod forward;
pub mod host;
pub mod link_local;
pub mod names;
pub mod process;
pub mod protocol;
pub mod shim;
pub mod time;
pub mod user;
