use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::shim::Layout;

use super::host_image::HostImage;
use super::image_root::ImageRoot;
use crate::{ContainerSpec, EngineError};

/// What a container's files are before it writes: what the shim lays out, and what goes with it.
pub(super) enum Root {
    /// The machine's own.
    Host(Arc<HostImage>),
    /// An image's.
    Image(Box<ImageRoot>),
}

/// A file system of its own that a root has in memory, empty in each container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fresh {
    /// Where, from the root on, without the leading `/`.
    pub(super) path: &'static str,
    /// Its permission bits.
    pub(super) mode: u32,
}

impl Root {
    /// What the shim makes in the container's space; `etc` are texts that go over files in /etc, by name.
    pub(super) fn layout(&self, etc: &[(&str, String)], rootless: bool) -> Result<Layout, EngineError> {
        match self {
            Self::Host(image) => image.layout(etc, rootless),
            Self::Image(image) => Ok(image.layout(etc)),
        }
    }

    /// The image's own environment, under what the description says.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        match self {
            Self::Host(_) => BTreeMap::new(),
            Self::Image(image) => image.environment().clone(),
        }
    }

    /// Folders that go first on PATH.
    pub(super) fn first_on_path(&self) -> Vec<PathBuf> {
        match self {
            Self::Host(image) => image.shares().iter().map(|share| share.join("bin")).collect(),
            Self::Image(_) => Vec::new(),
        }
    }

    /// Folders of the machine that are seen read-only under the same path.
    pub(super) fn shares(&self) -> &[PathBuf] {
        match self {
            Self::Host(image) => image.shares(),
            Self::Image(_) => &[],
        }
    }

    /// Paths that are seen empty.
    pub(super) fn masked(&self) -> Vec<&Path> {
        match self {
            Self::Host(image) => image.masked().collect(),
            Self::Image(_) => Vec::new(),
        }
    }

    /// Fresh file systems in memory.
    pub(super) fn fresh(&self) -> &'static [Fresh] {
        match self {
            Self::Host(_) => super::host_image::FRESH,
            Self::Image(_) => &[],
        }
    }

    /// Where the first process starts: where the description says, else where the image does.
    pub(super) fn workdir<'a>(&'a self, spec: &'a ContainerSpec) -> &'a Path {
        match self {
            Self::Image(image) if spec.workdir == Path::new("/") => image.workdir().unwrap_or(&spec.workdir),
            _ => &spec.workdir,
        }
    }
}
