//! Container images: pulled from OCI registries or loaded from files, kept once, unpacked once.

#![forbid(unsafe_code)]

mod request;

pub use request::{ImageRequest, Password, Progress, PullProgress, RegistryCredentials};
