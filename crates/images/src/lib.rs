//! Container images: pulled from OCI registries or loaded from files, kept once, unpacked once.

#![forbid(unsafe_code)]

mod config;
mod digest;
mod error;
mod image;
mod limits;
mod manifest;
mod platform;
mod reference;
mod registries;
mod request;
pub mod tar;
#[cfg(test)]
mod testing;

pub use config::{ImageConfig, RunConfig, read_config};
pub use digest::Digest;
pub use error::ImageError;
pub use image::Image;
pub use limits::Limits;
pub use manifest::{Descriptor, ImageManifest, IndexEntry, Manifest, choose, read_manifest};
pub use platform::Platform;
pub use reference::{Reference, read_reference};
pub use registries::Registries;
pub use request::{ImageRequest, Password, Progress, PullPolicy, PullProgress, RegistryCredentials};
