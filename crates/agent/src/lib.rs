//! The small static program that Landfall puts where work is done.
//!
//! - `landfall-agent build`: the first process of a build container. It takes its job over a Unix
//!   socket, unpacks sources, runs the phases in one shell and streams output back ([`protocol`]).
//! - `landfall-agent host`: the CodeDeploy agent of a host.
//! - `landfall-agent enter`: the way into a container of Docker or Podman.
//! - `landfall-agent git-credential`: a build's Git asks it for CodeCommit's passwords.
//! - `landfall-agent shim`: keeps a container's output and exit record while the server restarts.
//!
//! The server links only [`protocol`]; everything here stays free of the store and of AWS shapes,
//! so that the binary is small enough to append to the server's own.

pub mod archive;
pub mod build;
mod der;
pub mod enter;
pub mod forward;
pub mod git_credential;
pub mod host;
pub mod names;
pub mod process;
pub mod protocol;
pub mod shim;
pub mod time;
pub mod user;
