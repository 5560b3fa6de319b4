//! Container images: pulled from OCI registries or loaded from files, kept once, unpacked once.

#![forbid(unsafe_code)]

mod blocking;
mod collect;
mod config;
mod digest;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod image;
mod images;
mod lease;
mod limits;
mod load;
mod manifest;
mod platform;
mod pull;
mod reference;
mod registries;
mod registry;
mod request;
mod store;
pub mod tar;
#[cfg(test)]
mod testing;
mod turns;
mod unpack;
mod verify;

pub use collect::{Collected, Removed, Unused};
pub use config::{ImageConfig, RunConfig, read_config};
pub use digest::Digest;
pub use error::ImageError;
pub use image::Image;
pub use images::{Images, Options};
pub use lease::Lease;
pub use limits::Limits;
pub use manifest::{Descriptor, ImageManifest, IndexEntry, Manifest, choose, read_manifest};
pub use platform::Platform;
pub use reference::{Reference, read_reference};
pub use registries::Registries;
pub use registry::Patience;
pub use request::{ImageRequest, Password, Progress, PullPolicy, PullProgress, RegistryCredentials};
pub use unpack::decode;
pub use verify::Damage;
