//! What containers of a Docker or Podman daemon promise beyond the contract, each over both.

pub(crate) mod images;
pub(crate) mod inside;
pub(crate) mod losses;
pub(crate) mod network;
mod proxy;
